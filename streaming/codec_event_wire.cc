// Tested by tests/streaming_codec_test.cc against the generated parser, on whole and on broken
// bytes.
#include "streaming/codec_event_wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

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

// Of tags and lengths, and of any number.
constexpr int kVarint32BytesMax = 5, kVarint64BytesMax = 10;

// Reads a message from its first byte to its last; each call says false when the bytes do not hold.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  bool done() const { return at_ == end_; }

  // Bits above the 64th are lost, as the library has it.
  bool take_varint(int bytes_max, uint64_t& number) {
    if (at_ == end_) return false;
    number = static_cast<uint8_t>(*at_++);
    if (number < 0x80) return true;  // nearly all tags and lengths
    number &= 0x7F;
    for (int i = 1; i < bytes_max && at_ != end_; ++i) {
      const auto byte = static_cast<uint8_t>(*at_++);
      number |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
      if (byte < 0x80) return true;
    }
    return false;
  }

  bool take_text(std::string_view& text) {
    uint64_t length = 0;
    if (!take_varint(kVarint32BytesMax, length) || length > left()) return false;
    text = {at_, static_cast<size_t>(length)};
    at_ += length;
    return true;
  }

  // What follows the tag of a field that no event has.
  bool skip(uint32_t tag) {
    CodedInputStream in(reinterpret_cast<const uint8_t*>(at_), static_cast<int>(left()));
    if (!WireFormatLite::SkipField(&in, tag)) return false;
    at_ += in.CurrentPosition();
    return true;
  }

 private:
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  const char* at_;
  const char* const end_;
};

bool take_text(WireReader& in, Field field, WireEvent& out) {
  std::string_view& text = out.texts[field];
  if (!in.take_text(text)) return false;
  const uint32_t bit = 1u << field;
  const bool plain = is_plain(text);
  out.given = text.empty() ? out.given & ~bit : out.given | bit;
  out.plain = plain ? out.plain | bit : out.plain & ~bit;
  return plain || valid_utf8(text);
}

bool take_number(WireReader& in, Field field, WireEvent& out) {
  uint64_t number = 0;
  if (!in.take_varint(kVarint64BytesMax, number)) return false;
  out.given |= 1u << field;
  out.numbers[field] =
      field == kPosition ? static_cast<int32_t>(number) : static_cast<int64_t>(number);
  return true;
}

}  // namespace

bool read_wire_event(std::string_view bytes, WireEvent& out) {
  out.given = out.plain = 0;
  for (WireReader in(bytes); !in.done();) {
    uint64_t number = 0;
    if (!in.take_varint(kVarint32BytesMax, number)) return false;
    const auto tag = static_cast<uint32_t>(number);
    const int field = WireFormatLite::GetTagFieldNumber(tag) - 1;
    const auto type = WireFormatLite::GetTagWireType(tag);
    bool taken = false;
    if (field < 0) return false;
    if (field >= kFields) {
      taken = in.skip(tag);
    } else if (is_number(static_cast<Field>(field))) {
      taken = type == WireFormatLite::WIRETYPE_VARINT
                  ? take_number(in, static_cast<Field>(field), out)
                  : in.skip(tag);
    } else {
      taken = type == WireFormatLite::WIRETYPE_LENGTH_DELIMITED
                  ? take_text(in, static_cast<Field>(field), out)
                  : in.skip(tag);
    }
    if (!taken) return false;
  }
  return true;
}

}  // namespace shanhuo
