// `shanhuo evaluate cold-start`: items that training never saw. A tenth of the items of each
// data set's train file, drawn, is hidden with all that happened to it; the rest is learned from,
// and for each viewer the hidden items are ranked among themselves, as on a shelf of what is new.
//
// What is known of a new item: its category (grocery), nothing (gowalla), or who came first. The
// first kFirst viewers of each hidden item (drawn where a set has no times) are therefore set
// aside for every row, and only those who came later are looked for: rows differ in what they know
// and in nothing else.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/random.h"
#include "models/graph_filter.h"
#include "models/row_math.h"
#include "serving/evaluate.h"
#include "serving/model_settings.h"
#include "serving/public_splits.h"
#include "serving/top_items.h"

namespace shanhuo {
namespace {

using Entries = std::vector<SparseRows::Entry>;  // viewer, item

constexpr size_t kListed = 20;
constexpr size_t kFirst = 5;
constexpr double kHiddenShare = 0.1;
constexpr size_t kRandomDims = 16;

struct ColdSplit {
  std::vector<uint32_t> items;                // hidden ones, by number on the shelf
  SparseRows warm;                            // viewers x items, of what is not hidden
  std::vector<std::vector<uint32_t>> firsts;  // by number on the shelf: viewers, first ones first
  SparseRows wanted;                          // viewers x shelf: who came later
};

// `entries`: the earlier first.
ColdSplit hide_items(const Entries& entries, size_t viewers, size_t items, Random& random) {
  constexpr uint32_t kWarm = UINT32_MAX;
  std::vector<uint32_t> place(items, kWarm);
  std::vector<bool> known(items);
  for (const auto& [viewer, item] : entries) known[item] = true;
  ColdSplit split;
  for (uint32_t item = 0; item < items; ++item) {
    if (!known[item] || !random.chance(kHiddenShare)) continue;
    place[item] = static_cast<uint32_t>(split.items.size());
    split.items.push_back(item);
  }
  split.firsts.resize(split.items.size());
  Entries warm, wanted;
  for (const auto& [viewer, item] : entries) {
    if (place[item] == kWarm) {
      warm.emplace_back(viewer, item);
    } else if (split.firsts[place[item]].size() < kFirst) {
      split.firsts[place[item]].push_back(viewer);
    } else {
      wanted.emplace_back(viewer, place[item]);
    }
  }
  split.warm = SparseRows(viewers, items, std::move(warm));
  split.wanted = SparseRows(viewers, split.items.size(), std::move(wanted));
  return split;
}

class ColdTable {
 public:
  ColdTable(const ColdSplit& split, const ModelSettings& settings, std::string name)
      : split_(split),
        settings_(settings),
        dims_(static_cast<size_t>(settings.filter.dims)),
        table_{std::move(name),
               std::to_string(split.items.size()) + " hidden items ranked for each viewer",
               {"known of them", "Recall@20", "NDCG@20", "x popularity"},
               {}} {}

  // The rows that every set has. `categories`: by item, or empty.
  Status fill(const std::vector<uint32_t>& categories, Random& random,
              const std::function<void(double share)>& progress) {
    const Result<GraphFilter> learned = learn_graph_filter(split_.warm, settings_.filter, progress);
    if (!learned.ok()) return learned.error();
    viewers_.resize(split_.warm.rows() * dims_);
    for (size_t u = 0; u < split_.warm.rows(); ++u) {
      graph_filter_viewer(learned.value().histories, split_.warm.row(u),
                          std::span(viewers_).subspan(u * dims_, dims_));
    }
    add_popularity();
    add_random(random);
    if (!categories.empty()) add_category(categories, learned.value().candidates);
    for (const size_t count : {size_t{1}, size_t{2}, kFirst}) add_firsts(count);
    return {};
  }

  SuiteTable take() { return std::move(table_); }

 private:
  void add(const std::string& name, const std::vector<float>& viewers,
           const std::vector<float>& items, size_t dims) {
    const SparseRows nothing(split_.warm.rows(), split_.items.size(), {});
    const ListQuality quality = judge_scan({viewers.data(), split_.warm.rows(), dims},
                                           {items.data(), split_.items.size(), dims}, nothing,
                                           split_.wanted, kListed, settings_.filter.threads);
    if (table_.rows.empty()) popularity_ = quality.recall;
    table_.rows.push_back({cell(name), cell(quality.recall, 4), cell(quality.ndcg, 4),
                           cell(quality.recall / std::max(popularity_, 1e-9), 1)});
  }

  // Nobody can know this of a new item; it is what ranking by popularity could reach at most.
  void add_popularity() {
    const SparseRows audience = split_.wanted.transposed();
    std::vector<float> items(split_.items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      items[i] = static_cast<float>(audience.row(i).size());
    }
    add("how popular it will be", std::vector<float>(split_.warm.rows(), 1.0F), items, 1);
  }

  void add_random(Random& random) {
    const auto drawn = [&random](size_t rows) {
      std::vector<float> values(rows * kRandomDims);
      for (float& x : values) x = static_cast<float>(random.normal());
      return values;
    };
    const std::vector<float> viewers = drawn(split_.warm.rows());
    add("nothing: random", viewers, drawn(split_.items.size()), kRandomDims);
  }

