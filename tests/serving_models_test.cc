// Trained models in a running engine, from the outside: chosen, swapped under load, taken back,
// refused; and pages that follow what a viewer does.
#include <atomic>
#include <set>
#include <thread>

#include "base/random.h"
#include "models/text_encoder.h"
#include "serving/model_folder.h"
#include "tests/rebuild_world.h"

namespace shanhuo {
namespace {

constexpr int kGoods = 40, kAxes = 4;

class Models : public testing::Test {
 protected:
  Models() {
    std::filesystem::create_directories(dir_ / "configs/programs");
    std::filesystem::create_directories(dir_ / "data/models");
    std::ofstream(dir_ / "configs/programs/goods.yaml")
        << "id: goods\nname: {zh-CN: 山货, en: Farm goods}\nitems: {kind: farm_good}\n"
           "surfaces: [feed]\n"
           "schedule: {start: 2020-01-01T00:00:00+08:00, end: 2040-01-01T00:00:00+08:00}\n"
           "goals: [{unit: viewable, at_least: 1000000, missed_value_fen: 1}]\n"
           "placement: {first_slot: 0, last_slot: 19, per_request_max: 1, min_gap: 1}\n"
           "label: {kind: public_good, zh-CN: 助农好物, en: Farm good}\n";
    options_.data_dir = dir_ / "data";
    options_.clock = ClockKind::kCaller;
    options_.ranking.category_slope = options_.ranking.county_slope = 0;
    options_.ranking.creator_slope = options_.ranking.explore_probability = 0;
    options_.api.rank_timeout_ms = 60'000;
    write("spring", [](int good) { return good % kAxes; });
    write("autumn", [](int good) { return good / (kGoods / kAxes); });
  }

