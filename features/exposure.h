// Exposure rollups: what every item has done in every hour of its life, split by surface, program
// and variation. What creators see (contract 2.4) is made of these.
//
// A record belongs to (item, hour of event time). It holds one row of counts per dimension and key
// (the surface, always; each program and each variation of a valid token), and one sketch of the
// different viewers with a viewable exposure. Programs and variations go by their 32-bit hashes;
// names are the reader's business.
//
// Records of the present and the last kHotHours hours before the watermark live in memory and
// change there. A checkpoint moves older ones to disk, where they stay for good. Should an event
// still arrive for an hour that has left (partitions far apart, or memory over bytes_max, which
// moves the oldest hours early and is counted), it makes a supplement: another record of that hour,
// which queries add. So nothing is lost, and nothing is read back to be changed.
//
// One writer (the fold). query() from any thread: it takes the mutex for the copy of one item's hot
// hours at a time, and reads the disk without it. What a failed checkpoint still holds back is
// missing from answers until the next one succeeds.
//
// Checkpointed:
//   "exh" hour:i64 item_id              a hot record; restore() reads these
//   "exi" item_id 0x00 hour:i64 gen:u32 a record that has left (gen 0) or a supplement of it
//   "exm"                               first hour in memory, generation
// big-endian, hours with the sign bit flipped. Value: see exposure_record.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/huge_pool.h"
#include "base/result.h"
#include "features/catalogue.h"
#include "features/counts.h"
#include "features/dirty_list.h"
#include "features/exposure_record.h"
#include "features/exposure_token.h"
#include "features/interner.h"
#include "features/record_index.h"
#include "features/state_machine.h"

namespace shanhuo {

struct ExposureOptions {
  size_t bytes_max = 2'000'000'000;      // of hot records; an item and hour costs about 250
  size_t query_records_max = 2'000'000;  // of one query, disk and memory; each about 1 us
};

enum class ExposureStep : uint8_t { kHour, kDay };  // a day is one of UTC+8
enum class ExposureBy : uint8_t { kNone, kItem, kProgram, kSurface, kCounty, kVariation };
std::optional<ExposureStep> parse_exposure_step(std::string_view name);  // "hour", "day"
std::optional<ExposureBy> parse_exposure_by(std::string_view name);      // "item", ...

struct ExposureQuery {
  CreatorId creator{};             // all present items of this creator, when not empty
  std::vector<ItemIndex> items{};  // and these; what the catalogue does not have is left out
  Millis from, to;                 // whole hours: those that begin in [start of from's hour, to)
  ExposureStep step = ExposureStep::kDay;
  ExposureBy by = ExposureBy::kNone;
};

struct ExposureNumbers {
  Counts counts;
  // Different viewers with a viewable exposure (sketch.h states the error). Not known by surface,
  // program or variation: there the sketch is not kept.
  std::optional<int64_t> unique_viewers;
};
struct ExposurePoint {
  Millis ts;  // start of the step
  ExposureNumbers numbers;
};
struct ExposureGroup {
  std::string key;    // item id, surface name or county code ("": none); empty for hashes
  uint32_t hash = 0;  // program_hash() or variation_hash()
  ExposureNumbers numbers;
};
struct ExposureReport {
  ExposureNumbers totals;
  std::vector<ExposurePoint> series;  // steps in which anything happened, ascending
  std::vector<ExposureGroup> groups;  // ascending by key, then hash; empty for kNone
};

// What the rollups need to know of one event.
struct ExposureEvent {
  ItemIndex item = kNoItem;
  Millis ts;
  Surface surface = Surface::kNone;
  uint64_t user_hash = 0;
  Counts counts;
  const ExposureToken* token = nullptr;  // a valid one, or none
  // By position in token->programs: whether the viewable exposure counts for that program.
  std::array<bool, kProgramsPerItemMax> program_viewable{};
};

class ExposureRollups final : public Checkpointed {
 public:
  static constexpr int64_t kHotHours = 25;

  ExposureRollups(const ExposureOptions& options, Interner& interner)
      : options_(options), interner_(interner) {}

  // Hints to the processor that add() of this item and time comes soon: first where its record is,
  // then, some work later each time, the record, and its viewers. Writer only.
  void prefetch_index(ItemIndex item) const;
  void prefetch_record(ItemIndex item, Millis ts) const;
  void prefetch_viewers(ItemIndex item, Millis ts, uint64_t user_hash) const;
  void add(const ExposureEvent& event, Millis watermark);
  // Takes back what an earlier add() of an equal event counted; its viewer stays in the sketch.
  // False when the hour has left memory: then it stays counted.
  bool subtract(const ExposureEvent& event);

