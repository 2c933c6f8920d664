// StateClaim: which of several processes owns the state in a data folder that they share.
//
//   data_dir/state            of an engine that runs alone; to claims it is epoch 0
//   data_dir/state.N          epoch N = 1, 2, ...: a Store, the decisions' counter, and
//   data_dir/state.N/leader   who claimed it; written when the rest is whole
//
// take() claims the next number by making the folder, which the file system lets one process do.
// fill() brings in the newest older state that is whole: files that never change are linked, those
// that grow are copied, and the copy is opened once before it counts. The process whose state that
// was may be stopped and wake up at any moment, in the midst of a write:
//
//   - From its claim's end on, holds() is kConflict: it must look before each write.
//   - A write between its look and its end is one atomic batch of the state and the offsets it
//     stands for. Either fill() has read it whole, or what fill() read ends before it; then it went
//     to a folder that nobody reads again, and the log is folded again from the older offsets.
//     Either way state and offsets are one fact.
//   - Files that vanish while they are being copied (a flush, a compaction, a newer owner that
//     tidies) make fill() begin again.
//
// Older folders are removed by remove_older(), which the owner calls when a checkpoint of its own
// is durable: whoever claims later then finds that one whole and reads no older.
//
// Only one thread uses a claim, but for holds(), which is thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace shanhuo {

inline constexpr std::string_view kCounterFile = "decisions.counter";

class StateClaim {
 public:
  // Claims the next epoch; the data folder is made when missing. Its folder is empty until fill().
  static Result<StateClaim> take(const std::string& data_dir);
  // kConflict when a newer claim came meanwhile, or when an engine that runs alone has `state`;
  // kCorrupt when the older state does not hold. `leader` is shown to the others.
  Status fill(const std::string& leader) const;

  uint64_t epoch() const { return epoch_; }
  std::string folder() const;  // in the data folder: "state.7"
  // Ok, kConflict when a newer claim was made or the folder is gone, kIo when nobody can tell.
  Status holds() const;
  // Removes every older state. Requires: a checkpoint in this one is durable. Nothing happens
  // unless holds().
  void remove_older() const;
  // Removes its own folder: of a claim that came to nothing.
  void give_back() const;

 private:
  StateClaim(std::string data_dir, uint64_t epoch)
      : data_dir_(std::move(data_dir)), epoch_(epoch) {}
  Status fill_once(const std::string& source) const;

  std::string data_dir_;
  uint64_t epoch_;
};

struct NewestClaim {
  uint64_t epoch = 0;  // 0: nobody has claimed
  std::string leader;  // empty: not whole yet
};
// kIo when the folder cannot be read; one that is not there has no claims.
Result<NewestClaim> newest_claim(const std::string& data_dir);

// Gives a whole state that was made in data_dir/`folder` the next epoch: whoever leads is fenced,
// and the next claim starts from it.
Status install_state(const std::string& data_dir, const std::string& folder);

}  // namespace shanhuo
