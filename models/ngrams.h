// Character n-grams of a text: what it is compared by where words are not marked. Pure.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace shanhuo {

// Byte offsets at which code points start, and the end. Requires: well-formed UTF-8 for offsets
// that mean something; other bytes only give other n-grams.
inline std::vector<size_t> code_point_starts(std::string_view text) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) starts.push_back(i);
  }
  starts.push_back(text.size());
  return starts;
}

// Calls take(ngram) for each run of 1 to `longest` code points.
template <typename Take>
void for_each_ngram(std::string_view text, size_t longest, const Take& take) {
  const std::vector<size_t> starts = code_point_starts(text);
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    for (size_t n = 1; n <= longest && i + n < starts.size(); ++n) {
      take(text.substr(starts[i], starts[i + n] - starts[i]));
    }
  }
}

}  // namespace shanhuo
