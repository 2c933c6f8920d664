#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "models/dense.h"
#include "models/text_encoder.h"
#include "models/vector_model.h"

namespace shanhuo {
namespace {

constexpr size_t kItems = 40;

Item item_of(std::string_view id, const std::string& title = "") {
  Item item;
  item.id = ItemId(id);
  item.title = title;
  item.creator_id = CreatorId(std::string_view("creator"));
  return item;
}

std::shared_ptr<const TextMap> map_of(size_t dims) {
  Random random(3);
  const std::vector<std::string> texts = {item_text(item_of("a", "猕猴桃")),
                                          item_text(item_of("b", "苹果"))};
  std::vector<float> targets(texts.size() * dims);
  for (float& x : targets) x = static_cast<float>(random.normal());
  return std::make_shared<const TextMap>(
      TextMap::learn(texts, targets, dims, {.bits = 10}).value());
}

// Random vectors of "item-0" and so on; item i had i viewers.
VectorModelParts parts_of(VectorModelKind kind) {
  const bool als = kind == VectorModelKind::kAls;
  Random random(1);
  VectorModelParts parts;
  parts.version = "v1";
  parts.kind = kind;
  parts.als.dims = kDims;
  for (size_t i = 0; i < kItems; ++i) {
    parts.items.push_back("item-" + std::to_string(i));
    parts.evidence.push_back(static_cast<uint32_t>(i));
    Vector candidate;
    for (float& x : candidate) x = static_cast<float>(random.normal());
    normalise(candidate);
    for (int k = 0; k < kDims; ++k) parts.histories.push_back(static_cast<float>(random.normal()));
    if (!als) parts.candidates.insert(parts.candidates.end(), candidate.begin(), candidate.end());
  }
  parts.text = map_of(als ? kDims : 2 * kDims);
  return parts;
}

std::shared_ptr<const VectorModel> model_of(VectorModelParts parts) {
  Result<std::shared_ptr<const VectorModel>> made = VectorModel::make(std::move(parts));
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return std::move(made).value();
}

Vector row(const std::vector<float>& rows, size_t r) {
  Vector out;
  std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(r * kDims), kDims, out.begin());
  return out;
}

double length(const Vector& vector) { return std::sqrt(dot(vector, vector)); }

class EachKind : public testing::TestWithParam<VectorModelKind> {
 protected:
  EachKind() { use_calling_thread(); }
};

TEST_P(EachKind, CandidatesAndViewersAreOfUnitLength) {
  const auto model = model_of(parts_of(GetParam()));
  std::vector<Vector> histories;
  for (const char* id : {"item-3", "item-39", "item-0", "never met"}) {
    const ItemVectors vectors = model->of(item_of(id, "猕猴桃"));
    EXPECT_NEAR(length(vectors.candidate), 1, 1e-5) << id;
    histories.push_back(vectors.history);
    EXPECT_NEAR(length(model->viewer(histories)), 1, 1e-5);
  }
}

TEST_P(EachKind, WithoutHistoryOrTextThereIsNoVector) {
  VectorModelParts parts = parts_of(GetParam());
  parts.text = nullptr;
  const auto model = model_of(std::move(parts));
  EXPECT_EQ(model->viewer({}), Vector{});
  const ItemVectors unknown = model->of(item_of("never met", "猕猴桃"));
  EXPECT_EQ(unknown.candidate, Vector{});
  EXPECT_EQ(unknown.history, Vector{});
  EXPECT_FALSE(model->knows("never met"));
  EXPECT_TRUE(model->knows("item-1"));
  const std::vector<Vector> nothing(3);
  EXPECT_EQ(model->viewer(nothing), Vector{});
}

TEST_P(EachKind, AnItemLeansOnItsTextUntilManyHaveSeenIt) {
  VectorModelParts parts = parts_of(GetParam());
  parts.evidence = std::vector<uint32_t>(kItems, 0);
  parts.evidence[1] = 10;  // evidence_half
  parts.evidence[2] = 1'000'000'000;
  const std::vector<float> own = parts.histories;
  const auto model = model_of(std::move(parts));
  const Vector text = model->of(item_of("never met", "猕猴桃")).history;
  const auto history = [&](const char* id) { return model->of(item_of(id, "猕猴桃")).history; };
  for (int k = 0; k < kDims; ++k) {
    EXPECT_NEAR(history("item-0")[k], text[k], 1e-6);
    EXPECT_NEAR(history("item-1")[k], (row(own, 1)[k] + text[k]) / 2, 1e-6);
    EXPECT_NEAR(history("item-2")[k], row(own, 2)[k], 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(VectorModel, EachKind,
                         testing::Values(VectorModelKind::kAls, VectorModelKind::kHistorySoftmax),
                         [](const auto& info) {
                           return info.param == VectorModelKind::kAls ? "Als" : "Softmax";
                         });

TEST(VectorModel, TheViewerOfASoftmaxIsTheSumWithTheLatestCountingMost) {
  VectorModelParts parts = parts_of(VectorModelKind::kHistorySoftmax);
  parts.nearness = 0.5;
  const std::vector<float> rows = parts.histories;
  const auto model = model_of(std::move(parts));
  const std::vector<Vector> history = {row(rows, 5), row(rows, 6), row(rows, 7)};
  const Vector viewer = model->viewer(history);
  Vector sum{};
  for (int k = 0; k < kDims; ++k) {
    sum[k] = 0.25F * history[0][k] + 0.5F * history[1][k] + history[2][k];
  }
  normalise(sum);
  for (int k = 0; k < kDims; ++k) EXPECT_NEAR(viewer[k], sum[k], 1e-6);
}

// The slow twin: the normal equations in doubles, by Gaussian elimination.
TEST(VectorModel, TheViewerOfAlsIsTheExactMinimum) {
  use_calling_thread();
  VectorModelParts parts = parts_of(VectorModelKind::kAls);
  const AlsOptions options = parts.als;
  const std::vector<float> rows = parts.histories;
  const auto model = model_of(std::move(parts));
  const std::vector<Vector> history = {row(rows, 1), row(rows, 9), Vector{0.5F, -2, 1}};
  const double seen = static_cast<double>(history.size());
  const double ridge = options.regularisation * std::pow(seen + options.unobserved_weight * kItems,
                                                         options.frequency_exponent);
  std::vector<std::vector<double>> a(kDims, std::vector<double>(kDims + 1));
  for (int r = 0; r < kDims; ++r) {
    a[r][r] = ridge;
    for (int c = 0; c < kDims; ++c) {
      for (size_t i = 0; i < kItems; ++i) {
        a[r][c] +=
            options.unobserved_weight * static_cast<double>(row(rows, i)[r]) * row(rows, i)[c];
      }
      for (const Vector& h : history) a[r][c] += static_cast<double>(h[r]) * h[c];
    }
    for (const Vector& h : history) a[r][kDims] += h[r];
  }
  for (int p = 0; p < kDims; ++p) {
    for (int r = 0; r < kDims; ++r) {
      if (r == p) continue;
      const double factor = a[r][p] / a[p][p];
      for (int c = p; c <= kDims; ++c) a[r][c] -= factor * a[p][c];
    }
  }
  Vector exact;
  for (int r = 0; r < kDims; ++r) exact[r] = static_cast<float>(a[r][kDims] / a[r][r]);
  normalise(exact);
  EXPECT_GT(dot(exact, model->viewer(history)), 0.99999F);
}

TEST(VectorModel, RefusesWhatCannotBeServedAndSaysWhy) {
  using Parts = VectorModelParts;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::pair<const char*, std::function<void(Parts&)>>> broken = {
      {"version", [](Parts& p) { p.version = "../other"; }},
      {"version", [](Parts& p) { p.version.clear(); }},
      {"there is none",
       [](Parts& p) {
         p = Parts();
         p.version = "v1";
       }},
      {"twice", [](Parts& p) { p.items[1] = p.items[0]; }},
      {"evidence", [](Parts& p) { p.evidence.pop_back(); }},
      {"histories: not 64", [](Parts& p) { p.histories.pop_back(); }},
      {"histories: not every", [nan](Parts& p) { p.histories[70] = nan; }},
      {"candidates: not 64", [](Parts& p) { p.candidates.resize(kItems * 32); }},
      {"unit length", [nan](Parts& p) { p.candidates[7] = nan; }},
      {"unit length", [](Parts& p) { p.candidates[7] += 1; }},
      {"candidates: als", [](Parts& p) { p.kind = VectorModelKind::kAls; }},
      {"nearness", [](Parts& p) { p.nearness = 0; }},
      {"evidence_half", [](Parts& p) { p.evidence_half = -1; }},
      {"text", [](Parts& p) { p.text = map_of(kDims); }},
  };
  for (const auto& [reason, spoil] : broken) {
    Parts parts = parts_of(VectorModelKind::kHistorySoftmax);
    spoil(parts);
    const auto made = VectorModel::make(std::move(parts));
    ASSERT_FALSE(made.ok()) << reason;
    EXPECT_NE(made.error().message.find(reason), std::string::npos) << made.error().message;
  }
}

}  // namespace
}  // namespace shanhuo
