#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <ranges>

#include "base/random.h"
#include "models/text_encoder.h"
#include "serving/temp_folder.h"
#include "serving/trainer.h"

namespace shanhuo {
namespace {

using ::testing::HasSubstr;
using Histories = std::vector<std::vector<uint32_t>>;

// Items "i0", "i1", ... of two kinds, even and odd, whose titles say which.
TrainData data_of(const Histories& histories, size_t items, bool texts = true) {
  TrainData data;
  std::vector<SparseRows::Entry> entries;
  for (uint32_t viewer = 0; viewer < histories.size(); ++viewer) {
    for (const uint32_t item : histories[viewer]) entries.emplace_back(viewer, item);
    data.viewers += histories[viewer].empty() ? 0 : 1;
  }
  for (size_t i = 0; i < items; ++i) {
    data.items.push_back("i" + std::to_string(i));
    data.texts.emplace_back(!texts ? "" : i % 2 == 0 ? "猕猴桃 新鲜" : "张家界 风景");
  }
  data.histories = SparseRows::in_order(histories.size(), items, entries);
  data.events = data.choices = entries.size();
  data.last = Millis(1'000);
  return data;
}

// Viewers who like either the even or the odd items.
TrainData two_tastes(size_t viewers = 120, size_t items = 40) {
  Random random(5);
  Histories histories(viewers);
  for (size_t v = 0; v < viewers; ++v) {
    for (int n = 0; n < 8; ++n) {
      histories[v].push_back(static_cast<uint32_t>(2 * random.below(items / 2) + v % 2));
    }
  }
  return data_of(histories, items);
}

class Training : public testing::TestWithParam<VectorModelKind> {
 protected:
  TrainOptions options(int rounds = 6) const {
    TrainOptions made;
    made.kind = GetParam();
    made.settings.als.sweeps = made.settings.softmax.epochs = rounds;
    made.settings.text.bits = 8;
    return made;
  }
  TrainStateFile file(const TrainData& data, const TrainOptions& with) const {
    return {home_.path() + "/.training", fingerprint(data, with)};
  }
  Result<TrainedModel> train(const TrainData& data, const TrainOptions& with) const {
    return train_model(data, with, {}, file(data, with));
  }
  bool als() const { return GetParam() == VectorModelKind::kAls; }

  TempFolder home_ = TempFolder::make("trainer").value();
};

double metric(const TrainedModel& model, std::string_view name) {
  const auto found = std::ranges::find(
      model.facts.metrics, name, [](const auto& entry) { return std::string_view(entry.first); });
  return found == model.facts.metrics.end() ? std::nan("") : found->second;
}

TEST_P(Training, LearnsWhoLikesWhatAndWhereNewItemsBelong) {
  const Result<TrainedModel> trained = train(two_tastes(), options(15));
  ASSERT_TRUE(trained.ok()) << trained.error().message;
  EXPECT_EQ(metric(trained.value(), "judged_viewers"), 120);
  EXPECT_GT(metric(trained.value(), "recall@20"), 0.8);  // 20 of each taste
  EXPECT_LT(metric(trained.value(), "popular_recall@20"), 0.8);
  VectorModelParts parts = trained.value().parts;
  parts.version = "v1";
  const auto model = VectorModel::make(std::move(parts)).value();
  std::vector<Vector> history;
  for (const char* id : {"i2", "i4", "i10", "i16", "i30"})
    history.push_back(model->of(id, "").history);
  const Vector viewer = model->viewer(history);
  Item even, odd;
  even.title = "猕猴桃 大";
  odd.title = "风景 好";
  EXPECT_GT(dot(viewer, model->of(even).candidate), dot(viewer, model->of(odd).candidate) + 0.3);
}

TEST_P(Training, TheSameDataGiveTheSameModelWithAnyNumberOfThreads) {
  const TrainData data = two_tastes();
  TrainOptions one = options(), four = options();
  one.settings.als.threads = one.settings.softmax.threads = 1;
  four.settings.als.threads = four.settings.softmax.threads = 4;
  const TrainedModel a = train(data, one).value(), b = train(data, four).value();
  EXPECT_EQ(a.parts.histories, b.parts.histories);
  EXPECT_EQ(a.parts.candidates, b.parts.candidates);
  EXPECT_EQ(a.facts.metrics, b.facts.metrics);
}

// What every small or strange set must come to: an error that says why, or a model that serves.
TEST_P(Training, SmallAndStrangeDataGiveASensibleModelOrAReason) {
  const std::vector<std::pair<const char*, TrainData>> cases = {
      {"one interaction", data_of({{0}}, 1)},
      {"one viewer", data_of({{0, 1, 2, 3, 4}}, 5)},
      {"one viewer, two items", data_of({{0, 1}}, 2)},
      {"two viewers of the same two items", data_of({{0, 1}, {0, 1}}, 2)},
      {"many viewers of one item", data_of(Histories(20, {0}), 1)},
      {"many viewers of the same items", data_of(Histories(20, {0, 1, 2}), 3)},
      {"viewers without any history among others", data_of({{}, {0, 1, 2}, {}, {1, 2}}, 3)},
      {"no texts", data_of({{0, 1, 2}, {0, 1}}, 3, false)},
      {"one has no text",
       [] {
         TrainData data = data_of({{0, 1, 2}, {0, 1}}, 3);
         data.texts[1].clear();
         return data;
       }()},
  };
  for (const auto& [name, data] : cases) {
    const Result<TrainedModel> trained = train(data, options(10));
    const bool learnable =
        als() ||
        std::ranges::any_of(std::views::iota(size_t{0}, data.histories.rows()),
                            [&d = data](size_t r) { return d.histories.row(r).size() > 1; });
    ASSERT_EQ(trained.ok(), learnable) << name;
    if (!trained.ok()) {
      EXPECT_THAT(trained.error().message, HasSubstr("nothing to learn from")) << name;
      continue;
    }
    VectorModelParts parts = trained.value().parts;
    parts.version = "v1";
    const auto model = VectorModel::make(std::move(parts));  // refuses what is no number
    ASSERT_TRUE(model.ok()) << name << ": " << model.error().message;
    for (const auto& [metric, number] : trained.value().facts.metrics) {
      EXPECT_TRUE(std::isfinite(number)) << name << ": " << metric;
    }
    const ItemVectors vectors = model.value()->of("i0", data.texts[0]);
    for (const Vector& vector :
         {vectors.history, vectors.candidate, model.value()->viewer(std::vector{vectors.history}),
          model.value()->of("unheard of", "风景").candidate}) {
      for (const float x : vector) EXPECT_TRUE(std::isfinite(x)) << name;
    }
  }
}

TEST_P(Training, WithoutMetricsItTrainsTheSameModel) {
  const TrainData data = two_tastes();
  TrainOptions quick = options();
  quick.judged = false;
  const TrainedModel judged = train(data, options()).value(),
                     not_judged = train(data, quick).value();
  EXPECT_TRUE(not_judged.facts.metrics.empty());
  EXPECT_EQ(judged.parts.histories, not_judged.parts.histories);
}

TEST_P(Training, WhatCannotBeServedIsRefused) {
  const TrainData data = two_tastes();
  const auto refusal = [&](void (*change)(TrainOptions&)) {
    TrainOptions changed = options();
    change(changed);
    const Result<TrainedModel> trained = train(data, changed);
    return trained.ok() ? "" : trained.error().message;
  };
  EXPECT_THAT(refusal([](TrainOptions& o) { o.settings.als.dims = 32; }), HasSubstr("als.dims"));
  EXPECT_THAT(refusal([](TrainOptions& o) { o.settings.softmax.dims = 63; }),
              HasSubstr("softmax.dims"));
  EXPECT_THAT(refusal([](TrainOptions& o) { o.settings.softmax.popularity = 0.5; }),
              HasSubstr("popularity"));
  EXPECT_THAT(refusal([](TrainOptions& o) { o.settings.evidence_half = 0; }),
              HasSubstr("evidence_half"));
  EXPECT_THAT(
      refusal([](TrainOptions& o) { o.settings.als.sweeps = o.settings.softmax.epochs = 0; }),
      HasSubstr("at least 1"));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Training,
                         testing::Values(VectorModelKind::kAls, VectorModelKind::kHistorySoftmax),
                         [](const auto& info) {
                           return info.param == VectorModelKind::kAls ? "Als" : "Softmax";
                         });

class TrainStates : public testing::Test {
 protected:
  static TrainState state_of() {
    TrainState state;
    state.phase = TrainState::Phase::kFinal;
    state.rounds = 7;
    state.metrics = {{"recall@20", 0.125}, {"猕猴桃", -1e300}};
    state.tables = {std::vector<float>{1, 2, 3}, {}, {4}, {0.5F, -0.5F}};
    return state;
  }
  std::string path() const { return home_.path() + "/.spring.training"; }

  TempFolder home_ = TempFolder::make("train_state").value();
};

TEST_F(TrainStates, ComeBackAsTheyWereSaved) {
  const TrainStateFile file(path(), 42);
  EXPECT_FALSE(file.load().value().has_value());
  ASSERT_TRUE(file.save(TrainState()).ok());
  ASSERT_TRUE(file.save(state_of()).ok());
  const TrainState read = file.load().value().value();
  EXPECT_EQ(read.phase, state_of().phase);
  EXPECT_EQ(read.rounds, 7);
  EXPECT_EQ(read.metrics, state_of().metrics);
  EXPECT_EQ(read.tables, state_of().tables);
  EXPECT_THAT(TrainStateFile(path(), 43).load().error().message,
              HasSubstr("other data or parameters"));
  file.remove();
  EXPECT_FALSE(file.load().value().has_value());
}

TEST_F(TrainStates, AnyFlippedByteAndAnyTruncationIsRefused) {
  const TrainStateFile file(path(), 42);
  ASSERT_TRUE(file.save(state_of()).ok());
  std::ifstream in(path(), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  const auto refused = [&](const std::string& text) {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << text;
    return !file.load().ok();
  };
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    EXPECT_TRUE(refused(flipped)) << at;
    EXPECT_TRUE(refused(bytes.substr(0, at))) << at;
  }
  EXPECT_TRUE(refused(bytes + "x"));
  EXPECT_FALSE(refused(bytes));
}

}  // namespace
}  // namespace shanhuo
