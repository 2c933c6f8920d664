// Tested by tests/streaming_codec_test.cc against the generated parser, on whole and on broken
// bytes.
#include "streaming/codec_event_wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstring>

#include "base/ids.h"
#include "streaming/shanhuo.pb.h"

namespace shanhuo {
namespace {

using namespace event_fields;  // NOLINT(google-build-using-namespace)
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// A Field is its number on the wire, less one.
static_assert(wire::Event::kEventIdFieldNumber == kEventId + 1 &&
              wire::Event::kTsMsFieldNumber == kTsMs + 1 &&
              wire::Event::kViewableMsFieldNumber == kViewableMs + 1 &&
              wire::Event::kAmountFenFieldNumber == kAmountFen + 1 &&
              wire::Event::kDeedFieldNumber == kDeed + 1 && kDeed + 1 == kFields);

constexpr uint32_t kNumberTypes = 1u << kTsMs | 1u << kPosition | 1u << kViewableMs |
                                  1u << kWatchMs | 1u << kQuantity | 1u << kAmountFen;

// Of tags and lengths. The library's older reader, which this is, would take longer ones.
constexpr int kVarint32BytesMax = 5;

bool utf8(std::string_view text) {
  constexpr uint64_t kHigh = 0x8080808080808080ULL;
  const auto word_at = [&](size_t place) {
    uint64_t word;
    std::memcpy(&word, text.data() + place, 8);
    return word;
  };
  if (text.size() < 8) return valid_utf8(text);
  uint64_t any = word_at(text.size() - 8);
  for (size_t i = 0; i + 8 < text.size(); i += 8) any |= word_at(i);
  return (any & kHigh) == 0 || valid_utf8(text);
}

bool take_text(CodedInputStream& in, std::string_view bytes, std::string_view& text) {
  const int before = in.CurrentPosition();
  int length = 0;
  if (!in.ReadVarintSizeAsInt(&length)) return false;
  const int at = in.CurrentPosition();
  if (at - before > kVarint32BytesMax || !in.Skip(length)) return false;
  text = {bytes.data() + at, static_cast<size_t>(length)};
  return utf8(text);
}

bool take_number(CodedInputStream& in, Field field, WireEvent& out) {
  uint64_t number = 0;
  if (!in.ReadVarint64(&number)) return false;
  out.given |= 1u << field;
  out.numbers[field] =
      field == kPosition ? static_cast<int32_t>(number) : static_cast<int64_t>(number);
  return true;
}

}  // namespace

bool is_number(Field field) { return (kNumberTypes >> field & 1) != 0; }

bool read_wire_event(std::string_view bytes, WireEvent& out) {
  out.texts = {};
  out.given = 0;
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                      static_cast<int>(bytes.size()));
  int before = 0;
  while (const uint32_t tag = in.ReadTag()) {
    if (in.CurrentPosition() - before > kVarint32BytesMax) return false;
    const int field = WireFormatLite::GetTagFieldNumber(tag) - 1;
    const bool known = field >= 0 && field < kFields;
    const bool number = known && is_number(static_cast<Field>(field));
    const auto type =
        number ? WireFormatLite::WIRETYPE_VARINT : WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    if (!known || WireFormatLite::GetTagWireType(tag) != type) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
    } else if (!(number ? take_number(in, static_cast<Field>(field), out)
                        : take_text(in, bytes, out.texts[static_cast<size_t>(field)]))) {
      return false;
    }
    before = in.CurrentPosition();
  }
  return in.ConsumedEntireMessage();
}

}  // namespace shanhuo
