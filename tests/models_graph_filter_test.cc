#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "models/dense.h"
#include "models/graph_filter.h"
#include "models/row_math.h"

namespace shanhuo {
namespace {

SparseRows random_rows(size_t rows, size_t columns, size_t entries, uint64_t seed) {
  Random random(seed);
  std::vector<SparseRows::Entry> drawn;
  for (size_t n = 0; n < entries; ++n) {
    drawn.emplace_back(random.below(rows), random.below(columns));
  }
  return {rows, columns, drawn};
}

GraphFilter learn(const SparseRows& seen, const GraphFilterOptions& options) {
  use_calling_thread();
  Result<GraphFilter> made = learn_graph_filter(seen, options, [](double) {});
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? std::move(made).value() : GraphFilter{};
}

using Matrix = std::vector<double>;  // row-major, square

// The symmetric matrix with the same eigenvectors and f of the eigenvalues, by Jacobi's rotations.
template <typename F>
Matrix function_of(Matrix a, size_t n, const F& f) {
  Matrix v(n * n);
  for (size_t i = 0; i < n; ++i) v[i * n + i] = 1;
  for (int sweep = 0; sweep < 60; ++sweep) {
    for (size_t p = 0; p < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) {
        const double angle = 0.5 * std::atan2(2 * a[p * n + q], a[q * n + q] - a[p * n + p]);
        const double c = std::cos(angle), s = std::sin(angle);
        const auto turn = [&](double& x, double& y) {
          const double before = x;
          x = c * before - s * y;
          y = s * before + c * y;
        };
        for (size_t k = 0; k < n; ++k) turn(a[k * n + p], a[k * n + q]);
        for (size_t k = 0; k < n; ++k) turn(a[p * n + k], a[q * n + k]);
        for (size_t k = 0; k < n; ++k) turn(v[k * n + p], v[k * n + q]);
      }
    }
  }
  Matrix out(n * n);
  for (size_t k = 0; k < n; ++k) {
    const double value = a[k * n + k] > 1e-9 ? f(a[k * n + k]) : 0;
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) out[i * n + j] += value * v[i * n + k] * v[j * n + k];
    }
  }
  return out;
}

// What each item says for each other one: the header's formula, with all dims.
Matrix scores_of(const SparseRows& seen, const GraphFilterOptions& options) {
  const size_t items = seen.columns();
  const SparseRows audience = seen.transposed();
  const auto degree = [&](size_t i) { return static_cast<double>(audience.row(i).size()); };
  Matrix normal(items * items);
  for (size_t u = 0; u < seen.rows(); ++u) {
    const std::span<const uint32_t> row = seen.row(u);
    const double viewer = std::pow(static_cast<double>(row.size()), -2 * options.viewer_exponent);
    for (const uint32_t i : row) {
      for (const uint32_t j : row) {
        normal[i * items + j] += viewer * std::pow(degree(i) * degree(j), -options.item_exponent);
      }
    }
  }
  Matrix scores = function_of(normal, items,
                              [&](double value) { return std::pow(value, options.gain_exponent); });
  for (size_t i = 0; i < items; ++i) {
    for (size_t j = 0; j < items; ++j) {
      scores[i * items + j] *= degree(i) == 0 ? 0
                                              : std::pow(degree(i), -options.history_exponent) *
                                                    std::pow(degree(j), options.candidate_exponent);
    }
  }
  return scores;
}

TEST(GraphFilter, WithAllDimsItIsTheFormula) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    const size_t items = 3 + random.below(14);
    const SparseRows seen = random_rows(3 + random.below(20), items, 60, seed);
    const GraphFilterOptions options{.dims = static_cast<int>(items) + 2,
                                     .viewer_exponent = 0.3 * random.uniform(),
                                     .item_exponent = random.uniform(),
                                     .gain_exponent = 1 + random.uniform(),
                                     .history_exponent = random.uniform(),
                                     .candidate_exponent = random.uniform(),
                                     .passes = 100};
    const GraphFilter filter = learn(seen, options);
    const Matrix wanted = scores_of(seen, options);
    const auto dims = static_cast<size_t>(options.dims);
    const double most = *std::ranges::max_element(wanted);
    for (size_t i = 0; i < items; ++i) {
      for (size_t j = 0; j < items; ++j) {
        EXPECT_NEAR(inner(&filter.histories[i * dims], &filter.candidates[j * dims], dims),
                    wanted[i * items + j], 2e-3 * most)
            << seed << ": " << i << " " << j;
      }
    }
  }
}

