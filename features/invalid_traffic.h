// Invalid traffic: which events count for nothing, and taking back what a viewer counted before it
// was known to be invalid (allocation.md, section 5: goals are on net).
//
// Rules, each decided inside the fold, by event time, from the events alone:
//   self_events     the viewer is the creator of the item: user_id equals the item's creator_id
//   watch_time      watch_ms or viewable_ms above factor * duration + grace (duration unknown:
//   above
//                   a day); or, if `watch_max` is set, the viewer's watch_ms of one window above it
//   rate            if `events_max` is set, more events of one viewer in one window than that
// A rule per device is not possible: events carry no device (contract 2.2).
//
// A window is floor(ts / window). A viewer that breaks rate or watch_max is invalid for that whole
// window, wherever in it the limit was passed: what it had counted there is taken back, and
// whatever still comes for that window counts for nothing. So the result does not depend on the
// order in which a window's events come. Windows are watched until the watermark of the partition
// is `take_back` past their end; an event older than that is judged by the other rules alone, and
// counted in unwatched().
//
// What counts for nothing: no rollup, no item counter, no program total, no goal, no profile, no
// observer; it uses up no token. It is "applied" in the accounts of the log, and its reason is
// counted. What is taken back leaves rollups, item counters, program totals and goals (prices see
// the remaining goal grow). Not taken back: the viewer's own profile, its place in sketches of
// unique viewers (nothing can be removed from one), labels that calibration has learned, and the
// memory of used tokens. Orders and refunds are money: never dropped and never taken back, only
// counted as flagged when their viewer is invalid.
//
// Memory: about 130 bytes a viewer and window, and 8 to 50 bytes for each event that counted
// something there. Beyond viewers_max a viewer is not watched in that window (unwatched()), beyond
// remembered_bytes_max a contribution cannot be taken back (forgotten()). Viewers go by a 64-bit
// hash: that two of n share one in a window has probability n^2 / 2^65.
//
// One object serves one log partition and belongs to the fold's thread; counters from any thread.
// Checkpointed:
//   "iv" partition:u32 window:i64 viewer:u64 (big-endian, the window's sign bit flipped)
//        -> events:varint watch_ms:zigzag reason:u8 contribution*
//   contribution := type:4 bits, viewable, boosted:1 bit each, 0  surface:u8 item:varint
//                   offset in the window:varint watch_ms:varint
//                   [programs:u8 of them new:u8 variations:u8 hash:u32*]     when boosted
// Equal events give equal bytes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "features/catalogue.h"
#include "features/counts.h"
#include "features/dirty_list.h"
#include "features/exposure_token.h"
#include "features/interaction.h"
#include "features/state_machine.h"

namespace shanhuo {

enum class InvalidReason : uint8_t { kNone, kSelf, kWatchTime, kRate };
inline constexpr int kInvalidReasons = 4;
std::string_view invalid_reason_name(InvalidReason reason);  // "self_events", ...; "" for kNone

struct InvalidTrafficOptions {
  bool self_events = true;
  double watch_duration_factor = 20;  // a loop; 0: rule off
  Millis watch_grace{3'600'000};
  Millis watch_max{0};    // of one viewer in one window; 0: off
  size_t events_max = 0;  // of one viewer in one window; 0: off
  // Together at most 24 h, the age up to which rollups are in memory.
  Millis window{3'600'000};
  Millis take_back{3'600'000};
  size_t viewers_max = 2'000'000;  // viewers and windows, about 130 bytes each
  size_t remembered_bytes_max = 268'435'456;

  bool watches() const { return events_max > 0 || watch_max.count() > 0; }
};

// What one event counted, enough to take it back.
struct Contribution {
  EventType type = EventType::kImpression;
  Surface surface = Surface::kNone;
  ItemIndex item = kNoItem;
  Millis ts;
  int64_t watch_ms = 0;
  bool viewable = false;
  bool boosted = false;  // a valid token named the programs and variations
  std::array<uint32_t, kProgramsPerItemMax> programs{};
  std::array<bool, kProgramsPerItemMax> program_viewable{};
  std::array<uint32_t, kVariationsPerTokenMax> variations{};

  Counts counts() const;  // without orders and amounts
  bool operator==(const Contribution&) const = default;
};

class InvalidTraffic final : public Checkpointed {
 public:
  struct Verdict {
    InvalidReason reason = InvalidReason::kNone;
    std::vector<Contribution> taken_back;  // when the viewer became invalid with this event
  };

  InvalidTraffic(uint32_t partition, const InvalidTrafficOptions& options)
      : options_(options), partition_(partition) {}

  // Judges an event that is not late. `item` is null when the catalogue does not know it.
  Verdict judge(const Interaction& event, const CatalogueItem* item, uint64_t user_hash,
                Millis watermark);
  // Remembers what the event that was judged last counted. Requires: it was valid.
  void remember(const Contribution& contribution);
  void forget(uint64_t user_hash);

  uint64_t unwatched() const { return unwatched_.load(std::memory_order_relaxed); }
  uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  struct Row {
    uint64_t events = 0;
    int64_t watch_ms = 0;
    InvalidReason reason = InvalidReason::kNone;
    uint8_t mark = 0;
    std::string contributions;
  };
  using Rows = std::unordered_map<uint64_t, Row>;  // by hash of the viewer
  struct Ref {
    int64_t window = 0;
    uint64_t user = 0;
    Row* row = nullptr;
  };

  InvalidReason judge_alone(const Interaction& event, const CatalogueItem* item) const;
  Rows& rows_of(int64_t window);
  bool find_row(int64_t window, uint64_t user_hash);
  void expire(Millis watermark);
  void touch(const Ref& ref);
  void save(const Ref& ref);
  std::string key_of(const Ref& ref) const;
  std::vector<Contribution> decode(int64_t window, std::string_view bytes) const;
  Status restore_row(std::string_view key, std::string_view value);

  const InvalidTrafficOptions options_;
  const uint32_t partition_;
  std::map<int64_t, Rows> windows_;  // rows of expired ones stay until a checkpoint erased them
  int64_t first_ = INT64_MIN;        // windows before it are expired
  size_t rows_ = 0, remembered_bytes_ = 0;  // of those that are not
  std::map<int64_t, Rows>::value_type* last_window_ = nullptr;
  Ref last_;  // of the event judged last; row null: not watched
  std::atomic<uint64_t> unwatched_{0}, forgotten_{0};
  std::atomic<size_t> bytes_{0};

  DirtyList<Ref> dirty_;
  StateWriter* writer_ = nullptr;
  int64_t erased_before_ = INT64_MIN;  // windows that the running or last checkpoint erases
  std::map<int64_t, Rows>::iterator erasing_window_;
  Rows::iterator erasing_row_;
};

}  // namespace shanhuo
