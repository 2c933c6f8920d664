#include "models/char_vectors.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "features/packing.h"
#include "models/ngrams.h"
#include "models/row_math.h"

namespace shanhuo {
namespace {

constexpr size_t kCodeBytesMax = 4;

// 0: not one code point.
uint32_t code_of(std::string_view character) {
  if (character.empty() || character.size() > kCodeBytesMax) return 0;
  if (code_point_starts(character).size() != 2) return 0;  // its start and the end
  uint32_t code = 0;
  for (const char byte : character) code = code << 8 | static_cast<uint8_t>(byte);
  return code;
}

bool finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float x) { return std::isfinite(x); });
}

}  // namespace

Result<CharVectors> CharVectors::make(std::span<const std::string> characters,
                                      std::span<const float> rows, size_t width) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  if (width < 1 || width > kWidthMax) return wrong("width: allowed are 1 to 1024");
  if (rows.size() != characters.size() * width) return wrong("not one vector a character");
  if (!finite(rows)) return wrong("a vector holds what is no number");
  std::vector<uint32_t> order(characters.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, {}, [&](uint32_t n) { return code_of(characters[n]); });
  CharVectors made;
  made.width_ = width;
  std::vector<double> mean(width);
  for (const uint32_t n : order) {
    const uint32_t code = code_of(characters[n]);
    if (code == 0 || (!made.codes_.empty() && made.codes_.back() == code)) continue;
    made.codes_.push_back(code);
    for (size_t k = 0; k < width; ++k) {
      made.rows_.push_back(rows[n * width + k]);
      mean[k] += made.rows_.back();
    }
  }
  if (made.codes_.empty()) return wrong("there is no vector of a single character");
  if (made.codes_.size() > kCharactersMax) return wrong("more than 1000000 characters");
  for (size_t i = 0; i < made.rows_.size(); ++i) {
    made.rows_[i] -= static_cast<float>(mean[i % width] / static_cast<double>(made.codes_.size()));
  }
  return made;
}

void CharVectors::encode(std::string_view text, std::span<float> out) const {
  CHECK(out.size() == width_);
  std::ranges::fill(out, 0.0F);
  for_each_ngram(text, 1, [&](std::string_view character) {
    const auto found = std::ranges::lower_bound(codes_, code_of(character));
    if (found == codes_.end() || *found != code_of(character)) return;
    const auto row = static_cast<size_t>(found - codes_.begin());
    add_scaled(rows_.data() + row * width_, 1, out.data(), width_);
  });
  const float length = length_of(out.data(), width_);
  for (float& x : out) x /= length;
}

void CharVectors::to_bytes(std::string& out) const {
  put_fixed(&out, static_cast<uint32_t>(width_));
  put_fixed(&out, static_cast<uint32_t>(codes_.size()));
  for (const uint32_t code : codes_) put_fixed(&out, code);
  for (const float x : rows_) put_fixed(&out, x);
}

Result<CharVectors> CharVectors::take_bytes(std::string_view& bytes) {
  const Error corrupt{ErrorCode::kCorrupt, "vectors of characters that cannot be"};
  uint32_t width = 0, size = 0;
  if (!take_fixed(&bytes, &width) || !take_fixed(&bytes, &size) || width < 1 || width > kWidthMax ||
      size < 1 || size > kCharactersMax || bytes.size() / (4 * (1 + size_t{width})) < size) {
    return corrupt;
  }
  CharVectors made;
  made.width_ = width;
  made.codes_.resize(size);
  made.rows_.resize(size_t{size} * width);
  for (uint32_t& code : made.codes_) take_fixed(&bytes, &code);
  for (float& x : made.rows_) take_fixed(&bytes, &x);
  if (!finite(made.rows_) || made.codes_.front() == 0 ||
      std::ranges::adjacent_find(made.codes_, std::greater_equal()) != made.codes_.end()) {
    return corrupt;
  }
  return made;
}

}  // namespace shanhuo
