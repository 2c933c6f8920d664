// `shanhuo evaluate grocery`: reviews of 14,681 people in ReChorus's split, leaving one out: the
// item of dev.csv is looked for among 99 drawn items that the viewer has nowhere, and among all
// that it has not in train.csv. --part dev hides each viewer's last item of train.csv instead and
// never opens dev.csv: there the parameters were chosen.
//
// What is scored: cosine / temperature + trend * log(1 + what the item was reviewed
// lately), "lately" being counts that halve every `trend_days`, of reviews before the one in
// question. Neither reads anything of the hidden item's viewer but its history.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/random.h"
#include "models/dense.h"
#include "models/history_softmax.h"
#include "serving/evaluate.h"
#include "serving/model_settings.h"
#include "serving/public_splits.h"

namespace shanhuo {
namespace {

constexpr size_t kListed = 5;
constexpr size_t kNegatives = 99;
constexpr double kHitsWanted = 0.3705;

struct Published {
  const char* name;
  double hits, ndcg;
};
constexpr Published kPublished[] = {{"MostPop", 0.2065, 0.1301},
                                    {"BPRMF", 0.3549, 0.2486},
                                    {"LightGCN", 0.3705, 0.2564},
                                    {"SASRec", 0.3917, 0.2942},
                                    {"ContraRec", 0.4251, 0.3285}};

struct Split {
  std::vector<Review> train;   // in order of time
  std::vector<Review> hidden;  // one a viewer at most, in order of time
  SparseRows histories;        // of train, in order of time
  SparseRows taken;            // what is no negative: train and hidden, ascending
};

// The last review of each viewer who has two, out of `train`.
std::vector<Review> hide_last(std::vector<Review>& train) {
  std::vector<size_t> counts;
  for (const Review& review : train) {
    counts.resize(std::max<size_t>(counts.size(), review.user + 1));
    ++counts[review.user];
  }
  std::vector<Review> kept, hidden;
  std::vector<size_t> met(counts.size());
  for (const Review& review : train) {
    const bool last = ++met[review.user] == counts[review.user] && counts[review.user] > 1;
    (last ? hidden : kept).push_back(review);
  }
  train = std::move(kept);
  return hidden;
}

Result<Split> read_split(const std::string& folder, bool dev) {
  Result<std::vector<Review>> train = read_reviews(folder + "/train.csv");
  if (!train.ok()) return train.error();
  Split split;
  split.train = std::move(train).value();
  if (dev) {
    split.hidden = hide_last(split.train);
  } else {
    Result<std::vector<Review>> hidden = read_reviews(folder + "/dev.csv");
    if (!hidden.ok()) return hidden.error();
    split.hidden = std::move(hidden).value();
  }
  size_t users = 0, items = 0;
  std::vector<SparseRows::Entry> entries, all;
  for (const std::vector<Review>* reviews : {&split.train, &split.hidden}) {
    for (const Review& review : *reviews) {
      users = std::max<size_t>(users, review.user + 1);
      items = std::max<size_t>(items, review.item + 1);
      if (reviews == &split.train) entries.emplace_back(review.user, review.item);
      all.emplace_back(review.user, review.item);
    }
  }
  split.histories = SparseRows::in_order(users, items, entries);
  split.taken = SparseRows(users, items, std::move(all));
  return split;
}

// HR@5 and NDCG@5 of one hidden item each.
class Hits {
 public:
  // `better`: how many stand before the hidden item; a tie counts against it.
  void add(size_t better) {
    ++viewers_;
    if (better >= kListed) return;
    ++found_;
    gained_ += 1 / std::log2(static_cast<double>(better) + 2);
  }
  double rate() const { return found_ / std::max(viewers_, 1.0); }
  double ndcg() const { return gained_ / std::max(viewers_, 1.0); }

 private:
  double viewers_ = 0, found_ = 0, gained_ = 0;
};

// Reviews of each item, halved every `half_life` of time; asked in order of time.
class Trend {
 public:
  Trend(const std::vector<Review>& reviews, size_t items, double half_life_seconds)
      : reviews_(reviews), half_life_(half_life_seconds), counts_(items), at_(items) {}

  void advance_to(int64_t seconds) {
    for (; next_ < reviews_.size() && reviews_[next_].seconds < seconds; ++next_) {
      const Review& review = reviews_[next_];
      counts_[review.item] = count(review.item, review.seconds) + 1;
      at_[review.item] = review.seconds;
    }
  }
  double count(uint32_t item, int64_t seconds) const {
    return counts_[item] * std::exp2(static_cast<double>(at_[item] - seconds) / half_life_);
  }

 private:
  const std::vector<Review>& reviews_;
  const double half_life_;
  std::vector<double> counts_;
  std::vector<int64_t> at_;
  size_t next_ = 0;
};

class GrocerySuite {
 public:
  GrocerySuite(const Split& split, const ModelSettings& settings, uint64_t seed,
               const SuiteProgress& progress)
      : split_(split), settings_(settings), seed_(seed), progress_(progress) {}

