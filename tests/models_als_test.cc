#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "models/als.h"
#include "models/dense.h"

namespace shanhuo {
namespace {

const AlsProgress kQuiet = [](double) { return true; };

SparseRows random_rows(size_t rows, size_t columns, size_t entries, uint64_t seed) {
  Random random(seed);
  std::vector<SparseRows::Entry> drawn;
  for (size_t n = 0; n < entries; ++n) {
    drawn.emplace_back(random.below(rows), random.below(columns));
  }
  return {rows, columns, drawn};
}

AlsState train(const SparseRows& seen, const AlsOptions& options, AlsState from = {}) {
  use_calling_thread();
  Result<AlsState> made = train_als(seen, options, std::move(from), kQuiet);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? std::move(made).value() : AlsState{};
}

double ridge(size_t seen, size_t others, const AlsOptions& options) {
  return options.regularisation *
         std::pow(static_cast<double>(seen) + options.unobserved_weight * others,
                  options.frequency_exponent);
}

double inner(const float* a, const float* b, int dims) {
  double sum = 0;
  for (int k = 0; k < dims; ++k) sum += static_cast<double>(a[k]) * b[k];
  return sum;
}

// The header's formula, over all pairs.
double objective(const SparseRows& seen, const AlsState& state, const AlsOptions& options) {
  double sum = 0;
  const auto dims = static_cast<size_t>(options.dims);
  const SparseRows audience = seen.transposed();
  for (size_t u = 0; u < seen.rows(); ++u) {
    const float* w = state.users.data() + u * dims;
    for (size_t i = 0; i < seen.columns(); ++i) {
      const double score = inner(w, state.items.data() + i * dims, options.dims);
      sum += options.unobserved_weight * score * score;
    }
    for (const uint32_t i : seen.row(u)) {
      sum += std::pow(inner(w, state.items.data() + i * dims, options.dims) - 1, 2);
    }
    sum += ridge(seen.row(u).size(), seen.columns(), options) * inner(w, w, options.dims);
  }
  for (size_t i = 0; i < seen.columns(); ++i) {
    const float* h = state.items.data() + i * dims;
    sum += ridge(audience.row(i).size(), seen.rows(), options) * inner(h, h, options.dims);
  }
  return sum;
}

// Gauss and Jordan, in doubles, with every cell of the viewer's row written out.
std::vector<double> solve_slowly(std::span<const float> items, std::span<const uint32_t> history,
                                 const AlsOptions& options) {
  const auto n = static_cast<size_t>(options.dims);
  const size_t count = items.size() / n;
  std::vector<std::vector<double>> a(n, std::vector<double>(n + 1));
  for (size_t i = 0; i < count; ++i) {
    const bool seen = std::ranges::find(history, i) != history.end();
    const double weight = options.unobserved_weight + (seen ? 1 : 0);
    for (size_t r = 0; r < n; ++r) {
      for (size_t c = 0; c < n; ++c) a[r][c] += weight * items[i * n + r] * items[i * n + c];
      if (seen) a[r][n] += items[i * n + r];
    }
  }
  for (size_t r = 0; r < n; ++r) a[r][r] += ridge(history.size(), count, options);
  for (size_t p = 0; p < n; ++p) {
    for (size_t r = 0; r < n; ++r) {
      const double factor = r == p ? 0 : a[r][p] / a[p][p];
      for (size_t c = p; c <= n; ++c) a[r][c] -= factor * a[p][c];
    }
  }
  std::vector<double> x(n);
  for (size_t r = 0; r < n; ++r) x[r] = a[r][n] / a[r][r];
  return x;
}

TEST(Als, FoldInIsTheExactSolutionOfTheWholeRow) {
  const AlsOptions options{.dims = 16, .regularisation = 0.01, .sweeps = 3};
  const AlsState state = train(random_rows(60, 40, 400, 1), options);
  const AlsFoldIn fold_in(state.items, options);
  Random random(2);
  for (int round = 0; round < 50; ++round) {
    std::vector<uint32_t> history;
    for (uint32_t i = 0; i < 40; ++i) {
      if (random.chance(0.02 * round)) history.push_back(i);
    }
    std::vector<float> fast(16, 7.0F);
    fold_in.solve(history, fast);
    const std::vector<double> slow =
        history.empty() ? std::vector<double>(16) : solve_slowly(state.items, history, options);
    for (int k = 0; k < 16; ++k) EXPECT_NEAR(fast[k], slow[k], 2e-4) << round;
  }
}

TEST(Als, EverySweepLowersTheObjectiveWhateverTheBlock) {
  const SparseRows seen = random_rows(50, 70, 500, 3);
  for (const int block : {1, 3, 8, 12, 64}) {
    AlsOptions options{.dims = 12, .block = block, .regularisation = 0.003};
    options.sweeps = 1;
    AlsState state = train(seen, options);
    double before = objective(seen, state, options);
    for (options.sweeps = 2; options.sweeps <= 8; ++options.sweeps) {
      state = train(seen, options, state);
      const double after = objective(seen, state, options);
      EXPECT_LT(after, before * (1 + 1e-6)) << block;
      before = after;
    }
  }
}

TEST(Als, BlocksComeToWhatPlainAlsComesTo) {
  const SparseRows seen = random_rows(40, 30, 300, 4);
  AlsOptions options{.dims = 6, .regularisation = 0.05, .sweeps = 200};
  const double plain = objective(seen, train(seen, options), options);
  options.block = 2;
  EXPECT_NEAR(objective(seen, train(seen, options), options), plain, 0.01 * plain);
}

TEST(Als, AnyNumberOfThreadsGivesTheSameBytes) {
  const SparseRows seen = random_rows(9'000, 300, 20'000, 5);
  AlsOptions options{.dims = 8, .block = 4, .sweeps = 2, .threads = 1};
  const AlsState one = train(seen, options);
  for (const int threads : {2, 3, 7}) {
    options.threads = threads;
    const AlsState many = train(seen, options);
    EXPECT_EQ(one.users, many.users) << threads;
    EXPECT_EQ(one.items, many.items) << threads;
  }
}

TEST(Als, ARunThatWasStoppedGoesOnAsIfItHadNotBeen) {
  const SparseRows seen = random_rows(200, 100, 1'500, 6);
  const AlsOptions options{.dims = 8, .sweeps = 6};
  const AlsState whole = train(seen, options);
  Result<AlsState> stopped = train_als(seen, options, {}, [](double share) { return share < 0.4; });
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped.value().sweeps, 3);
  const AlsState resumed = train(seen, options, std::move(stopped).value());
  EXPECT_EQ(resumed.sweeps, 6);
  EXPECT_EQ(whole.users, resumed.users);
  EXPECT_EQ(whole.items, resumed.items);
}

TEST(Als, ProgressGrowsFromNothingToAll) {
  double last = 0;
  const Result<AlsState> made =
      train_als(random_rows(500, 500, 3'000, 7), {.dims = 4}, {}, [&last](double share) {
        EXPECT_GE(share, last);
        last = share;
        return true;
      });
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(last, 1);
}

TEST(Als, WhoSeesTheSameGroupIsNearTheRestOfIt) {
  std::vector<SparseRows::Entry> entries;  // two towns that share nothing
  Random random(8);
  for (uint32_t u = 0; u < 40; ++u) {
    for (int n = 0; n < 6; ++n) entries.emplace_back(u, (u % 2) * 10 + random.below(10));
  }
  const AlsOptions options{.dims = 2, .unobserved_weight = 0.1, .regularisation = 0.01};
  const AlsState state = train({40, 20, entries}, options);
  std::vector<float> viewer(2);
  AlsFoldIn(state.items, options).solve(std::vector<uint32_t>{1, 2}, viewer);
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_GT(inner(viewer.data(), state.items.data() + 2 * i, 2), 0.3) << i;
    EXPECT_NEAR(inner(viewer.data(), state.items.data() + 2 * (10 + i), 2), 0, 0.05) << i;
  }
}

void expect_sensible(const SparseRows& seen, AlsOptions options) {
  const AlsState state = train(seen, options);
  for (const float x : state.users) EXPECT_TRUE(std::isfinite(x));
  for (const float x : state.items) EXPECT_TRUE(std::isfinite(x));
}

TEST(Als, DegenerateDataGiveNumbers) {
  for (const double lambda : {1e-9, 1e-3, 1e6}) {
    for (const double a0 : {1e-9, 0.03, 1.0}) {
      const AlsOptions options{
          .dims = 64, .unobserved_weight = a0, .regularisation = lambda, .sweeps = 4};
      expect_sensible({1, 1, {{0, 0}}}, options);                                 // one interaction
      expect_sensible({1, 30, {{0, 3}, {0, 4}}}, options);                        // one viewer
      expect_sensible({3, 3, {{1, 1}, {1, 1}, {1, 1}}}, options);                 // all duplicates
      expect_sensible(random_rows(20, 1, 50, 9), options);                        // one item
      expect_sensible({1'000'000, 2, {{999'999, 1}}}, {.dims = 2, .sweeps = 1});  // holes
    }
  }
}

TEST(Als, WhoHasNoHistoryIsZero) {
  const AlsState state = train({3, 3, {{0, 0}, {2, 1}}}, {.dims = 2});
  EXPECT_EQ(state.users[2], 0);
  EXPECT_EQ(state.users[3], 0);
  EXPECT_EQ(state.items[4], 0);
  EXPECT_EQ(state.items[5], 0);
}

std::string refusal(const SparseRows& seen, const AlsOptions& options, AlsState from = {}) {
  const Result<AlsState> made = train_als(seen, options, std::move(from), kQuiet);
  return made.ok() ? "" : made.error().message;
}

TEST(Als, WhatCannotBeTrainedIsSaid) {
  const SparseRows seen(2, 2, {{0, 0}, {1, 1}});
  EXPECT_NE(refusal({2, 2, {}}, {}).find("nothing to learn"), std::string::npos);
  EXPECT_NE(refusal({}, {}).find("nothing to learn"), std::string::npos);
  EXPECT_NE(refusal(seen, {.dims = 0}).find("dims"), std::string::npos);
  EXPECT_NE(refusal(seen, {.block = 0}).find("block"), std::string::npos);
  EXPECT_NE(refusal(seen, {.unobserved_weight = 0}).find("unobserved"), std::string::npos);
  EXPECT_NE(refusal(seen, {.regularisation = std::nan("")}).find("regularis"), std::string::npos);
  EXPECT_NE(refusal(seen, {.sweeps = -1}).find("sweeps"), std::string::npos);
  EXPECT_NE(refusal(seen, {.threads = 0}).find("threads"), std::string::npos);
  AlsState state = train(seen, {.dims = 2});
  EXPECT_NE(refusal(seen, {.dims = 3}, state).find("another size"), std::string::npos);
  state.items[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(refusal(seen, {.dims = 2}, state).find("no number"), std::string::npos);
}

}  // namespace
}  // namespace shanhuo
