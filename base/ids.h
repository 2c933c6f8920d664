// Ids and quantities as types: a UserId is never an ItemId, fen are never milliseconds, and both
// conversions are spelled out. Ids are opaque UTF-8 of 1..128 bytes without control characters
// (contract 2); valid_id() is that rule.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace shanhuo {

// An owned id. Tag makes each kind its own type.
template <typename Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string_view text) : text_(text) {}
  explicit Id(std::string&& text) : text_(std::move(text)) {}

  const std::string& str() const { return text_; }
  std::string_view view() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::string text_;
};

using UserId = Id<struct UserTag>;
using ItemId = Id<struct ItemTag>;
using CreatorId = Id<struct CreatorTag>;
using ProgramId = Id<struct ProgramTag>;
using RoomId = Id<struct RoomTag>;

// An integer quantity with a unit.
template <typename Tag>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(int64_t count) : count_(count) {}

  constexpr int64_t count() const { return count_; }
  constexpr auto operator<=>(const Quantity&) const = default;
  constexpr Quantity operator+(Quantity other) const { return Quantity(count_ + other.count_); }
  constexpr Quantity operator-(Quantity other) const { return Quantity(count_ - other.count_); }
  constexpr Quantity& operator+=(Quantity other) {
    count_ += other.count_;
    return *this;
  }

 private:
  int64_t count_ = 0;
};

using Millis = Quantity<struct MillisTag>;  // since the epoch, or a duration
using Fen = Quantity<struct FenTag>;        // 1/100 yuan

inline constexpr Millis kSecond{1'000};
inline constexpr Millis kMinute{60'000};
inline constexpr Millis kHour{3'600'000};
inline constexpr Millis kDay{86'400'000};

// Floor division to the start of the window of `width` that holds `t`, also before the epoch.
constexpr int64_t window_of(Millis t, Millis width) {
  const int64_t q = t.count() / width.count();
  return t.count() % width.count() < 0 ? q - 1 : q;
}

inline constexpr size_t kIdBytesMax = 128;

// True for UTF-8 of 1..128 bytes without control characters (U+0000..U+001F, U+007F..U+009F).
bool valid_id(std::string_view text);

// True for well-formed UTF-8 (no overlong forms, no surrogates).
bool valid_utf8(std::string_view text);

}  // namespace shanhuo

template <typename Tag>
struct std::hash<shanhuo::Id<Tag>> {
  size_t operator()(const shanhuo::Id<Tag>& id) const noexcept {
    return std::hash<std::string_view>{}(id.view());
  }
};
