// What the benches of the whole engine share: an engine in a folder of its own, a hundred thousand
// boostable goods with titles made of the shipped catalogue, programs over them, and viewers whose
// events follow tastes. Everything comes from seeds; run from the project's root.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "serving/engine.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {

inline bool bench_smoke() { return std::getenv("SHANHUO_BENCH_SMOKE") != nullptr; }
inline constexpr Millis kBenchStart{1'790'000'000'000};  // 2026-09-21

// The line that scripts/bench.sh's reader looks for.
inline void print_figure(const char* name, double value, const char* unit, const char* target) {
  std::printf("figure %-18s %12.3f %-8s (target %s)\n", name, value, unit, target);
}

// Data rows of a tab-separated file of configs/catalogue.
inline std::vector<std::vector<std::string>> read_catalogue_rows(const std::string& file) {
  std::ifstream in("configs/catalogue/" + file);
  CHECK(in.good());
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> cells;
    std::stringstream text(line);
    for (std::string cell; std::getline(text, cell, '\t');) cells.push_back(cell);
    rows.push_back(std::move(cells));
  }
  return rows;
}

// Goods of real counties in many versions, as shops list them.
class BenchCatalogue {
 public:
  explicit BenchCatalogue(size_t items) {
    static const std::vector<std::string> kWords = {
        "新鲜现摘", "产地直发", "顺丰包邮", "农家自种", "高山",  "特级",  "精选",   "礼盒装",
        "当季",     "坏果包赔", "老乡推荐", "有机",     "2斤装", "5斤装", "10斤装", "家庭装"};
    std::map<std::string, std::vector<std::string>> kinds;
    for (const auto& row : read_catalogue_rows("kinds.tsv")) kinds[row[0]] = row;
    const auto goods = read_catalogue_rows("goods.tsv");
    std::mt19937_64 random(7);
    for (size_t i = 0; i < items; ++i) {
      const auto& good = goods[i % goods.size()];
      const auto& kind = kinds.at(good[2]);
      Item item;
      item.id = ItemId("good-" + std::to_string(i));
      item.kind = ItemKind::kFarmGood;
      item.title = good[1];
      for (int w = 0; w < 3; ++w) item.title += " " + kWords[random() % kWords.size()];
      item.county = good[0];
      item.category = kind[1];
      item.tags = {kind[2]};
      item.creator_id = CreatorId("shop-" + good[0] + "-" + std::to_string(random() % 4));
      item.price = Fen(static_cast<int64_t>(990 + random() % 9000));
      item.published_at = kBenchStart - Millis(static_cast<int64_t>(random() % 8'000'000'000));
      items_.push_back(std::move(item));
      if (std::find(categories_.begin(), categories_.end(), kind[1]) == categories_.end()) {
        categories_.push_back(kind[1]);
      }
    }
  }
  const std::vector<Item>& items() const { return items_; }
  const std::vector<std::string>& categories() const { return categories_; }

 private:
  std::vector<Item> items_;
  std::vector<std::string> categories_;
};

// One program per category, each with a goal, a slot range and caps.
inline void write_bench_programs(const std::string& folder,
                                 const std::vector<std::string>& categories) {
  std::filesystem::create_directories(folder);
  for (const std::string& category : categories) {
    std::ofstream out(folder + "/boost-" + category + ".yaml");
    out << "id: boost-" << category << "\n"
        << "items: {kind: farm_good, category: " << category << "}\n"
        << "surfaces: [feed]\n"
        << "schedule: {start: 2026-09-01T00:00:00+08:00, end: 2027-09-01T00:00:00+08:00}\n"
        << "goals:\n"
        << "  - {unit: viewable, at_least: 100000000, per: total, missed_value_fen: 3}\n"
        << "placement: {first_slot: 3, last_slot: 19, per_request_max: 1, min_gap: 5}\n"
        << "frequency: [{scope: item, window_s: 86400, max: 2},"
        << " {scope: program, window_s: 86400, max: 6}]\n";
  }
}

// Event n of a plausible feed by `users` viewers, each drawn to a few goods.
class BenchEvents {
 public:
  BenchEvents(size_t users, size_t items) : users_(users), items_(items) {}

  std::string encode(int64_t n) const {
    const uint64_t draw = mix64(static_cast<uint64_t>(n) + 1);
    const size_t user = static_cast<size_t>(n) % users_;
    const std::string user_id = user_of(user);
    const std::string event_id = "ev-" + std::to_string(n);
    const std::string item_id = "good-" + std::to_string(item_for(user, draw));
    static constexpr EventType kMix[] = {EventType::kImpression, EventType::kImpression,
                                         EventType::kImpression, EventType::kClick,
                                         EventType::kPlay,       EventType::kLike};
    Interaction event;
    event.type = kMix[draw % std::size(kMix)];
    event.surface = Surface::kFeed;
    event.event_id = event_id;
    event.user_id = user_id;
    event.item_id = item_id;
    event.ts = kBenchStart + Millis(n / 100);
    event.viewable_ms = event.type == EventType::kImpression ? 1'500 : -1;
    event.watch_ms = event.type == EventType::kPlay ? 8'000 : -1;
    std::string out;
    encode_event(event, out);
    return out;
  }
  static std::string user_of(size_t n) { return "viewer-" + std::to_string(n); }

 private:
  // Mostly versions of the few goods that the viewer likes, else anything.
  size_t item_for(size_t user, uint64_t draw) const {
    constexpr size_t kGoods = 1'000;  // of the catalogue; a good's versions lie that far apart
    if (items_ <= kGoods || draw % 4 == 0) return (draw >> 8) % items_;
    const uint64_t taste = mix64(user * 8 + (draw >> 4) % 3);
    const size_t versions = items_ / kGoods;
    return taste % kGoods + kGoods * ((draw >> 20) % versions);
  }

  const size_t users_, items_;
};

// An engine on a caller's clock in `dir`.
class BenchEngine {
 public:
  explicit BenchEngine(const std::string& dir, const std::function<void(EngineOptions&)>& set = {})
      : dir_(dir) {
    std::filesystem::create_directories(dir + "/configs/programs");
    options.data_dir = dir + "/data";
    options.clock = ClockKind::kCaller;
    if (set) set(options);
  }

  void open() {
    auto opened = Engine::open(options, dir_ + "/configs", clock_);
    if (!opened.ok()) {
      std::fprintf(stderr, "engine: %s\n", opened.error().message.c_str());
      std::abort();
    }
    engine = std::move(opened).value();
  }
  void write_programs(const std::vector<std::string>& categories) {
    write_bench_programs(dir_ + "/configs/programs", categories);
  }
  void wait_ready() const {
    std::string why;
    while (!engine->ready(why)) usleep(1'000);
  }
  void put(const std::vector<Item>& items) const {
    constexpr size_t kCall = 10'000;
    for (size_t first = 0; first < items.size(); first += kCall) {
      const auto begin = items.begin() + static_cast<std::ptrdiff_t>(first);
      const auto count = std::min(kCall, items.size() - first);
      const std::vector<CatalogueChange> changes(begin, begin + static_cast<std::ptrdiff_t>(count));
      CHECK(engine->change_catalogue(changes).ok());
    }
  }
  // Appends events [first, last) of `events`, and waits until they are folded.
  void send(const BenchEvents& events, int64_t first, int64_t last) const {
    int64_t end = 0;
    while (first < last) {
      std::vector<std::string> values;
      for (int n = 0; n < 5'000 && first < last; ++n) values.push_back(events.encode(first++));
      std::vector<AppendRecord> records;
      for (const std::string& value : values) records.push_back({"", value});
      std::promise<int64_t> durable;
      engine->append_events(records, [&](const Result<Appended>& spans) {
        CHECK(spans.ok());
        durable.set_value(spans.value().front().last_offset + 1);
      });
      end = durable.get_future().get();
    }
    CHECK(end == 0 || engine->pipeline().wait_applied(Topic::kInteractions, 0, end - 1, 600'000));
  }

  EngineOptions options;

 private:
  const std::string dir_;
  const WallClock clock_;

 public:
  std::unique_ptr<Engine> engine;  // last: it uses the clock to its end
};

}  // namespace shanhuo
