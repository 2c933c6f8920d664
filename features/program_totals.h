// What each program has been delivered: per day of UTC+8, the viewable exposures, clicks and orders
// whose event carried a valid token naming the program. Programs go by their 32-bit hash, as in
// tokens; who reads knows the names.
//
// One writer (the fold); readers from any thread, under a mutex that is held for one event or sum.
// At most `rows_max` (program, day) rows; beyond, a new row is refused and counted.
// Checkpointed: "pg" + hash (4 bytes) + day (8 bytes, sign flipped), both big-endian.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "features/counts.h"
#include "features/dirty_list.h"
#include "features/state_machine.h"

namespace shanhuo {

struct ProgramTotalsOptions {
  size_t rows_max = 4'000'000;  // about 100 bytes each
};

struct ProgramCounts {
  int64_t viewable = 0;
  int64_t clicks = 0;
  int64_t orders = 0;

  bool operator==(const ProgramCounts&) const = default;
};

class ProgramTotals final : public Checkpointed {
 public:
  explicit ProgramTotals(ProgramTotalsOptions options = {}) : options_(options) {}

  void add(uint32_t program, Millis ts, const ProgramCounts& counts);

  // Over all time; of the day that holds `t`; of each day that has any, ascending by day number.
  ProgramCounts total(uint32_t program) const;
  ProgramCounts day(uint32_t program, Millis t) const;
  std::vector<std::pair<int64_t, ProgramCounts>> days(uint32_t program) const;
  uint64_t rows_refused() const;
  size_t bytes() const;

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  using Key = std::pair<uint32_t, int64_t>;  // program, day
  struct Row {
    ProgramCounts counts;
    uint8_t mark = 0;
  };
  using Entry = std::map<Key, Row>::value_type;

  void save(const Entry& entry);

  const ProgramTotalsOptions options_;
  mutable std::mutex mutex_;
  std::map<Key, Row> rows_;                     // guarded by mutex_; changed by the writer only
  std::map<uint32_t, ProgramCounts> lifetime_;  // guarded by mutex_
  uint64_t rows_refused_ = 0;                   // guarded by mutex_
  DirtyList<Entry*> dirty_;                     // writer only
  StateWriter* writer_ = nullptr;
};

}  // namespace shanhuo