  Result<SuiteReport> run(bool dev) {
    use_calling_thread();
    for (const Published& row : kPublished) {
      if (dev) break;
      table_.rows.push_back({cell(row.name), cell(row.hits, 4), cell(row.ndcg, 4), cell("-"),
                             cell("-"), cell("published")});
    }
    const auto start = std::chrono::steady_clock::now();
    Result<HistorySoftmaxState> trained =
        train_history_softmax(split_.histories, settings_.softmax, {}, [&](double share) {
          progress_(0.8 * share);
          return true;
        });
    if (!trained.ok()) return trained.error();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    state_ = std::move(trained).value();
    items_ = serving_items(state_, split_.histories, settings_.softmax);
    judge("popularity", 0, 1, 1e9, 0);
    judge("history softmax", 1, 0, settings_.trend_days, seconds);
    const Hits best = judge("history softmax and what is popular lately", 1, settings_.trend,
                            settings_.trend_days, seconds);
    SuiteReport report;
    report.suite = "grocery";
    report.met = dev || best.rate() >= kHitsWanted;
    report.notes = {std::string("part ") + (dev ? "dev: the last of train.csv is hidden" : "test") +
                        ", " + std::to_string(split_.hidden.size()) + " viewers; seed of the " +
                        std::to_string(kNegatives) + " negatives " + std::to_string(seed_),
                    describe(settings_)};
    report.tables.push_back(std::move(table_));
    return report;
  }

 private:
  size_t dims() const { return static_cast<size_t>(settings_.softmax.dims) + 1; }

  // Adds a row; returns what it has for drawn negatives.
  Hits judge(const std::string& name, double taste, double trend, double days, double seconds) {
    Random random(seed_);
    Trend lately(split_.train, split_.histories.columns(), days * 86'400);
    Hits drawn, full;
    std::vector<float> viewer(dims());
    std::vector<double> scores(split_.histories.columns());
    std::vector<float> similarities(scores.size());
    for (const Review& wanted : split_.hidden) {
      lately.advance_to(wanted.seconds);
      serving_viewer(state_.histories, split_.histories.row(wanted.user),
                     settings_.softmax.nearness, viewer);
      multiply_transposed({viewer.data(), 1, dims()}, {items_.data(), scores.size(), dims()},
                          {similarities.data(), 1, scores.size()});
      for (uint32_t item = 0; item < scores.size(); ++item) {
        scores[item] = taste * similarities[item] / settings_.softmax.temperature;
        if (trend > 0) scores[item] += trend * std::log1p(lately.count(item, wanted.seconds));
      }
      drawn.add(better_of_drawn(wanted, scores, random));
      full.add(better_of_all(wanted, scores));
    }
    table_.rows.push_back({cell(name), cell(drawn.rate(), 4), cell(drawn.ndcg(), 4),
                           cell(full.rate(), 4), cell(full.ndcg(), 4),
                           seconds > 0 ? cell(seconds, 1) : cell("-")});
    return drawn;
  }

  // Distinct items that the viewer has nowhere. Requires: there are that many, or fewer are drawn.
  size_t better_of_drawn(const Review& wanted, const std::vector<double>& scores,
                         Random& random) const {
    const std::span<const uint32_t> taken = split_.taken.row(wanted.user);
    const size_t wanted_count = std::min(kNegatives, scores.size() - taken.size());
    std::vector<uint32_t> drawn;
    size_t better = 0;
    while (drawn.size() < wanted_count) {
      const auto item = static_cast<uint32_t>(random.below(scores.size()));
      if (std::ranges::binary_search(taken, item)) continue;
      if (std::ranges::count(drawn, item) > 0) continue;
      drawn.push_back(item);
      if (scores[item] >= scores[wanted.item]) ++better;
    }
    return better;
  }

  size_t better_of_all(const Review& wanted, const std::vector<double>& scores) const {
    const std::span<const uint32_t> taken = split_.taken.row(wanted.user);
    const auto stands_before = [&](uint32_t item) { return scores[item] >= scores[wanted.item]; };
    size_t better = 0;
    for (uint32_t item = 0; item < scores.size(); ++item) better += stands_before(item) ? 1 : 0;
    return better - static_cast<size_t>(std::ranges::count_if(taken, stands_before));
  }

  const Split& split_;
  const ModelSettings& settings_;
  const uint64_t seed_;
  const SuiteProgress& progress_;
  HistorySoftmaxState state_;
  std::vector<float> items_;
  SuiteTable table_{"models",
                    "the one item that was left out",
                    {"model", "HR@5, 99", "NDCG@5, 99", "HR@5, all", "NDCG@5, all", "training s"},
                    {}};
};

}  // namespace

Result<SuiteReport> evaluate_grocery(const SuiteInput& input, const SuiteProgress& progress) {
  ModelSettings defaults;
  defaults.softmax.nearness = 0.8;
  defaults.softmax.popularity = 0;  // lately says more
  defaults.softmax.temperature = 0.3;
  defaults.softmax.negatives = 256;
  defaults.softmax.epochs = 12;
  const Result<ModelSettings> settings = read_model_settings(input.settings, defaults);
  if (!settings.ok()) return settings.error();
  const std::string folder = (std::filesystem::path(input.data) / "grocery").string();
  const bool dev = input.part == "dev";
  const Result<Split> split = read_split(folder, dev);
  if (!split.ok()) return split.error();
  return GrocerySuite(split.value(), settings.value(), input.seed, progress).run(dev);
}

}  // namespace shanhuo
