// FeatureStore: everything that the engine knows from viewers' events, and the only code that
// changes it. The pipeline (streaming/pipeline.h) hands over each interaction that is no duplicate;
// apply() verifies its token, decides what it counts for, and adds it to
//
//   viewers    profiles (viewer_table.h)              items      rates and windows (item_state.h)
//   exposure   hourly rollups (exposure.h)            programs   delivered totals
//   (program_totals.h) ledger     orders and refunds (ledger.h)          observers  whoever learns
//   inside the fold
//
// Counted words (contract 2.2). served: an impression. viewable: an impression with viewable_ms >=
// 2,000 (video, scenic_video) or 1,000 (every other kind, also an unknown item), or a play with
// watch_ms >= 2,000; once per (user, item, program or none, half hour), and at most once per token
// (in a room: per token and viewer). An event with a valid token counts for each program that the
// token names, and as viewable when it is new for at least one of them; one without a valid token
// counts for none. boosted_*: those with a valid token. Orders and refunds as ledger.h says.
//
// Net of invalid traffic (invalid_traffic.h): what its rules find invalid counts for nothing, and
// what a viewer counted before it was found invalid is taken back; orders and refunds are exempt.
//
// Failures: a bad token makes the event dead ("bad_token"), a full interner ("items_full"); nothing
// is changed then. An expired token is ignored and counted. A late event (context.late) changes the
// ledger alone, and observers do not see it.
//
// Threads: apply(), forget() and the Checkpointed calls belong to the fold's thread. Every reader
// call may come from any thread and never blocks the fold for longer than one copy.
// Deterministic: equal calls give equal checkpoints.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/published.h"
#include "features/catalogue.h"
#include "features/counts.h"
#include "features/dedup.h"
#include "features/experiment_tally.h"
#include "features/exposure.h"
#include "features/exposure_token.h"
#include "features/frequency.h"
#include "features/giving.h"
#include "features/interaction.h"
#include "features/invalid_traffic.h"
#include "features/item_state.h"
#include "features/ledger.h"
#include "features/program_totals.h"
#include "features/state_machine.h"
#include "features/user_state.h"
#include "features/viewer.h"
#include "features/viewer_table.h"

namespace shanhuo {

struct FeatureStoreOptions {
  ViewerTableOptions viewers;
  ProfileOptions profile;
  FrequencyOptions frequency;
  ItemStateOptions items;
  ExposureOptions exposure;
  LedgerOptions ledger;
  ProgramTotalsOptions programs;
  InvalidTrafficOptions invalid;
  ExperimentTallyOptions experiments;
  size_t viewable_entries_max = 50'000'000;  // remembered (user, item, program, half hour); 24.5 h
  size_t token_entries_max = 20'000'000;     // remembered tokens; 72 h
  uint32_t partitions = 1;                   // of the interactions; each has its own memory of both
};

// An applied event, as observers see it: what it was, and what it counted for.
struct Counted {
  const Interaction& event;
  const FoldContext& context;
  ItemIndex item = kNoItem;
  const CatalogueItem* known = nullptr;  // nullptr: the catalogue does not have the item
  const ExposureToken* token = nullptr;  // the valid one it carried, else nullptr
  bool served = false;
  bool viewable = false;
  // By position in token->programs: the viewable exposure is new for that program.
  std::array<bool, kProgramsPerItemMax> program_viewable{};
  Counts counts{};  // all that was added; amount_fen is the change of income
};

// Called for every applied event that is not late, on the fold's thread, in log order, after the
// store has changed. Pointers are valid during the call. Must be deterministic.
class FoldObserver {
 public:
  virtual ~FoldObserver() = default;
  virtual void observe(const Counted& counted) = 0;
  // What an observed event counted has been taken back: its viewer was found invalid.
  virtual void take_back(const Contribution& /*contribution*/) {}
};

struct FeatureStoreStats {
  std::array<uint64_t, kEventTypes> applied{};  // since the start of the process, without late ones
  uint64_t late = 0;
  uint64_t bad_tokens = 0;
  uint64_t token_expired = 0;
  uint64_t unknown_items = 0;      // events of items that the catalogue did not have
  uint64_t bad_exposures = 0;      // exposures of experiments whose bytes did not hold
  uint64_t viewable_repeated = 0;  // would have been viewable, but was counted before
  uint64_t dedup_forgotten = 0;    // by the budgets of viewable and token memory
  ViewerTableStats table;
  uint64_t viewers = 0, viewers_refused = 0, insertions_dropped = 0;  // insertions: frequency.h
  uint64_t buckets_dropped = 0, hours_moved_early = 0, supplements = 0;
  std::array<uint64_t, kInvalidReasons> invalid{};  // events that counted for nothing, by reason
  uint64_t taken_back = 0;                          // events that had counted
  uint64_t taken_back_partly = 0;  // of those, whose hour had left the memory of the rollups
  uint64_t orders_flagged = 0;     // orders and refunds of invalid viewers; they count
  uint64_t invalid_unwatched = 0, invalid_forgotten = 0;  // invalid_traffic.h
  uint64_t orders_refused = 0, program_rows_refused = 0, items_refused = 0;
  size_t viewer_bytes = 0, item_bytes = 0, exposure_bytes = 0, ledger_bytes = 0, program_bytes = 0,
         dedup_bytes = 0, interner_bytes = 0, invalid_bytes = 0;
};

class FeatureStore final : public StateMachine, public Checkpointed, public ItemRatesReader {
 public:
  // All references must outlive the store. `keys` may be replaced at any time.
  FeatureStore(const FeatureStoreOptions& options, Interner& interner,
               const CatalogueState& catalogue, const Published<TokenKeys>& keys);

