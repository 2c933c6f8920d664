// Public data sets in the splits that were published: their lines, read whole. What is broken is
// refused with file and line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "models/sparse_rows.h"

namespace shanhuo {

// Lines "user item item ...", as LightGCN has them: (user, item), a viewer's together.
Result<std::vector<SparseRows::Entry>> read_user_lines(const std::string& path);

struct Review {
  uint32_t user = 0, item = 0;
  int64_t seconds = 0;
};

// Columns user_id, item_id and time, as ReChorus has them; in order of time.
Result<std::vector<Review>> read_reviews(const std::string& path);

// Columns item_id and i_category: the category by item, 0 for items that have none.
Result<std::vector<uint32_t>> read_categories(const std::string& path);

}  // namespace shanhuo
