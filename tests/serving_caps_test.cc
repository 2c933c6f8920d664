// Caps when requests come at once: threads ask the public API for pages of the same viewers and of
// the same program; what the answers hold together is within every cap.
#include <atomic>
#include <set>
#include <thread>

#include "tests/rebuild_world.h"

namespace shanhuo {
namespace {

constexpr int kThreads = 4, kPagesEach = 20, kGoods = 8;

class Caps : public testing::Test {
 protected:
  void open(const std::string& goals, const std::string& frequency) {
    std::filesystem::create_directories(dir_ / "configs/programs");
    std::ofstream(dir_ / "configs/programs/goods.yaml")
        << "id: goods\nname: {zh-CN: 山货, en: Farm goods}\nitems: {kind: farm_good}\n"
           "surfaces: [feed, live_room]\n"
           "schedule: {start: 2020-01-01T00:00:00+08:00, end: 2040-01-01T00:00:00+08:00}\n"
        << "goals: [" << goals << "]\n"
        << "placement: {first_slot: 0, last_slot: 19, per_request_max: 1, min_gap: 1}\n"
        << "room: {window_s: 3600, max: 1, hold_ms: 180000}\n"
        << "frequency: [" << frequency << "]\n"
        << "label: {kind: public_good, zh-CN: 助农好物, en: Farm good}\n";
    EngineOptions options;
    options.data_dir = dir_ / "data";
    options.clock = ClockKind::kCaller;
    options.ranking.user_loss_budget = 0.5;
    options.ranking.explore_probability = 0;
    options.api.rank_timeout_ms = 60'000;
    live_ = std::make_unique<LiveEngine>(options, dir_ / "configs");
    Traffic(*live_).put_items(0, kGoods, "mountain goods");
    // Until the world knows the goods.
    const int64_t give_up_ns = monotonic_ns() + 60'000'000'000;
    for (int n = 0; boosts("early-" + std::to_string(n), "early", "").empty(); ++n) {
      ASSERT_LT(monotonic_ns(), give_up_ns);
    }
    ++early_;
  }

  // Goods that the answer boosts.
  std::vector<std::string> boosts(const std::string& request, const std::string& user,
                                  const std::string& room) {
    std::string body = R"({"request_id":")" + request + R"(","user_id":")" + user +
                       R"(","surface":")" + (room.empty() ? "feed" : "live_room") +
                       R"(","count":6,"now_ms":)" + std::to_string(kStart);
    if (!room.empty()) body += R"(,"room":{"room_id":")" + room + R"(","lineup":[]})";
    body +=
        R"(,"candidates":[{"item_id":"stranger","score":0.05},{"item_id":"other","score":0.04})";
    for (int n = 0; n < kGoods; ++n) {
      body += R"(,{"item_id":"good-)" + std::to_string(n) + R"(","score":0.03})";
    }
    const HttpResponse page = live_->ask("POST", "/v1/rank", body + "]}");
    EXPECT_EQ(page.status, 200) << page.body;
    json::Document document;
    const json::Value answer = document.parse(page.body).value();
    std::vector<std::string> goods;
    for (const json::Value item : answer.find("items").elements()) {
      std::string_view id, token;
      item.find("item_id").get(id);
      item.find("token").get(token);
      if (!token.empty()) goods.emplace_back(id);
    }
    return goods;
  }

  // Pages of `users` viewers from all threads at once: (viewer, good) of each boost.
  std::vector<std::pair<std::string, std::string>> ask_at_once(int users) {
    std::vector<std::vector<std::pair<std::string, std::string>>> found(kThreads);
    std::vector<std::thread> threads;
    std::atomic<int> ready{0};
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (++ready; ready.load() < kThreads;) std::this_thread::yield();
        for (int n = 0; n < kPagesEach; ++n) {
          const std::string user = "viewer-" + std::to_string((n + t) % users);
          const std::string request = "r-" + std::to_string(t) + "-" + std::to_string(n);
          for (const std::string& good : boosts(request, user, "")) {
            found[static_cast<size_t>(t)].emplace_back(user, good);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& some : found) all.insert(all.end(), some.begin(), some.end());
    return all;
  }

  TempDir dir_;
  std::unique_ptr<LiveEngine> live_;
  int early_ = 0;  // boosts before the threads began
};

TEST_F(Caps, AViewersFrequencyCapsHoldAmongRequestsThatComeAtOnce) {
  ASSERT_NO_FATAL_FAILURE(open("{unit: viewable, at_least: 1000000, missed_value_fen: 1000}",
                               "{scope: item, window_s: 86400, max: 1}, "
                               "{scope: program, window_s: 86400, max: 5}"));
  std::map<std::string, int> by_viewer;
  std::set<std::pair<std::string, std::string>> goods;
  for (const auto& boost : ask_at_once(2)) {
    EXPECT_TRUE(goods.insert(boost).second) << boost.first << " saw " << boost.second << " twice";
    ++by_viewer[boost.first];
  }
  EXPECT_EQ(by_viewer.size(), 2U);
  for (const auto& [viewer, count] : by_viewer) EXPECT_LE(count, 5) << viewer;
}

TEST_F(Caps, AProgramsHardCapHoldsAmongRequestsThatComeAtOnce) {
  ASSERT_NO_FATAL_FAILURE(
      open("{unit: viewable, at_least: 10, at_most: 12, missed_value_fen: 1000}",
           "{scope: item, window_s: 86400, max: 200}"));
  const auto found = ask_at_once(kThreads * kPagesEach);
  EXPECT_GT(found.size(), 0U);
  EXPECT_LE(found.size() + static_cast<size_t>(early_), 12U);
}

// What a room shows is the room's: the same for everybody, also for a viewer who has had enough of
// the good; it counts for that viewer, whose own pages then do without it.
TEST_F(Caps, ARoomsGoodIsTheSameForAViewerAtTheCapAndCountsOnceForTheirOwnPages) {
  ASSERT_NO_FATAL_FAILURE(open("{unit: viewable, at_least: 1000000, missed_value_fen: 1000}",
                               "{scope: program, window_s: 86400, max: 1}"));
  const std::vector<std::string> first = boosts("f-1", "full", "");
  ASSERT_EQ(first.size(), 1U);
  EXPECT_TRUE(boosts("f-2", "full", "").empty());
  const std::vector<std::string> room = boosts("r-1", "fresh", "room");
  ASSERT_EQ(room.size(), 1U);
  EXPECT_EQ(boosts("r-2", "full", "room"), room);
  EXPECT_EQ(boosts("r-3", "fresh", "room"), room);  // again in the window: no second time
  EXPECT_TRUE(boosts("f-3", "fresh", "").empty());
}

}  // namespace
}  // namespace shanhuo
