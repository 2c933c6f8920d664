// What the viewers of experiments did after they met a variation: the raw material of results
// (serving/experiment_results.h), folded exactly once from the log's exposures and events.
//
// A row is a viewer in one phase of one experiment: the variation, the time of the first exposure,
// what the profile knew before it, and counts of the events since, in periods since the first
// exposure that end after 1, 3, 7, 14 and 28 days; the last one has no end. Metrics and their
// windows are applied to rows when results are asked for, so the state does not know of them. An
// event counts in the row of the phase that the viewer was in at its time; what came before the
// first exposure counts in none. Late events count nowhere (feature_store.h). Who has met two
// variations in one phase is marked `multiple`.
//
// Bounds: viewers_max rows, about 250 bytes each; an exposure beyond is counted in left_out, by
// experiment. An experiment that nobody new has met for keep_days is let go at the next exposure of
// any. Counts stay at the ends of 32 bits.
//
// One writer, the fold's thread; stats() and read() from any thread, and the fold waits for at most
// a thousand rows. An event of a viewer who is in none costs one lookup. Viewers are named by their
// hash alone.
//
// Checkpoint:
//   "xr" "e" experiment := left_out:varint newest_ms:signed
//   "xr" "r" user_hash:u64be phase:u32be experiment :=
//        variation:text first_ms:signed before:f32{3} multiple:u8 (period:u8 count:signed{14})*
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "features/dirty_list.h"
#include "features/experiment_exposure.h"
#include "features/state_machine.h"
#include "features/viewer.h"

namespace shanhuo {

// What metrics are made of (contract 2.2). amount_fen is orders minus refunds. organic: without a
// valid token.
enum class TrialCount : uint8_t {
  kImpressions,
  kViewable,
  kOrganicImpressions,
  kOrganicClicks,
  kClicks,
  kPlays,
  kWatchMs,
  kLikes,
  kDislikes,
  kOrders,
  kAmountFen,
  kRefunds,
  kBoostedViewable,
  kBoostedOrders,
};
inline constexpr size_t kTrialCounts = 14;
std::string_view trial_count_name(TrialCount count);  // "impressions", ...
using TrialCounts = std::array<int32_t, kTrialCounts>;

inline constexpr std::array<int, 5> kTrialPeriodEnds = {1, 3, 7, 14, 28};  // days

struct TrialPeriod {
  uint8_t number = 0;  // ends after kTrialPeriodEnds[number] days
  TrialCounts counts{};
};

struct TrialRow {
  uint64_t user_hash = 0;
  uint32_t experiment = 0, phase = 0, variation = 0;  // numbers of this process, but for the phase
  Millis first;
  ViewerRates before;  // as of the first exposure
  bool multiple = false;
  bool gone = false;                 // forgotten, or let go
  uint8_t mark = 0;                  // of the dirty list
  std::vector<TrialPeriod> periods;  // those with events, in order of their first one
};

struct ExperimentTallyOptions {
  size_t viewers_max = 1'000'000;  // viewers, by experiment and phase
  int keep_days = 90;
};

class ExperimentTally final : public Checkpointed {
 public:
  explicit ExperimentTally(const ExperimentTallyOptions& options) : options_(options) {}

  // Fold's thread. `before`: the viewer's rates as of now; asked for when the row is new.
  void expose(uint64_t user_hash, const ExperimentExposure& exposure,
              const std::function<ViewerRates()>& before);
  // Whether add() could count anything.
  bool knows(uint64_t user_hash) const { return viewers_.find(user_hash) != viewers_.end(); }
  void add(uint64_t user_hash, Millis ts, const TrialCounts& counts);
  void forget(uint64_t user_hash);

  struct Summary {
    uint64_t left_out = 0;                // exposures
    Millis newest;                        // event or exposure counted
    std::vector<std::string> variations;  // keys, by number
  };
  // nullopt: nobody has met it.
  std::optional<Summary> summary(std::string_view experiment) const;
  // Every row of the experiment, in no order; visit() is called under the lock.
  void read(std::string_view experiment, const std::function<void(const TrialRow&)>& visit) const;
  size_t rows() const;
  // Exposures that found no room, of all experiments.
  uint64_t left_out() const;

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  struct Trial {
    std::string id;
    Summary summary;
    Millis last_first;          // newest first exposure
    bool changed = false;       // its own record, since the last checkpoint
    std::deque<TrialRow> rows;  // never move; gone ones are taken again
    std::vector<TrialRow*> free;
  };
  static constexpr size_t kTrialsMax = 1'000;
  static constexpr size_t kRowsAtOnce = 1'000;

  Trial* trial_of(std::string_view id);
  uint32_t variation_of(Trial& trial, std::string_view key);
  TrialRow* find_row(uint64_t user_hash, uint32_t experiment, uint32_t phase);
  TrialRow* make_row(Trial& trial, uint64_t user_hash, uint32_t phase);
  void touch(TrialRow* row);
  void save(const TrialRow& row);
  void drop(TrialRow& row);
  void let_go(Millis now);
  void free_gone();
  Status restore_row(std::string_view key, std::string_view value);

  const ExperimentTallyOptions options_;
  mutable std::mutex mutex_;  // guards all below against readers; the fold reads without it
  std::deque<Trial> trials_;
  std::map<std::string, uint32_t, std::less<>> numbers_;  // id -> place in trials_
  std::unordered_map<uint64_t, std::vector<TrialRow*>> viewers_;
  size_t rows_ = 0;              // not gone
  uint64_t trials_refused_ = 0;  // exposures of experiments beyond kTrialsMax, since the start
  int64_t let_go_day_ = INT64_MIN;

  DirtyList<TrialRow*> dirty_;
  std::vector<TrialRow*> gone_;  // until their erasure is written
  StateWriter* writer_ = nullptr;
  std::vector<std::pair<std::string, std::string>> frozen_;  // records of trials
};

}  // namespace shanhuo