TEST(GraphFilter, FewerDimsAreTheFirstOfMore) {
  const SparseRows seen = random_rows(300, 40, 3'000, 1);  // spare columns hold all of it
  const GraphFilter all = learn(seen, {.dims = 40, .item_exponent = 0.5, .passes = 30});
  const GraphFilter few = learn(seen, {.dims = 5, .item_exponent = 0.5, .passes = 30});
  for (size_t k = 0; k < 5; ++k) EXPECT_NEAR(few.gains[k], all.gains[k], 1e-4) << k;
  EXPECT_NEAR(all.gains[0], 1, 1e-4);
  EXPECT_TRUE(std::ranges::is_sorted(all.gains, std::greater<>()));
  for (size_t i = 0; i < 40; ++i) {
    for (size_t k = 0; k < 5; ++k) {
      EXPECT_EQ(few.histories[i * 5 + k], all.histories[i * 40 + k]);
      EXPECT_EQ(few.candidates[i * 5 + k], all.candidates[i * 40 + k]);
    }
  }
}

TEST(GraphFilter, ViewersOfATownAreShownThatTown) {
  std::vector<SparseRows::Entry> entries;  // two towns that share nothing
  Random random(4);
  for (uint32_t u = 0; u < 300; ++u) {
    for (int n = 0; n < 6; ++n) entries.emplace_back(u, (u % 2) * 20 + random.below(20));
  }
  const GraphFilter filter = learn({300, 40, entries}, {.dims = 4, .passes = 20});
  for (const uint32_t town : {0U, 20U}) {
    std::vector<float> viewer(4);
    graph_filter_viewer(filter.histories, std::vector<uint32_t>{town + 1, town + 2}, viewer);
    EXPECT_NEAR(inner(viewer.data(), viewer.data(), 4), 1, 1e-5);
    double here = 0, there = 0;
    for (uint32_t i = 0; i < 20; ++i) {
      here += inner(viewer.data(), &filter.candidates[4 * (town + i)], 4);
      there += std::abs(inner(viewer.data(), &filter.candidates[4 * (20 - town + i)], 4));
    }
    EXPECT_GT(here, 10 * there) << town;
  }
}

TEST(GraphFilter, AnyNumberOfThreadsGivesTheSameBytes) {
  const SparseRows seen = random_rows(900, 1'400, 9'000, 1);
  GraphFilterOptions options{.dims = 24, .passes = 3};
  options.threads = 1;
  const GraphFilter one = learn(seen, options);
  for (const int threads : {2, 3, 5}) {
    options.threads = threads;
    const GraphFilter many = learn(seen, options);
    EXPECT_EQ(one.histories, many.histories) << threads;
    EXPECT_EQ(one.candidates, many.candidates) << threads;
  }
}

TEST(GraphFilter, DegenerateDataGiveNumbersAndZerosWhereNobodyWas) {
  const auto expect_sensible = [](const SparseRows& seen, std::span<const size_t> unseen) {
    for (const double exponent : {0.0, 0.5, 2.0}) {
      const GraphFilter filter = learn(seen, {.dims = 6,
                                              .viewer_exponent = exponent,
                                              .item_exponent = exponent,
                                              .gain_exponent = exponent,
                                              .history_exponent = exponent,
                                              .candidate_exponent = exponent});
      for (const std::vector<float>* table : {&filter.histories, &filter.candidates}) {
        for (const float x : *table) ASSERT_TRUE(std::isfinite(x));
        for (const size_t item : unseen) {
          for (size_t k = 0; k < 6; ++k) EXPECT_EQ((*table)[item * 6 + k], 0);
        }
      }
    }
  };
  expect_sensible({1, 1, {{0, 0}}}, {});                                       // one of all
  expect_sensible({1, 30, {{0, 3}, {0, 4}}}, std::vector<size_t>{0, 5, 29});   // one viewer
  expect_sensible({40, 3, {{1, 1}, {1, 1}, {1, 2}}}, std::vector<size_t>{0});  // holes
  expect_sensible(random_rows(3, 90, 300, 5), {});                             // of low rank
  expect_sensible({1'000, 2, {{5, 0}, {5, 1}, {999, 1}}}, {});
}

TEST(GraphFilter, AnEmptyHistoryIsAZeroVector) {
  std::vector<float> viewer = {9, 9};
  graph_filter_viewer(std::vector<float>{1, 2, 3, 4}, {}, viewer);
  EXPECT_EQ(viewer, (std::vector<float>{0, 0}));
}

TEST(GraphFilter, RefusesWhatItCannotLearnFrom) {
  const SparseRows seen = random_rows(5, 5, 10, 1);
  const auto fails = [&seen](const GraphFilterOptions& options, const char* what) {
    const Result<GraphFilter> made = learn_graph_filter(seen, options, [](double) {});
    ASSERT_FALSE(made.ok());
    EXPECT_NE(made.error().message.find(what), std::string::npos) << made.error().message;
  };
  fails({.dims = 0}, "dims");
  fails({.dims = 1'025}, "dims");
  fails({.passes = 1}, "passes");
  fails({.threads = 0}, "threads");
  fails({.gain_exponent = std::numeric_limits<double>::quiet_NaN()}, "exponents");
  fails({.item_exponent = 2.1}, "exponents");
  EXPECT_FALSE(learn_graph_filter({4, 4, {}}, {}, [](double) {}).ok());
}

}  // namespace
}  // namespace shanhuo