  // See ViewerTable::keep_cold_in().
  void keep_cold_in(const StateReader& store) { viewers_.keep_cold_in(store); }
  // Before the first apply(); checkpointed by its owner. Orders reach it late or not, deeds unless
  // they are late or invalid.
  void set_giving(GivingBook* giving) { giving_ = giving; }
  // Before the first apply().
  void add_observer(FoldObserver* observer) { observers_.push_back(observer); }

  void expect(const Interaction& event, uint32_t partition) override;
  [[nodiscard]] DeadReason apply(const Interaction& event, const FoldContext& context) override;
  // Erases the profile, the frequency entries and the name in the ledger. Counts stay; sketches
  // hold 32-bit hashes of viewers, from which nothing can be taken out (sketch.h).
  void forget(std::string_view user_id) override;
  void control(std::string_view key, std::string_view value, Millis watermark) override;
  void expose(std::string_view user_id, std::string_view exposure) override;
  Result<StateRoom> make_room() override;

  // Readers, from any thread.
  ViewerState viewer(std::string_view user_id) const;
  ItemRates rates(ItemIndex item) const override { return items_.rates(item); }
  void prefetch(ItemIndex item) const override { items_.prefetch_rates(item); }
  ItemWindows windows(ItemIndex item) const { return items_.windows(item); }
  ItemWindows windows(std::span<const ItemIndex> items) const { return items_.windows(items); }
  std::vector<ItemIndex> popular(size_t n) const { return items_.popular(n); }
  Result<ExposureReport> exposure(const ExposureQuery& query, const Catalogue& catalogue,
                                  const StateReader& reader) const {
    return exposure_.query(query, catalogue, reader);
  }
  // Different viewers of the items in the 24 h and 7 d windows of windows(); items that the
  // catalogue does not have are left out. As exposure() does.
  struct UniqueViewers {
    int64_t day = 0, week = 0;
  };
  Result<UniqueViewers> unique_viewers(std::span<const ItemIndex> items, const Catalogue& catalogue,
                                       const StateReader& reader) const;
  const ProgramTotals& programs() const { return programs_; }
  LedgerTotals ledger_totals(ItemIndex item) const { return ledger_.item_totals(item); }
  const ExperimentTally& experiments() const { return experiments_; }
  // Thread-safe of its own: ranking records here what it inserted.
  FrequencyLedger& frequency() { return frequency_; }
  const FrequencyLedger& frequency() const { return frequency_; }
  // Largest event time that counted; restored with the rest.
  Millis watermark() const { return items_.watermark(); }
  FeatureStoreStats stats() const;

  // The interner and the catalogue are not part of it: restore those first.
  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  void checkpoint_committed() override { viewers_.checkpoint_committed(); }
  Status restore(const StateReader& reader) override;

 private:
  // An event that apply() will get soon, as far as its state can be found beforehand.
  struct Expected {
    uint64_t user_hash = 0, item_hash = 0;
    ItemIndex item = kNoItem;
    Millis ts;
    bool interest = false;  // it moves the viewer's interest
  };
  static constexpr size_t kExpected = 16;

  // True: the event counts for nothing.
  bool judged_invalid(const Interaction& event, const FoldContext& context, ItemIndex item,
                      uint64_t user_hash);
  void take_back(const Contribution& contribution, uint64_t user_hash);
  void give_money(const Interaction& event, ItemIndex item, bool late);
  void decide_viewable(Counted* counted, uint64_t user_hash);
  void add_everywhere(const Counted& counted, uint64_t user_hash);
  void add_programs(const Counted& counted);

  const FeatureStoreOptions options_;
  Interner& interner_;
  const CatalogueState& catalogue_;
  const Published<TokenKeys>& keys_;

  ViewerTable viewers_;
  FrequencyLedger frequency_;
  ItemState items_;
  ExposureRollups exposure_;
  Ledger ledger_;
  ProgramTotals programs_;
  ExperimentTally experiments_;
  std::vector<std::unique_ptr<Deduplicator>> viewable_, tokens_;  // by partition
  std::vector<std::unique_ptr<InvalidTraffic>> invalid_;          // by partition
  std::vector<Checkpointed*> parts_;
  std::vector<FoldObserver*> observers_;
  GivingBook* giving_ = nullptr;

  Millis watermark_{INT64_MIN};  // largest given; the fold's thread only, as the two below
  int64_t swept_minute_ = INT64_MIN;
  size_t checkpoint_part_ = 0;
  std::array<Expected, kExpected> expected_;  // the last ones, by expected_count_
  size_t expected_count_ = 0;

  std::array<std::atomic<uint64_t>, kEventTypes> applied_{};
  std::atomic<uint64_t> late_{0}, bad_tokens_{0}, token_expired_{0}, unknown_items_{0},
      bad_exposures_{0}, viewable_repeated_{0}, taken_back_{0}, taken_back_partly_{0},
      orders_flagged_{0};
  std::array<std::atomic<uint64_t>, kInvalidReasons> invalid_events_{};
};

}  // namespace shanhuo
