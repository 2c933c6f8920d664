#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "models/text_encoder.h"
#include "ranking/vector_index.h"

namespace shanhuo {
namespace {

// Rows with their ids; ids are not row numbers, and not sorted.
struct Rows {
  std::vector<ItemIndex> ids;
  std::vector<float> values;

  size_t size() const { return ids.size(); }
  Vector at(size_t i) const {
    Vector vector;
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(i * kDims), kDims, vector.begin());
    return vector;
  }
  void add(const Vector& vector) {
    ids.push_back(static_cast<ItemIndex>(size() * 7919 % 1'000'003));
    values.insert(values.end(), vector.begin(), vector.end());
  }
  std::shared_ptr<const VectorIndex> index(int64_t exact_below = 1 << 30) const {
    return VectorIndex::build(ids, values, {.exact_below = exact_below});
  }
};

Vector random_vector(std::mt19937& random) {
  std::normal_distribution<float> normal;
  Vector vector;
  for (float& x : vector) x = normal(random);
  normalise(vector);
  return vector;
}

Rows random_rows(size_t n, uint32_t seed = 1) {
  std::mt19937 random(seed);
  Rows rows;
  for (size_t i = 0; i < n; ++i) rows.add(random_vector(random));
  return rows;
}

// As a catalogue has them: categories, counties, titles of a few words, several items a word.
Rows text_rows(size_t n) {
  std::mt19937 random(2);
  Rows rows;
  for (size_t i = 0; i < n; ++i) {
    Item item;
    item.kind = static_cast<ItemKind>(random() % 3);
    item.category = "c" + std::to_string(random() % 40);
    item.county = std::to_string(110'000 + random() % 800 * 100);
    for (int word = 0; word < 3; ++word) {
      item.title += " " + std::to_string(mix64(random() % 500));
    }
    rows.add(encode_item(item, {}));
  }
  return rows;
}

double inner_product(const Vector& a, const Vector& b) {
  double sum = 0;
  for (int j = 0; j < kDims; ++j) sum += static_cast<double>(a[j]) * b[j];
  return sum;
}

// Every row sorted by the kernel's own product, ties by ascending id.
std::vector<VectorHit> sorted_by(const Rows& rows, const Vector& query, size_t k) {
  std::vector<float> products(rows.size());
  inner_products(rows.values.data(), rows.size(), query.data(), products.data());
  std::vector<VectorHit> all;
  for (size_t i = 0; i < rows.size(); ++i) all.push_back({rows.ids[i], products[i]});
  std::sort(all.begin(), all.end(), [](const VectorHit& a, const VectorHit& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.item < b.item;
  });
  all.resize(std::min(k, all.size()));
  return all;
}

void expect_same(const std::vector<VectorHit>& found, const std::vector<VectorHit>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].item, expected[i].item) << i;
    ASSERT_EQ(found[i].similarity, expected[i].similarity) << i;
  }
}

double recall(const VectorIndex& index, const Rows& rows, int queries, size_t k) {
  std::mt19937 random(3);
  std::vector<VectorHit> exact, found;
  size_t hits = 0;
  for (int i = 0; i < queries; ++i) {
    Vector query{};
    for (int part = 0; part < 4; ++part) {
      const Vector row = rows.at(random() % rows.size());
      for (int j = 0; j < kDims; ++j) query[j] += row[j];
    }
    normalise(query);
    index.search_exact(query, k, exact);
    index.search(query, k, found);
    std::set<ItemIndex> wanted;
    for (const VectorHit& hit : exact) wanted.insert(hit.item);
    for (const VectorHit& hit : found) hits += wanted.count(hit.item);
  }
  return static_cast<double>(hits) / (static_cast<double>(k) * queries);
}

TEST(VectorIndex, TheKernelGivesInnerProductsOfAnyNumberOfRows) {
  for (const size_t n : {0U, 1U, 2U, 3U, 7U, 255U, 256U, 257U}) {
    const Rows rows = random_rows(n);
    std::mt19937 random(9);
    const Vector query = random_vector(random);
    std::vector<float> out(n + 1, -7);
    inner_products(rows.values.data(), n, query.data(), out.data());
    for (size_t i = 0; i < n; ++i) {
      ASSERT_NEAR(out[i], inner_product(rows.at(i), query), 1e-6) << n << " " << i;
    }
    EXPECT_EQ(out[n], -7) << "wrote past the end";
  }
}

TEST(VectorIndex, TheKernelReadsEveryComponentOnce) {
  for (int j = 0; j < kDims; ++j) {
    Vector row{}, query{};
    row[j] = 3;
    query[j] = 0.5F;
    float out = 0;
    inner_products(row.data(), 1, query.data(), &out);
    EXPECT_EQ(out, 1.5F) << j;
    query[j] = 0;
    query[(j + 1) % kDims] = 1;
    inner_products(row.data(), 1, query.data(), &out);
    EXPECT_EQ(out, 0) << j;
  }
}

