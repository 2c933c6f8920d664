// What must be equal in the end of a simulation, number by number: the engine's answers, asked as
// serving/ asks them, and the oracle's; and the bytes that one seed or one log must give.
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <utility>

#include "tests/simulation.h"

namespace shanhuo {

inline void PrintTo(const Counts& counts, std::ostream* out) {
  *out << "{served " << counts.served << " viewable " << counts.viewable << " clicks "
       << counts.clicks << " plays " << counts.plays << " watch_ms " << counts.watch_ms << " likes "
       << counts.likes << " orders " << counts.orders << " amount_fen " << counts.amount_fen
       << " boosted " << counts.boosted_viewable << "/" << counts.boosted_orders << "}";
}

inline void Simulation::compare() {
  ASSERT_TRUE(process_);
  compare_fold();
  compare_letters();
  compare_items();
  compare_rest();
  happened_.accepted += oracle_.accepted;
  happened_.late += oracle_.late;
  happened_.duplicate += oracle_.duplicate;
  happened_.dead += oracle_.dead;
}

inline void Simulation::compare_fold() const {
  const PipelineStats stats = process_->pipeline->stats();
  EXPECT_EQ(stats.accepted, stats.applied + stats.duplicate + stats.late + stats.dead);
  EXPECT_EQ(stats.accepted, oracle_.accepted);
  EXPECT_EQ(stats.applied, oracle_.applied);
  EXPECT_EQ(stats.duplicate, oracle_.duplicate);
  EXPECT_EQ(stats.late, oracle_.late);
  EXPECT_EQ(stats.dead, oracle_.dead);
  EXPECT_EQ(stats.dead_by_reason, oracle_.dead_by_reason);
  EXPECT_EQ(stats.forgotten, oracle_.forgotten);
  EXPECT_EQ(stats.catalogue_applied, oracle_.catalogue_applied);
  EXPECT_EQ(stats.catalogue_refused, oracle_.catalogue_refused);
  std::vector<int64_t> watermarks;
  for (const Millis watermark : stats.watermarks) watermarks.push_back(watermark.count());
  EXPECT_EQ(watermarks, oracle_.watermarks);
}

// One letter for each, with the bytes as they came.
inline void Simulation::compare_letters() const {
  std::map<std::string, std::string> reasons;
  for (const SimulatedLog::Record& record : letters_) {
    const Result<DeadLetter> letter = decode_dead_letter(record.value);
    ASSERT_TRUE(letter.ok());
    EXPECT_TRUE(reasons.emplace(record.key, letter.value().reason).second) << record.key;
    EXPECT_TRUE(
        meanings_.contains({letter.value().content, letter.value().key, letter.value().value}));
  }
  EXPECT_EQ(reasons, oracle_.letters);
}

inline void Simulation::compare_items() const {
  for (int i = 0; i < Traffic::kItems; ++i) {
    const std::string id = Traffic::item_name(static_cast<uint64_t>(i));
    const auto found = oracle_.items.find(id);
    compare_item(id, found == oracle_.items.end() ? FoldOracle::Item() : found->second);
    const ItemIndex index = process_->interner.find(id);
    if (index == kNoItem) continue;
    const auto wanted = oracle_.totals.find(id);
    const auto totals = wanted == oracle_.totals.end() ? FoldOracle::Totals() : wanted->second;
    const LedgerTotals got = process_->features->ledger_totals(index);
    EXPECT_EQ((FoldOracle::Totals{got.orders, got.ordered.count(), got.refunded.count()}), totals)
        << id;
  }
}

inline Counts sum_after(const std::map<int64_t, Counts>& counts, int64_t last, int64_t steps) {
  Counts sum;
  for (auto it = counts.upper_bound(last - steps); it != counts.end(); ++it) sum += it->second;
  sum.boosted_viewable = sum.boosted_orders = 0;
  return sum;
}

inline void Simulation::compare_item(const std::string& id, const FoldOracle::Item& want) const {
  SCOPED_TRACE(id);
  const ItemIndex index = process_->interner.find(id);
  if (index == kNoItem) {
    EXPECT_TRUE(want.hours.empty());
    return;
  }
  const auto catalogue = process_->catalogue.snapshot();
  const auto ask = [&](ExposureBy by) {
    const ExposureQuery query{.creator = CreatorId(),
                              .items = {index},
                              .from = Millis(0),
                              .to = kSimulatedStart + Millis(40 * 365 * kDay.count()),
                              .step = ExposureStep::kHour,
                              .by = by};
    const auto report =
        process_->features->exposure(query, *catalogue, process_->checkpoints->store());
    CHECK(report.ok());
    return report.value();
  };
  std::map<int64_t, Counts> hours;
  const ExposureReport surfaces = ask(ExposureBy::kSurface);
  for (const ExposurePoint& point : surfaces.series) {
    hours[point.ts.count() / FoldOracle::kHourMs] = point.numbers.counts;
  }
  EXPECT_EQ(hours, want.hours);
  EXPECT_EQ(surfaces.totals.unique_viewers, static_cast<int64_t>(want.viewers.size()));
  std::map<std::string, Counts> by_surface, want_surface;
  for (const auto& group : surfaces.groups) by_surface[group.key] = group.numbers.counts;
  for (const auto& [surface, counts] : want.surfaces) {
    want_surface[std::string(surface_name(static_cast<Surface>(surface)))] = counts;
  }
  EXPECT_EQ(by_surface, want_surface);
  for (const auto& [by, wanted] : {std::pair(ExposureBy::kProgram, want.programs),
                                   std::pair(ExposureBy::kVariation, want.variations)}) {
    std::map<uint32_t, Counts> groups;
    for (const auto& group : ask(by).groups) groups[group.hash] = group.numbers.counts;
    EXPECT_EQ(groups, wanted);
  }
  const ItemWindows windows = process_->features->windows(index);
  const int64_t end_ms = oracle_.windows_end_ms;
  EXPECT_EQ(windows.hour, sum_after(want.minutes, end_ms / 300'000, 12));
  EXPECT_EQ(windows.day, sum_after(want.hours, end_ms / FoldOracle::kHourMs, 24));
  EXPECT_EQ(windows.week, sum_after(want.hours, end_ms / FoldOracle::kHourMs, 168));
}

inline void Simulation::compare_rest() const {
  std::map<std::string, FoldOracle::Viewer> viewers;
  for (int i = 0; i < Traffic::kViewers; ++i) {
    const std::string user = "viewer-" + std::to_string(i);
    const ViewerState state = process_->features->viewer(user);
    if (state.known) viewers[user] = {state.events, state.last_event.count()};
  }
  EXPECT_EQ(viewers, oracle_.viewers);
  std::map<std::pair<uint32_t, int64_t>, FoldOracle::Program> programs;
  for (uint32_t program = 0; program <= Traffic::kPrograms + 4; ++program) {
    for (const auto& [day, counts] : process_->features->programs().days(program)) {
      programs[{program, day}] = {counts.viewable, counts.clicks, counts.orders};
    }
  }
  EXPECT_EQ(programs, oracle_.programs);
}

inline uint64_t Simulation::digest() const {
  uint64_t digest = 0;
  for (const auto& [key, value] : disk_.records) {
    digest = hash_combine(digest, hash_combine(hash64(key), hash64(value)));
  }
  for (const SimulatedLog::Record& letter : letters_) {
    digest = hash_combine(digest, hash64(letter.value));
  }
  return digest;
}

inline std::map<std::string, std::string> counted(const MemoryState& disk) {
  std::map<std::string, std::string> records;
  for (const auto& [key, value] : disk.records) {
    for (const std::string_view part : {"vp", "it", "in", "ci", "cc", "pg", "lg", "pl"}) {
      if (key.starts_with(part)) records.emplace(key, value);
    }
  }
  return records;
}

inline std::map<std::string, std::string> Simulation::counted_records() const {
  return counted(disk_);
}

inline std::map<std::string, std::string> Simulation::folded_again() {
  MemoryState disk;
  SimulatedTrouble none;
  Process process(world_, log_, disk, none, clock_);
  CHECK(process.pipeline->open().ok());
  do {
    CHECK(process.pipeline->turn() != Pipeline::Turn::kEnd);
    clock_.advance(Millis(100));
    static_cast<void>(process.checkpoints->write_pending());
  } while (!all_durable(process, disk));
  return counted(disk);
}

}  // namespace shanhuo
