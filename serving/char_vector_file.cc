#include "serving/char_vector_file.h"

#include <fstream>
#include <utility>
#include <vector>

#include "models/ngrams.h"

namespace shanhuo {
namespace {

constexpr size_t kWordsMax = 20'000'000;

}  // namespace

Result<CharVectors> read_char_vectors(const std::string& path) {
  const auto wrong = [&path](const std::string& what) {
    return Error{ErrorCode::kInvalid, path + ": " + what};
  };
  std::ifstream file(path);
  if (!file) return Error{ErrorCode::kIo, path + ": cannot be read"};
  size_t count = 0, width = 0;
  file >> count >> width;
  if (!file || count > kWordsMax || width < 1 || width > CharVectors::kWidthMax) {
    return wrong("is not in word2vec's text format");
  }
  std::vector<std::string> characters;
  std::vector<float> rows, row(width);
  std::string word;
  while (count-- > 0 && file >> word) {
    for (float& x : row) file >> x;
    if (!file) return wrong(word + ": a number is missing");
    if (code_point_starts(word).size() != 2) continue;
    characters.push_back(std::move(word));
    rows.insert(rows.end(), row.begin(), row.end());
  }
  Result<CharVectors> made = CharVectors::make(characters, rows, width);
  if (!made.ok()) return made.error().within(path);
  return made;
}

}  // namespace shanhuo
