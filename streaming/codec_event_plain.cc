// Tested by tests/streaming_codec_test.cc against the parser of json.h, on whole and on broken
// texts.
#include "streaming/codec_event_plain.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "streaming/event_fields.h"

namespace shanhuo {
namespace {

using namespace event_fields;  // NOLINT(google-build-using-namespace)

// Goes through a text from its first byte to its last; each call says false, at any place, when
// what it wants is not there.
class PlainReader {
 public:
  explicit PlainReader(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  bool at_end() {
    skip_blanks();
    return at_ == end_;
  }

  bool take(char wanted) {
    skip_blanks();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }

  bool take_text(std::string_view& text) {
    if (!take('"')) return false;
    const char* const begin = at_;
    skip_plain();
    if (at_ == end_ || *at_ != '"') return false;
    text = {begin, static_cast<size_t>(at_ - begin)};
    ++at_;
    return true;
  }

  // What comes after the digits is looked at by whoever takes the next thing.
  bool take_integer(int64_t& number) {
    constexpr ptrdiff_t kDigitsMax = 18;
    skip_blanks();
    const char* const begin = at_;
    number = 0;
    for (; at_ != end_ && *at_ >= '0' && *at_ <= '9' && at_ - begin < kDigitsMax; ++at_) {
      number = number * 10 + (*at_ - '0');
    }
    const ptrdiff_t digits = at_ - begin;
    return digits == 1 || (digits > 1 && *begin != '0');
  }

 private:
  void skip_blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  // To the first byte that cannot stand in a plain text, eight at a time.
  void skip_plain() {
    static_assert(std::endian::native == std::endian::little);
    constexpr uint64_t kOnes = 0x0101010101010101ULL, kHigh = 0x80 * kOnes;
    while (end_ - at_ >= 8) {
      uint64_t word;
      std::memcpy(&word, at_, 8);
      const uint64_t quote = word ^ '"' * kOnes, escape = word ^ '\\' * kOnes;
      // The high bit of the first byte that is 0, or below 0x20, or above 0x7E. Those of bytes
      // behind it may be wrong: a borrow or a carry runs on.
      const uint64_t special =
          ((quote - kOnes) | (escape - kOnes) | (word - 0x20 * kOnes) | (word + kOnes) | word) &
          kHigh;
      if (special != 0) {
        at_ += std::countr_zero(special) / 8;
        return;
      }
      at_ += 8;
    }
    while (at_ != end_ && *at_ >= 0x20 && *at_ <= 0x7E && *at_ != '"' && *at_ != '\\') ++at_;
  }

  const char* at_;
  const char* const end_;
};

}  // namespace

std::optional<Reason> read_plain_event(std::string_view text, Interaction& event) {
  PlainReader in(text);
  if (!in.take('{')) return std::nullopt;
  event = Interaction();
  Reason reason;  // the first one
  uint32_t seen = 0;
  int field = -1;
  do {
    std::string_view name, value;
    if (!in.take_text(name) || !in.take(':')) return std::nullopt;
    field = find_field(name, field);
    if (field < 0 || (seen >> field & 1) != 0) return std::nullopt;
    seen |= 1u << field;
    const auto known = static_cast<Field>(field);
    int64_t number = 0;
    if (!(is_number(known) ? in.take_integer(number) : in.take_text(value))) return std::nullopt;
    if (!reason.empty()) continue;
    reason = is_number(known) ? set_integer(known, number, event)
                              : set_text(known, value, /*plain=*/true, event);
  } while (in.take(','));
  if (!in.take('}') || !in.at_end()) return std::nullopt;
  return reason.empty() ? check_complete(seen, event) : reason;
}

}  // namespace shanhuo