TEST(VectorIndex, AnExactSearchIsASort) {
  for (const size_t n : {1U, 5U, 255U, 256U, 700U, 3'000U}) {
    const Rows rows = random_rows(n);
    const auto index = rows.index();
    EXPECT_EQ(index->probes(), 0);
    EXPECT_EQ(index->measured_recall(), 1);
    for (const size_t k : {1U, 10U, 100U, 299U}) {
      std::vector<VectorHit> found(3);
      index->search(rows.at(n / 2), k, found);
      expect_same(found, sorted_by(rows, rows.at(n / 2), k));
    }
  }
}

TEST(VectorIndex, AnEmptyIndexAndNoPlacesFindNothing) {
  std::vector<VectorHit> found(5);
  Rows().index()->search(Vector{1}, 10, found);
  EXPECT_TRUE(found.empty());
  found.resize(5);
  random_rows(50).index()->search(Vector{1}, 0, found);
  EXPECT_TRUE(found.empty());
}

TEST(VectorIndex, FewerRowsThanPlacesAreAllFound) {
  const Rows rows = random_rows(30);
  std::vector<VectorHit> found;
  rows.index()->search(rows.at(0), 1'000, found);
  expect_same(found, sorted_by(rows, rows.at(0), 1'000));
}

TEST(VectorIndex, IdenticalVectorsComeByAscendingId) {
  Rows rows;
  for (int i = 0; i < 3'000; ++i) rows.add(Vector{1});
  for (const int64_t exact_below : {1 << 30, 0}) {
    std::vector<VectorHit> found;
    rows.index(exact_below)->search(Vector{1}, 100, found);
    expect_same(found, sorted_by(rows, Vector{1}, 100));
  }
}

TEST(VectorIndex, ZeroVectorsAreRowsLikeOthers) {
  Rows rows = random_rows(2'000);
  for (int i = 0; i < 500; ++i) rows.add(Vector{});
  for (const int64_t exact_below : {1 << 30, 0}) {
    const auto index = rows.index(exact_below);
    std::vector<VectorHit> found;
    index->search(Vector{}, 50, found);
    EXPECT_EQ(found.size(), 50U);
    for (const VectorHit& hit : found) EXPECT_EQ(hit.similarity, 0);
    index->search_exact(rows.at(0), rows.size(), found);
    expect_same(found, sorted_by(rows, rows.at(0), rows.size()));
  }
}

TEST(VectorIndex, TooFewRowsForListsAreScannedWhateverTheOptionsSay) {
  for (const size_t n : {0U, 1U, 10U, 100U, 1'000U}) {
    const Rows rows = random_rows(n);
    const auto index = rows.index(0);
    EXPECT_EQ(index->probes(), 0) << n;
    std::vector<VectorHit> found;
    index->search(Vector{1}, 10, found);
    expect_same(found, sorted_by(rows, Vector{1}, 10));
  }
}

TEST(VectorIndex, InvertedListsFindNearlyAllOfWhatAScanFinds) {
  const Rows rows = text_rows(20'000);
  const auto index = rows.index(8'000);
  ASSERT_GT(index->probes(), 0);
  EXPECT_GE(index->measured_recall(), 0.995);
  EXPECT_GE(recall(*index, rows, 100, 100), 0.99);
}

TEST(VectorIndex, FindsWhatItFindsWithTheScansOwnSimilarities) {
  const Rows rows = text_rows(9'000);
  const auto index = rows.index(8'000);
  std::vector<VectorHit> exact, found;
  for (size_t i = 0; i < 50; ++i) {
    index->search(rows.at(i), 20, found);
    index->search_exact(rows.at(i), rows.size(), exact);
    ASSERT_EQ(found.size(), 20U);
    std::set<std::pair<ItemIndex, float>> all;
    for (const VectorHit& hit : exact) all.emplace(hit.item, hit.similarity);
    std::set<ItemIndex> distinct;
    for (size_t j = 0; j < found.size(); ++j) {
      ASSERT_TRUE(all.contains({found[j].item, found[j].similarity}));
      ASSERT_TRUE(distinct.insert(found[j].item).second);
      if (j > 0) {
        ASSERT_GE(found[j - 1].similarity, found[j].similarity);
      }
    }
  }
}

TEST(VectorIndex, ARecallThatNeedsEveryListProbesEveryList) {
  const Rows rows = random_rows(2'000);  // without any structure
  const auto index = VectorIndex::build(rows.ids, rows.values,
                                        {.exact_below = 0, .recall_target = 1, .recall_k = 100});
  EXPECT_EQ(index->measured_recall(), 1);
  EXPECT_GT(index->probes(), 4);
  EXPECT_GE(recall(*index, rows, 50, 100), 0.99);
}

TEST(VectorIndex, TheSameRowsGiveTheSameIndex) {
  const Rows rows = text_rows(4'000);
  const auto one = rows.index(0), other = rows.index(0);
  EXPECT_EQ(one->probes(), other->probes());
  EXPECT_EQ(one->measured_recall(), other->measured_recall());
  for (size_t i = 0; i < 100; ++i) {
    std::vector<VectorHit> a, b;
    one->search(rows.at(i), 50, a);
    other->search(rows.at(i), 50, b);
    expect_same(a, b);
  }
}

TEST(VectorIndex, KeepsIdsAndRowsAsTheyWereGiven) {
  const Rows rows = random_rows(40);
  const auto index = rows.index();
  ASSERT_EQ(index->size(), 40U);
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(index->ids()[i], rows.ids[i]);
    EXPECT_TRUE(std::equal(index->row(i), index->row(i) + kDims, rows.at(i).begin()));
  }
}

}  // namespace
}  // namespace shanhuo