  // `reader` sees the last committed checkpoint. kTooLarge beyond query_records_max, kCorrupt when
  // a record on disk does not hold.
  Result<ExposureReport> query(const ExposureQuery& query, const Catalogue& catalogue,
                               const StateReader& reader) const;

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }  // of records in memory
  uint64_t moved_early() const { return moved_early_.load(std::memory_order_relaxed); }  // hours
  uint64_t supplements() const { return supplements_.load(std::memory_order_relaxed); }

  // Requires: the previous checkpoint, if it was committed at all, is readable by now.
  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  // Two cache lines: what nearly every event of the item and hour changes, and the way to the rest.
  struct alignas(64) Held {
    Held(ItemIndex of, std::pmr::memory_resource* memory) : item(of), record(memory) {}

    ItemIndex item;
    uint8_t mark = 0;
    ExposureRecord record;
  };
  static_assert(sizeof(Held) == 128);
  // The records of one hour, by item. They are never removed one by one, and never move.
  class Hour {
   public:
    explicit Hour(std::pmr::memory_resource* memory)
        : memory_(memory), index_(memory), slabs_(memory) {}

    uint32_t size() const { return size_; }
    Held& at(uint32_t number) { return slabs_[number / kSlabRecords][number % kSlabRecords]; }
    const Held& at(uint32_t number) const {
      return slabs_[number / kSlabRecords][number % kSlabRecords];
    }
    uint32_t find(ItemIndex item) const;  // kNone: there is no record
    uint32_t make(ItemIndex item);        // Requires: there is none
    static constexpr uint32_t kNone = RecordIndex::kNone;

    size_t bytes = 0;

   private:
    static constexpr size_t kSlabRecords = 256;
    static constexpr size_t kHeldBytes = sizeof(Held) + RecordIndex::kBytesPerRecordMax;

    std::pmr::memory_resource* memory_;
    RecordIndex index_;
    std::pmr::vector<std::pmr::vector<Held>> slabs_;
    uint32_t size_ = 0;
  };
  using Hours = std::map<int64_t, Hour>;
  // The record of an item in the latest hour that it has one of: nearly always the wanted one.
  struct Latest {
    int32_t hour = INT32_MIN;  // none: there is no such hour of event time
    uint32_t number = 0;
  };
  using Supplements = std::map<std::pair<ItemIndex, int64_t>, ExposureRecord>;
  struct Ref {
    int64_t hour;
    Held* held;
  };
  // One item's records of the asked hours: those in memory, and where the disk goes on.
  struct Slice {
    std::vector<std::pair<int64_t, ExposureRecord>> records;  // hour, record; in no order
    int64_t disk_before = INT64_MIN;                          // hours below it are on disk
    uint32_t generation = 0;  // supplements from this one on are in `records`
  };

  Hour& hour_at(int64_t hour);
  Held& held_at(int64_t hour, ItemIndex item);          // found or made
  const Held* likely(ItemIndex item, Millis ts) const;  // nullptr: it would take longer to find out
  static void add_to(const ExposureEvent& event, ExposureRecord* record);
  static void add_rows(const ExposureEvent& event, int64_t sign, ExposureRecord* record);
  void release_moved();
  void choose_moving();
  void save_hot(const Ref& ref);
  bool move_some(size_t records_max);
  bool write_supplements();
  Status restore_hot(std::string_view key, std::string_view value);
  Slice memory_slice(ItemIndex item, int64_t from, int64_t to) const;
  Status read_disk(std::string_view item_id, int64_t from, int64_t to, const StateReader& reader,
                   Slice* slice) const;

  const ExposureOptions options_;
  Interner& interner_;
  std::atomic<size_t> bytes_{0};
  std::atomic<uint64_t> moved_early_{0};
  std::atomic<uint64_t> supplements_{0};

  mutable std::mutex mutex_;  // guards what follows; only the writer changes it
  HugePool memory_;           // of the hours and latest_
  Hours hours_;
  int64_t hot_from_ = INT64_MIN;     // earlier hours do not change any more
  int64_t memory_from_ = INT64_MIN;  // earlier hours are on disk alone; <= hot_from_
  Supplements live_supplements_;
  Supplements
      frozen_supplements_;   // generation_ - 1, unless empty; in memory until readable on disk
  uint32_t generation_ = 1;  // of live_supplements_, once they are frozen

  int64_t watermark_hour_ = INT64_MIN;  // writer only, as all below
  int64_t last_hour_ = INT64_MIN;       // of last_
  Hour* last_ = nullptr;
  std::pmr::vector<Latest> latest_{&memory_};  // by item
  DirtyList<Ref> dirty_;
  StateWriter* writer_ = nullptr;
  Hours::iterator moving_hour_;  // where the running checkpoint's move stands
  uint32_t moving_record_ = 0;
  Supplements::iterator next_supplement_;
};

}  // namespace shanhuo