  // An item stands where the others of its category do, on average.
  void add_category(const std::vector<uint32_t>& categories, const std::vector<float>& known) {
    const auto category_of = [&categories](uint32_t item) {
      return item < categories.size() ? categories[item] : 0;
    };
    const SparseRows audience = split_.warm.transposed();
    const size_t count = categories.empty() ? 1 : std::ranges::max(categories) + 1;
    std::vector<float> means(count * dims_), popular(count), members(count);
    for (uint32_t item = 0; item < audience.rows(); ++item) {
      if (audience.row(item).empty()) continue;
      const uint32_t category = category_of(item);
      add_scaled(known.data() + item * dims_, 1, means.data() + category * dims_, dims_);
      popular[category] += static_cast<float>(audience.row(item).size());
      ++members[category];
    }
    std::vector<float> items(split_.items.size() * dims_), counts(split_.items.size());
    for (size_t i = 0; i < split_.items.size(); ++i) {
      const uint32_t category = category_of(split_.items[i]);
      const float share = 1 / std::max(members[category], 1.0F);
      counts[i] = popular[category] * share;
      add_scaled(means.data() + category * dims_, share, items.data() + i * dims_, dims_);
    }
    add("category: how popular its items are", std::vector<float>(split_.warm.rows(), 1.0F), counts,
        1);
    add("category: its items' mean vector", viewers_, items, dims_);
  }

  // An item stands where those who came first do.
  void add_firsts(size_t count) {
    std::vector<float> items(split_.items.size() * dims_);
    for (size_t i = 0; i < split_.items.size(); ++i) {
      for (size_t n = 0; n < std::min(count, split_.firsts[i].size()); ++n) {
        add_scaled(viewers_.data() + split_.firsts[i][n] * dims_, 1, items.data() + i * dims_,
                   dims_);
      }
    }
    unit_rows(items, dims_);
    add("its first " + std::to_string(count) + (count == 1 ? " viewer" : " viewers"), viewers_,
        items, dims_);
  }

  const ColdSplit& split_;
  const ModelSettings& settings_;
  const size_t dims_;
  std::vector<float> viewers_;  // viewers x dims
  double popularity_ = 0;
  SuiteTable table_;
};

// Without times: any order.
void shuffle(Entries& entries, Random& random) {
  for (size_t n = entries.size(); n > 1; --n) std::swap(entries[n - 1], entries[random.below(n)]);
}

Result<SuiteTable> cold_table(std::string name, const Entries& entries,
                              const std::vector<uint32_t>& categories,
                              const ModelSettings& settings, Random& random,
                              const SuiteProgress& progress) {
  size_t viewers = 0, items = 0;
  for (const auto& [viewer, item] : entries) {
    viewers = std::max<size_t>(viewers, viewer + 1);
    items = std::max<size_t>(items, item + 1);
  }
  const ColdSplit split = hide_items(entries, viewers, items, random);
  if (split.wanted.entries() == 0) {
    return Error{ErrorCode::kInvalid,
                 name + ": no hidden item has " + std::to_string(kFirst + 1) + " viewers"};
  }
  ColdTable table(split, settings, std::move(name));
  if (const Status filled = table.fill(categories, random, progress); !filled.ok()) {
    return filled.error();
  }
  return table.take();
}

}  // namespace

Result<SuiteReport> evaluate_cold_start(const SuiteInput& input, const SuiteProgress& progress) {
  ModelSettings defaults;
  defaults.filter.dims = 256;
  const Result<ModelSettings> settings = read_model_settings(input.settings, defaults);
  if (!settings.ok()) return settings.error();
  use_calling_thread();
  const std::filesystem::path data(input.data);
  const Result<std::vector<Review>> reviews =
      read_reviews((data / "grocery" / "train.csv").string());
  if (!reviews.ok()) return reviews.error();
  const Result<std::vector<uint32_t>> categories =
      read_categories((data / "grocery" / "item_category.tsv").string());
  if (!categories.ok()) return categories.error();
  Result<Entries> check_ins = read_user_lines((data / "gowalla" / "train.txt").string());
  if (!check_ins.ok()) return check_ins.error();
  Random random(input.seed);
  Entries reviewed;
  for (const Review& review : reviews.value()) reviewed.emplace_back(review.user, review.item);
  shuffle(check_ins.value(), random);
  Result<SuiteTable> grocery =
      cold_table("grocery", reviewed, categories.value(), settings.value(), random,
                 [&progress](double share) { progress(0.2 * share); });
  if (!grocery.ok()) return grocery.error();
  Result<SuiteTable> gowalla =
      cold_table("gowalla", check_ins.value(), {}, settings.value(), random,
                 [&progress](double share) { progress(0.2 + 0.7 * share); });
  if (!gowalla.ok()) return gowalla.error();
  SuiteReport report;
  report.suite = "cold-start";
  report.notes = {"seed " + std::to_string(input.seed) + "; a tenth of the items is hidden",
                  describe(settings.value()),
                  "gowalla has no content: before its first visitor a place is a guess"};
  report.tables = {std::move(grocery).value(), std::move(gowalla).value()};
  return report;
}

}  // namespace shanhuo