  // A model in which the goods of an axis are near each other and far from all others.
  void write(const std::string& version, const std::function<int(int)>& axis_of) {
    VectorModelParts parts;
    parts.version = version;
    Random random(7);
    for (int good = 0; good < kGoods; ++good) {
      parts.items.push_back("good-" + std::to_string(good));
      parts.evidence.push_back(1'000);
      Vector vector{};
      for (float& x : vector) x = static_cast<float>(0.02 * random.normal());
      vector[static_cast<size_t>(axis_of(good))] += 1;
      normalise(vector);
      parts.histories.insert(parts.histories.end(), vector.begin(), vector.end());
    }
    parts.candidates = parts.histories;
    const Status written = write_model(dir_ / ("data/models/" + version), parts, {});
    ASSERT_TRUE(written.ok()) << written.error().message;
  }

  void open() {
    live_.reset();
    live_ = std::make_unique<LiveEngine>(options_, dir_ / "configs");
    Traffic(*live_).put_items(0, kGoods, "mountain goods");
    const int64_t give_up_ns = monotonic_ns() + 60'000'000'000;
    for (std::string why; !live_->engine->ready(why) || page("nobody").size() < 10;) {
      ASSERT_LT(monotonic_ns(), give_up_ns) << why;
    }
  }

  void click(const std::string& user, int good) {
    const std::string number = std::to_string(++events_);
    const HttpResponse answer =
        live_->ask("POST", "/v1/events",
                   R"({"events":[{"event_id":"e)" + number + R"(","type":"click","user_id":")" +
                       user + R"(","item_id":"good-)" + std::to_string(good) + R"(","ts_ms":)" +
                       std::to_string(kStart + events_) + "}]}");
    ASSERT_EQ(answer.status, 202);
    const int64_t end = live_->engine->log().end_offset(Topic::kInteractions, 0);
    ASSERT_TRUE(live_->engine->pipeline().wait_applied(Topic::kInteractions, 0, end - 1, 60'000));
  }

  // The goods of a page without an organic list, best first; thread-safe.
  std::vector<int> page(const std::string& user) {
    std::string model;
    return page(user, model);
  }
  std::vector<int> page(const std::string& user, std::string& model) {
    const HttpResponse answer =
        live_->ask("POST", "/v1/rank",
                   R"({"request_id":"r)" + std::to_string(++requests_) + R"(","user_id":")" + user +
                       R"(","surface":"feed","count":10,"candidates":[],"now_ms":)" +
                       std::to_string(kStart + 1'000) + "}");
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_THAT(answer.body, testing::HasSubstr(R"("degraded":[])"));
    json::Document document;
    const json::Value body = document.parse(answer.body).value();
    std::string_view version;
    body.find("versions").find("model").get(version);
    model = version;
    std::vector<int> goods;
    for (const json::Value item : body.find("items").elements()) {
      std::string_view id;
      item.find("item_id").get(id);
      goods.push_back(std::stoi(std::string(id.substr(5))));
    }
    return goods;
  }
  std::string served() {
    std::string model;
    page("nobody", model);
    return model;
  }

  HttpResponse use(const std::string& version) {
    return live_->ask("PUT", "/v1/models/current", R"({"version":")" + version + R"("})");
  }

  TempDir dir_;
  EngineOptions options_;
  std::unique_ptr<LiveEngine> live_;
  int events_ = 0;
  std::atomic<int> requests_{0};
};

TEST_F(Models, TheChosenOneServesTheNextPageAndTheOldOneComesBack) {
  ASSERT_NO_FATAL_FAILURE(open());
  EXPECT_EQ(served(), "text-1");
  for (const int good : {0, 4, 8}) ASSERT_NO_FATAL_FAILURE(click("anna", good));
  const auto by_text = [&] {  // good-0 and its like are fruit, whose numbers are even
    for (const int good : page("anna")) EXPECT_EQ(good % 2, 0) << good;
  };
  by_text();
  const HttpResponse used = use("spring");
  EXPECT_EQ(used.status, 200) << used.body;
  EXPECT_EQ(served(), "spring");
  const std::vector<int> spring = page("anna");
  for (const int good : spring) EXPECT_EQ(good % kAxes, 0) << good;
  EXPECT_EQ(use("autumn").status, 200);
  for (const int good : page("anna")) EXPECT_LT(good, kGoods / kAxes) << good;
  EXPECT_EQ(use("spring").status, 200);
  EXPECT_EQ(page("anna"), spring);
  EXPECT_EQ(live_->engine->changes().last("model", "current", 1).at(0).what,
            "version: autumn -> spring");
  EXPECT_EQ(use("text-1").status, 200);
  EXPECT_EQ(served(), "text-1");
  by_text();
}

// What happens is in the vector at once: nothing is trained in between.
TEST_F(Models, APageFollowsAChangeOfTasteWithinOneRequest) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_EQ(use("spring").status, 200);
  for (const int good : {1, 5, 9, 13}) ASSERT_NO_FATAL_FAILURE(click("ben", good));
  for (const int good : page("ben")) EXPECT_EQ(good % kAxes, 1);
  for (const int good : {2, 6}) ASSERT_NO_FATAL_FAILURE(click("ben", good));
  std::set<int> axes;
  for (const int good : page("ben")) axes.insert(good % kAxes);
  EXPECT_EQ(axes, (std::set<int>{1, 2}));
}

TEST_F(Models, NoPageFailsWhileModelsAreSwapped) {
  ASSERT_NO_FATAL_FAILURE(open());
  for (const int good : {0, 4, 8}) ASSERT_NO_FATAL_FAILURE(click("carl", good));
  std::map<std::string, std::vector<int>> expected;
  for (const char* version : {"spring", "autumn"}) {
    ASSERT_EQ(use(version).status, 200);
    expected[version] = page("carl");
  }
  std::atomic<bool> stop{false};
  std::atomic<int> pages{0};
  std::vector<std::thread> viewers;
  for (int t = 0; t < 2; ++t) {
    viewers.emplace_back([&] {
      while (!stop) {
        std::string model;
        const std::vector<int> found = page("carl", model);
        ++pages;
        EXPECT_EQ(found.size(), 10U);
        const auto as_before = expected.find(model);
        if (as_before != expected.end()) {
          EXPECT_EQ(found, as_before->second) << model;
        } else {
          EXPECT_EQ(model, "text-1");
        }
      }
    });
  }
  const char* versions[] = {"spring", "text-1", "autumn"};
  for (int swap = 0; swap < 12; ++swap) {
    const int before = pages;
    EXPECT_EQ(use(versions[swap % 3]).status, 200);
    while (pages < before + 10) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& viewer : viewers) viewer.join();
}

TEST_F(Models, ADamagedOneIsRefusedWithTheReasonAndThePresentOneStays) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_EQ(use("spring").status, 200);
  const std::filesystem::path file = dir_ / "data/models/autumn/histories.bin";
  std::fstream damaged(file, std::ios::in | std::ios::out | std::ios::binary);
  damaged.seekp(1'000);
  damaged.put('?');
  damaged.close();
  const HttpResponse refused = use("autumn");
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.body, testing::HasSubstr("histories.bin"));
  EXPECT_EQ(use("winter").status, 404);
  EXPECT_EQ(use("../models/spring").status, 404);
  EXPECT_EQ(use("").status, 404);
  EXPECT_EQ(served(), "spring");
  const HttpResponse list = live_->ask("GET", "/v1/models");
  EXPECT_THAT(list.body, testing::HasSubstr(R"("current":"spring")"));
  EXPECT_THAT(list.body, testing::HasSubstr(R"("version":"autumn")"));
}

TEST_F(Models, ARestartBeginsWithTheChosenOneOrByTextWhenThatIsDamaged) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_EQ(use("autumn").status, 200);
  ASSERT_NO_FATAL_FAILURE(open());
  EXPECT_EQ(served(), "autumn");
  std::filesystem::remove(dir_ / "data/models/autumn/items.bin");
  ASSERT_NO_FATAL_FAILURE(open());
  EXPECT_EQ(served(), "text-1");
  EXPECT_THAT(live_->ask("GET", "/v1/models").body, testing::HasSubstr("items.bin"));
}

}  // namespace
}  // namespace shanhuo
