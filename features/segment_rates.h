// What viewers of one segment lately did with what was boosted to them: a surface, and a city on a
// surface. What is shown to somebody of whom nothing is known but that.
//
// Surface and city come with the exposure token, so that nothing is looked up and replay counts the
// same. Impressions and clicks decay by kRateHalfLife. A segment remembers kItems items: an item
// that is new to a full one takes the place of the one with the fewest clicks (of several, the one
// that was shown most) and begins at zero, so that both counts of an item always began together. At
// most `segments_max` segments; beyond, a new one is left out, which is counted. What an invalid
// viewer did is not taken out again: it decays.
//
// One writer (the fold); top() from any thread, and waits for the writer no longer than one event.
// Checkpointed: "sg" + key (8 bytes, big-endian).
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "features/dirty_list.h"
#include "features/item_state.h"

namespace shanhuo {

struct SegmentRatesOptions {
  size_t segments_max = 4'096;  // 1.6 kB each
};

// The 32-bit name of a city in tokens; 0: none.
inline uint32_t city_hash(std::string_view city) {
  return city.empty() ? 0 : static_cast<uint32_t>(hash64(city)) | 1U;
}
// Names a segment; `city` 0: everybody on the surface.
inline uint64_t segment_key(Surface surface, uint32_t city) {
  return hash_combine(static_cast<uint64_t>(surface), city);
}

class SegmentRates final : public Checkpointed {
 public:
  static constexpr size_t kItems = 64;

  struct ItemCounts {
    ItemIndex item = kNoItem;
    float impressions = 0, clicks = 0;
  };
  struct Segment {
    uint64_t key = 0;
    std::vector<ItemCounts> items;  // most clicks first; decayed to one moment
  };

  explicit SegmentRates(const SegmentRatesOptions& options) : options_(options) {}

  // A click of an item that the segment does not remember is dropped.
  void impression(uint64_t segment, ItemIndex item, Millis ts);
  void click(uint64_t segment, ItemIndex item, Millis ts);

  std::vector<Segment> top() const;
  uint64_t segments_refused() const;

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  struct Row {
    Millis as_of;  // of all counts
    std::array<ItemCounts, kItems> items{};
    uint8_t mark = 0;
  };
  using Entry = std::unordered_map<uint64_t, Row>::value_type;

  // nullptr: no room. Requires: mutex_ is held.
  Entry* touched(uint64_t segment, Millis ts);
  void save(const Entry& entry);

  const SegmentRatesOptions options_;
  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, Row> rows_;  // guarded by mutex_; changed by the writer only
  uint64_t refused_ = 0;                    // guarded by mutex_
  DirtyList<Entry*> dirty_;                 // writer only
  StateWriter* writer_ = nullptr;
};

}  // namespace shanhuo
