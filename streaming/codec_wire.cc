#include "streaming/codec_wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/wire_format_lite.h>

namespace shanhuo {
namespace {

using google::protobuf::internal::WireFormatLite;

// Bytes that are wrong are told to who sent them. The library would write a line on stderr for
// each, which any caller could fill a disk with; its handler is set before there are threads.
[[maybe_unused]] google::protobuf::LogHandler* const kLibrarysOwnLog =
    google::protobuf::SetLogHandler(nullptr);

}  // namespace

bool each_wire_part(std::string_view bytes,
                    const std::function<bool(int number, std::string_view content)>& each) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  while (const uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    uint32_t length = 0;
    if (!in.ReadVarint32(&length)) return false;
    const auto at = static_cast<size_t>(in.CurrentPosition());
    if (length > bytes.size() - at || !in.Skip(static_cast<int>(length))) return false;
    if (!each(WireFormatLite::GetTagFieldNumber(tag), bytes.substr(at, length))) return false;
  }
  return in.ConsumedEntireMessage();
}

std::optional<size_t> count_wire_parts(std::string_view bytes, int number) {
  size_t count = 0;
  const bool message = each_wire_part(bytes, [&](int found, std::string_view) {
    count += found == number ? 1 : 0;
    return true;
  });
  return message ? std::optional(count) : std::nullopt;
}

}  // namespace shanhuo
