// Vectors of single characters, trained elsewhere (word2vec's and its relatives' files hold such),
// and what a text is by them: the direction of the sum of its characters' vectors. The mean of all
// of them is taken off first: what every character shares says nothing.
//
// Immutable, thread-safe. Memory: 4 bytes x width + 4 a character.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shanhuo {

class CharVectors {
 public:
  static constexpr size_t kWidthMax = 1'024;
  static constexpr size_t kCharactersMax = 1'000'000;

  // `rows`: row-major, characters.size() x width. Entries that are not exactly one code point, and
  // repeated ones, are left out. kInvalid: none is left, a width out of its range, another number
  // of rows, or what is no number.
  static Result<CharVectors> make(std::span<const std::string> characters,
                                  std::span<const float> rows, size_t width);

  size_t width() const { return width_; }
  size_t size() const { return codes_.size(); }

  // Of unit length; zeros for a text without a character that is known. Requires: out.size() ==
  // width().
  void encode(std::string_view text, std::span<float> out) const;

  // Bytes, little endian: width u32 | characters u32 | (code u32){characters}, ascending |
  // f32{characters x width}, the mean taken off. Appends.
  void to_bytes(std::string& out) const;
  // Takes them from the front; kCorrupt.
  static Result<CharVectors> take_bytes(std::string_view& bytes);

 private:
  CharVectors() = default;

  size_t width_ = 0;
  std::vector<uint32_t> codes_;  // the character's UTF-8 bytes as a number; ascending
  std::vector<float> rows_;      // in their order
};

}  // namespace shanhuo
