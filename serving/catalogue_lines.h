// What the items topic of a log comes to, as lines for `shanhuo replay` (replay.h): the creators
// and the items that stand at the end of a range, each as its last change left it, and what is
// blocked then. Sending every change would only pass through the same states, and an engine
// refuses an item that was deleted and made anew as another kind.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "features/item.h"
#include "serving/log_range.h"
#include "serving/replay.h"

namespace shanhuo {

struct CatalogueLines {
  std::vector<std::string> creators, items;  // by id, the contract's JSON
  std::vector<std::pair<BlockKind, std::string>> blocks;
  uint64_t deleted = 0;  // items and blocks that the end of the range has no more
  uint64_t undecodable = 0;
  uint64_t dropped = 0;  // records that retention has dropped: what they said is not known
};

// Errors of LogRangeReader.
Result<CatalogueLines> read_catalogue_lines(EventLog& log, const LogRange& range);

// Lines in memory.
class MemoryLines final : public LineSource {
 public:
  explicit MemoryLines(const std::vector<std::string>& lines) : lines_(lines) {}
  Result<bool> next(std::string& line) override {
    if (at_ == lines_.size()) return false;
    line = lines_[at_++];
    return true;
  }
  uint64_t number() const override { return at_; }
  double share_done() const override {
    return static_cast<double>(at_) / static_cast<double>(lines_.size());
  }

 private:
  const std::vector<std::string>& lines_;
  size_t at_ = 0;
};

}  // namespace shanhuo
