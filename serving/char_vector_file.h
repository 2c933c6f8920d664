// Files of word vectors, read for the characters among them.
#pragma once

#include <string>

#include "base/result.h"
#include "models/char_vectors.h"

namespace shanhuo {

// word2vec's text format: "count width", then "word number ...". Words of several characters are
// read and left out.
Result<CharVectors> read_char_vectors(const std::string& path);

}  // namespace shanhuo
