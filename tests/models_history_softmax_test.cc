#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "models/dense.h"
#include "models/history_softmax.h"
#include "models/row_math.h"

namespace shanhuo {
namespace {

using State = HistorySoftmaxState;
const HistorySoftmaxProgress kQuiet = [](double) { return true; };

SparseRows random_rows(size_t rows, size_t columns, size_t entries, uint64_t seed) {
  Random random(seed);
  std::vector<SparseRows::Entry> drawn;
  for (size_t n = 0; n < entries; ++n) {
    drawn.emplace_back(random.below(rows), random.below(columns));
  }
  return {rows, columns, drawn};
}

State train(const SparseRows& seen, const HistorySoftmaxOptions& options, State from = {}) {
  use_calling_thread();
  Result<State> made = train_history_softmax(seen, options, std::move(from), kQuiet);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? std::move(made).value() : State{};
}

using Doubles = std::vector<double>;

double cosine(const Doubles& a, const double* b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    ab += a[k] * b[k];
    aa += a[k] * a[k];
    bb += b[k] * b[k];
  }
  return ab / std::sqrt(aa * bb);
}

// The header's formula with every known item drawn. `tables`: h, then y.
double loss(const SparseRows& seen, const std::vector<bool>& known, const Doubles& tables,
            size_t dims, double temperature, double nearness) {
  const double* h = tables.data();
  const double* y = h + seen.columns() * dims;
  double sum = 0;
  for (size_t u = 0; u < seen.rows(); ++u) {
    if (seen.row(u).size() < 2) continue;
    const std::span<const uint32_t> row = seen.row(u);
    for (size_t at = 0; at < row.size(); ++at) {
      const uint32_t i = row[at];
      Doubles question(dims);
      for (size_t other = 0; other < row.size(); ++other) {
        const double near = std::pow(nearness, std::abs(double(other) - double(at)));
        if (other == at) continue;
        for (size_t k = 0; k < dims; ++k) question[k] += near * h[row[other] * dims + k];
      }
      double all = 0;
      for (size_t n = 0; n < seen.columns(); ++n) {
        if (known[n]) all += std::exp(cosine(question, y + n * dims) / temperature);
      }
      sum += std::log(all) - cosine(question, y + i * dims) / temperature;
    }
  }
  return sum;
}

// The first step from the first state: gradients by differences of the loss.
void expect_first_step_down(double nearness) {
  const SparseRows seen = SparseRows::in_order(5, 7,
                                               std::vector<SparseRows::Entry>{{0, 0},
                                                                              {0, 1},
                                                                              {0, 2},
                                                                              {1, 2},
                                                                              {1, 3},
                                                                              {2, 4},
                                                                              {2, 0},
                                                                              {2, 3},
                                                                              {2, 1},
                                                                              {3, 5},
                                                                              {4, 5},
                                                                              {4, 1}});
  const std::vector<bool> known = {true, true, true, true, true, true, false};
  HistorySoftmaxOptions options{
      .dims = 3, .temperature = 0.5, .learning_rate = 0.01, .nearness = nearness};
  options.epochs = 0;
  const State before = train(seen, options);
  options.epochs = 1;
  const State after = train(seen, options, before);
  Doubles tables(before.histories.begin(), before.histories.end());
  tables.insert(tables.end(), before.candidates.begin(), before.candidates.end());
  std::vector<float> moved = after.histories, stood = before.histories;
  moved.insert(moved.end(), after.candidates.begin(), after.candidates.end());
  stood.insert(stood.end(), before.candidates.begin(), before.candidates.end());
  for (size_t row = 0; row < 14; ++row) {
    Doubles slope(3);
    double square = 0;
    for (size_t k = 0; k < 3 && row % 7 != 6; ++k) {
      Doubles up = tables, down = tables;
      up[row * 3 + k] += 1e-5;
      down[row * 3 + k] -= 1e-5;
      slope[k] =
          (loss(seen, known, up, 3, 0.5, nearness) - loss(seen, known, down, 3, 0.5, nearness)) /
          2e-5;
      square += slope[k] * slope[k] / 3;
    }
    for (size_t k = 0; k < 3; ++k) {
      const double step = square == 0 ? 0 : -0.01 * slope[k] / std::sqrt(square);
      EXPECT_NEAR(moved[row * 3 + k] - stood[row * 3 + k], step, 1e-4) << row << " " << k;
    }
  }
}

TEST(HistorySoftmax, TheFirstStepFollowsTheSlopeOfTheLoss) { expect_first_step_down(1); }

TEST(HistorySoftmax, TheOrderOfAHistoryCountsBelowNearnessOne) { expect_first_step_down(0.6); }

TEST(HistorySoftmax, AnyNumberOfThreadsGivesTheSameBytes) {
  const SparseRows seen = random_rows(900, 400, 9'000, 1);
  HistorySoftmaxOptions options{.dims = 8, .negatives = 100, .batch = 2'000, .epochs = 2};
  options.threads = 1;
  const State one = train(seen, options);
  for (const int threads : {2, 3, 5}) {
    options.threads = threads;
    const State many = train(seen, options);
    EXPECT_EQ(one.histories, many.histories) << threads;
    EXPECT_EQ(one.candidates, many.candidates) << threads;
  }
}

TEST(HistorySoftmax, ARunThatWasStoppedGoesOnAsIfItHadNotBeen) {
  const SparseRows seen = random_rows(200, 300, 1'500, 2);
  const HistorySoftmaxOptions options{.dims = 8, .negatives = 50, .batch = 500, .epochs = 5};
  const State whole = train(seen, options);
  Result<State> stopped =
      train_history_softmax(seen, options, {}, [](double share) { return share < 0.3; });
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped.value().epochs, 2);
  const State resumed = train(seen, options, std::move(stopped).value());
  EXPECT_EQ(resumed.epochs, 5);
  EXPECT_EQ(whole.histories, resumed.histories);
  EXPECT_EQ(whole.candidates, resumed.candidates);
  EXPECT_EQ(whole.candidates_scale, resumed.candidates_scale);
}

TEST(HistorySoftmax, ProgressGrowsFromNothingToAll) {
  double last = 0;
  const HistorySoftmaxOptions options{.dims = 4, .batch = 300, .epochs = 3};
  const Result<State> made =
      train_history_softmax(random_rows(300, 200, 2'000, 3), options, {}, [&last](double share) {
        EXPECT_GE(share, last);
        last = share;
        return true;
      });
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(last, 1);
}

TEST(HistorySoftmax, ViewersOfATownAreShownThatTown) {
  std::vector<SparseRows::Entry> entries;  // two towns that share nothing
  Random random(4);
  for (uint32_t u = 0; u < 300; ++u) {
    for (int n = 0; n < 6; ++n) entries.emplace_back(u, (u % 2) * 20 + random.below(20));
  }
  const HistorySoftmaxOptions options{.dims = 8, .temperature = 0.2, .batch = 200, .epochs = 20};
  const SparseRows seen(300, 40, entries);
  const State state = train(seen, options);
  const std::vector<float> items = serving_items(state, seen, options);
  for (const uint32_t town : {0U, 20U}) {
    std::vector<float> viewer(9);
    serving_viewer(state.histories, std::vector<uint32_t>{town + 1, town + 2}, 1, viewer);
    double here = 0, there = 0;
    for (uint32_t i = 0; i < 20; ++i) {
      here += inner(viewer.data(), items.data() + 9 * (town + i), 9);
      there += inner(viewer.data(), items.data() + 9 * (20 - town + i), 9);
    }
    EXPECT_GT(here / 20, there / 20 + 0.3) << town;
  }
}

TEST(HistorySoftmax, AViewerIsTheUnitVectorOfTheSumAndAOne) {
  const std::vector<float> histories = {3, 0, 0, 4, 0, 0};
  std::vector<float> viewer = {9, 9, 9};
  serving_viewer(histories, std::vector<uint32_t>{0, 1}, 1, viewer);
  EXPECT_FLOAT_EQ(viewer[0], 0.6F);
  EXPECT_FLOAT_EQ(viewer[1], 0.8F);
  serving_viewer(histories, std::vector<uint32_t>{1, 0}, 0.5, viewer);
  EXPECT_FLOAT_EQ(viewer[0], 3 / std::sqrt(13.0F));
  EXPECT_FLOAT_EQ(viewer[1], 2 / std::sqrt(13.0F));
  serving_viewer(histories, {}, 1, viewer);
  EXPECT_EQ(viewer, (std::vector<float>{0, 0, 1}));
}

TEST(HistorySoftmax, AnItemServesAsAUnitVectorAndItsPopularity) {
  const SparseRows seen(3, 3, {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}});
  const HistorySoftmaxOptions options{
      .dims = 2, .temperature = 0.5, .popularity = 0.4, .epochs = 2};
  const std::vector<float> items = serving_items(train(seen, options), seen, options);
  ASSERT_EQ(items.size(), 9U);
  EXPECT_NEAR(inner(items.data(), items.data(), 2), 1, 1e-5);
  EXPECT_FLOAT_EQ(items[2], static_cast<float>(0.2 * std::log(3.5)));
  EXPECT_FLOAT_EQ(items[5], static_cast<float>(0.2 * std::log(2.5)));
  for (const size_t at : {6, 7, 8}) EXPECT_EQ(items[at], 0);  // nobody has it
}

TEST(HistorySoftmax, ItemsThatNobodyHasAreZero) {
  const State state = train({2, 4, {{0, 0}, {0, 2}, {1, 0}}}, {.dims = 2, .epochs = 3});
  for (const size_t at : {2, 3, 6, 7}) {
    EXPECT_EQ(state.histories[at], 0);
    EXPECT_EQ(state.candidates[at], 0);
  }
}

void expect_sensible(const SparseRows& seen, const HistorySoftmaxOptions& options) {
  const State state = train(seen, options);
  for (const float x : state.histories) ASSERT_TRUE(std::isfinite(x));
  for (const float x : state.candidates) ASSERT_TRUE(std::isfinite(x));
}

TEST(HistorySoftmax, DegenerateDataGiveNumbers) {
  for (const double temperature : {0.02, 0.08, 10.0}) {
    for (const double rate : {1e-6, 0.2, 10.0}) {
      const HistorySoftmaxOptions options{.dims = 4,
                                          .temperature = temperature,
                                          .learning_rate = rate,
                                          .history_max = 20,
                                          .epochs = 3};
      expect_sensible({1, 30, {{0, 3}, {0, 4}}}, options);          // one viewer
      expect_sensible({2, 2, {{0, 0}, {0, 1}, {1, 1}}}, options);   // two items
      expect_sensible(random_rows(3, 90, 300, 5), options);         // more than history_max
      expect_sensible({40, 3, {{1, 1}, {1, 1}, {1, 2}}}, options);  // duplicates, and holes
    }
  }
}

std::string refusal(const SparseRows& seen, const HistorySoftmaxOptions& options, State from = {}) {
  const Result<State> made = train_history_softmax(seen, options, std::move(from), kQuiet);
  return made.ok() ? "" : made.error().message;
}

TEST(HistorySoftmax, WhatCannotBeTrainedIsSaid) {
  const SparseRows seen(2, 2, {{0, 0}, {0, 1}, {1, 1}});
  EXPECT_NE(refusal({}, {}).find("nothing to learn"), std::string::npos);
  EXPECT_NE(refusal({1, 1, {{0, 0}}}, {}).find("nothing to learn"), std::string::npos);
  EXPECT_NE(refusal({2, 2, {{0, 0}, {1, 1}, {1, 1}}}, {}).find("nothing"), std::string::npos);
  EXPECT_NE(refusal(seen, {.dims = 0}).find("dims"), std::string::npos);
  EXPECT_NE(refusal(seen, {.temperature = 0}).find("temperature"), std::string::npos);
  EXPECT_NE(refusal(seen, {.learning_rate = std::nan("")}).find("learning"), std::string::npos);
  EXPECT_NE(refusal(seen, {.nearness = 0}).find("nearness"), std::string::npos);
  EXPECT_NE(refusal(seen, {.popularity = -1}).find("popularity"), std::string::npos);
  EXPECT_NE(refusal(seen, {.negatives = 0}).find("negatives"), std::string::npos);
  EXPECT_NE(refusal(seen, {.batch = 0}).find("batch"), std::string::npos);
  EXPECT_NE(refusal(seen, {.history_max = 1}).find("history_max"), std::string::npos);
  EXPECT_NE(refusal(seen, {.epochs = -1}).find("epochs"), std::string::npos);
  EXPECT_NE(refusal(seen, {.threads = 0}).find("threads"), std::string::npos);
  State state = train(seen, {.dims = 2, .epochs = 1});
  EXPECT_NE(refusal(seen, {.dims = 3}, state).find("another size"), std::string::npos);
  state.candidates[0] = std::numeric_limits<float>::infinity();
  EXPECT_NE(refusal(seen, {.dims = 2}, state).find("no number"), std::string::npos);
}

}  // namespace
}  // namespace shanhuo
