// `shanhuo evaluate kuairand-ctr`: clicks of KuaiRand-Pure predicted one by one, each before it is
// learned from (evaluation.md). The same pass with what is learned stopped after the first half,
// and with what is known of viewers, or all of it, brought up to date only every hour or every day.
#include <algorithm>
#include <span>

#include "serving/evaluate.h"
#include "serving/kuairand_data.h"
#include "serving/kuairand_pass.h"
#include "serving/prequential.h"

namespace shanhuo {
namespace {

constexpr Millis kHour{3'600'000}, kDay{86'400'000};
constexpr size_t kImpressionsMin = 120;  // ten in each part that is judged

ValueModelOptions untuned() {
  ValueModelOptions options;
  options.alpha = 0.1F;
  options.slots_log2 = 20;
  return options;
}

// What stands in the tables by its place.
enum Place { kConstant, kBaseline, kFactored, kHistories, kUnmapped, kOurs, kOursFactored };

std::vector<ClickContestant> contestants() {
  ValueModelOptions ours;
  ours.slots_log2 = 20;
  return {
      {.name = "constant", .predictor = ClickPredictor::kConstant, .model = {}},
      {.name = "hashed logistic", .features = KuaiRandFeatureSet::kIds, .model = untuned()},
      {.name = "  and factors",
       .features = KuaiRandFeatureSet::kIds,
       .model = untuned(),
       .factored = true},
      {.name = "  and histories", .features = KuaiRandFeatureSet::kHistories, .model = untuned()},
      {.name = "ours, unmapped", .model = ours},
      {.name = "ours", .model = ours, .mapped = true},
      {.name = "ours and factors", .model = ours, .factored = true, .mapped = true},
  };
}

void add_quality(const PredictionQuality& quality, std::vector<SuiteCell>& row) {
  row.push_back(cell(quality.auc, 4));
  row.push_back(cell(quality.logloss, 4));
  row.push_back(cell(quality.calibration_error, 4));
}

struct Outcome {
  std::vector<Prediction> predictions;
  PredictionQuality whole, last_half;
  std::vector<ProbabilityMap::Point> map;
};

struct Freshening {
  std::string name;
  ClickFreshness freshness;
};

std::vector<Freshening> freshenings() {
  return {{"at once", {}},
          {"viewers every hour", {.viewers = kHour}},
          {"viewers every day", {.viewers = kDay}},
          {"all every hour", {kHour, kHour, kHour}},
          {"all every day", {kDay, kDay, kDay}}};
}

class ClickSuite {
 public:
  ClickSuite(const KuaiRandData& data, const SuiteProgress& progress)
      : data_(data), half_(data.impressions.size() / 2), progress_(progress) {}

  SuiteReport report() {
    for (const ClickContestant& contestant : contestants_) {
      online_.push_back(run(contestant, {}, kLearnForEver));
      frozen_.push_back(run(contestant, {}, half_));
    }
    SuiteReport report;
    report.suite = "kuairand-ctr";
    report.notes = notes();
    report.tables = {models(), ages(), deciles(), map(), freshness()};
    report.tables.push_back(targets(&report.met));
    return report;
  }

 private:
  Outcome run(const ClickContestant& contestant, const ClickFreshness& freshness,
              size_t learn_until) {
    const double passes = static_cast<double>(2 * contestants_.size() + freshenings().size() - 1);
    const double total = passes * static_cast<double>(data_.impressions.size());
    ClickPass pass = run_clicks(data_, contestant, freshness, learn_until, [&](size_t predicted) {
      progress_(std::min(1.0, done_ += static_cast<double>(predicted) / total));
    });
    Outcome outcome;
    outcome.predictions = std::move(pass.predictions);
    outcome.map = std::move(pass.map);
    outcome.whole = quality_of(outcome.predictions);
    outcome.last_half = quality_of(std::span(outcome.predictions).subspan(half_));
    return outcome;
  }

  std::vector<std::string> notes() const {
    return {std::to_string(data_.impressions.size()) + " impressions in time order, " +
                std::to_string(data_.repeats) + " repeats left out; nothing is random",
            "each click is predicted before it is learned; \"first half\": nothing of the second "
            "half becomes known, neither to the model nor of viewers or videos",
            "baseline: hashed logistic by FTRL with alpha 0.1, beta 1, l2 1, as it comes; ours: "
            "features, scales and alpha chosen on the first third",
            "half: the last half alone; error: the largest difference of mean prediction and click "
            "rate in a decile of prediction"};
  }

  SuiteTable models() const {
    SuiteTable table{
        "models",
        "clicks predicted one by one",
        {"model", "learns", "auc", "logloss", "error", "auc, half", "logloss, half", "error, half"},
        {}};
    for (size_t i = 0; i < contestants_.size(); ++i) {
      for (const Outcome* outcome : {&online_[i], &frozen_[i]}) {
        std::vector<SuiteCell> row{cell(contestants_[i].name),
                                   cell(outcome == &online_[i] ? "always" : "first half")};
        add_quality(outcome->whole, row);
        add_quality(outcome->last_half, row);
        table.rows.push_back(std::move(row));
      }
    }
    return table;
  }

  // What a model that learns no more loses as it ages.
  SuiteTable ages() const {
    SuiteTable table{"ages",
                     "AUC of each sixth of the last half: what a frozen model loses with its age",
                     {"sixth", "hashed logistic", "frozen", "ours", "ours, frozen"},
                     {}};
    const size_t rest = data_.impressions.size() - half_;
    for (size_t k = 0; k < kAges; ++k) {
      const size_t begin = half_ + rest * k / kAges, end = half_ + rest * (k + 1) / kAges;
      std::vector<SuiteCell> row{cell(static_cast<double>(k + 1), 0)};
      for (const Outcome* outcome :
           {&online_[kBaseline], &frozen_[kBaseline], &online_[kOurs], &frozen_[kOurs]}) {
        const auto part = std::span(outcome->predictions).subspan(begin, end - begin);
        row.push_back(cell(quality_of(part).auc, 4));
      }
      table.rows.push_back(std::move(row));
    }
    return table;
  }

  SuiteTable deciles() const {
    SuiteTable table{"deciles",
                     "ours by decile of prediction",
                     {"decile", "predicted", "clicked", "predicted, half", "clicked, half"},
                     {}};
    const Outcome& ours = online_[kOurs];
    for (size_t d = 0; d < ours.whole.deciles.size(); ++d) {
      const PredictionDecile &whole = ours.whole.deciles[d], &half = ours.last_half.deciles[d];
      table.rows.push_back({cell(static_cast<double>(d + 1), 0), cell(whole.predicted, 4),
                            cell(whole.observed, 4), cell(half.predicted, 4),
                            cell(half.observed, 4)});
    }
    return table;
  }

  SuiteTable map() const {
    SuiteTable table{"map", "what the map makes of ours at the end", {"from", "to", "labels"}, {}};
    for (const ProbabilityMap::Point& point : online_[kOurs].map) {
      if (point.labels < 1) continue;
      table.rows.push_back({cell(point.before, 4), cell(point.after, 4), cell(point.labels, 0)});
    }
    return table;
  }

  SuiteTable freshness() {
    SuiteTable table{"freshness",
                     "ours, by when what was seen becomes known",
                     {"becomes known", "auc", "logloss", "auc lost", "auc, half", "auc lost, half"},
                     {}};
    for (const Freshening& each : freshenings()) {
      const bool live = each.freshness.viewers == Millis(0);
      const Outcome outcome =
          live ? online_[kOurs] : run(contestants_[kOurs], each.freshness, kLearnForEver);
      table.rows.push_back(
          {cell(each.name), cell(outcome.whole.auc, 4), cell(outcome.whole.logloss, 4),
           cell(online_[kOurs].whole.auc - outcome.whole.auc, 4), cell(outcome.last_half.auc, 4),
           cell(online_[kOurs].last_half.auc - outcome.last_half.auc, 4)});
    }
    return table;
  }

  SuiteTable targets(bool* met) const {
    SuiteTable table{"targets", "what was asked for", {"target", "measured", "bound", "met"}, {}};
    const auto row = [&](const char* name, double value, double bound, bool above) {
      const bool reached = above ? value >= bound : value <= bound;
      *met = *met && reached;
      table.rows.push_back(
          {cell(name), cell(value, 4), cell(bound, 4), cell(reached ? "yes" : "no")});
    };
    const Outcome &ours = online_[kOurs], &baseline = online_[kBaseline];
    row("auc above hashed logistic", ours.whole.auc - baseline.whole.auc, 0.010, true);
    row("the same with histories", ours.whole.auc - online_[kHistories].whole.auc, 0.010, true);
    row("logloss below hashed logistic", baseline.whole.logloss - ours.whole.logloss, 0, true);
    row("calibration error", ours.whole.calibration_error, 0.01, false);
    row("calibration error, half", ours.last_half.calibration_error, 0.01, false);
    row("auc above frozen, half", ours.last_half.auc - frozen_[kOurs].last_half.auc, 0.010, true);
    return table;
  }

  static constexpr size_t kAges = 6;
  const KuaiRandData& data_;
  const size_t half_;
  const SuiteProgress& progress_;
  const std::vector<ClickContestant> contestants_ = contestants();
  double done_ = 0;
  std::vector<Outcome> online_, frozen_;  // by contestant
};

}  // namespace

Result<SuiteReport> evaluate_kuairand_ctr(const SuiteInput& input, const SuiteProgress& progress) {
  const std::string folder = input.data + "/kuairand";
  Result<KuaiRandData> data = KuaiRandData::read(folder);
  if (!data.ok()) return data.error();
  if (data.value().impressions.size() < kImpressionsMin) {
    return Error{ErrorCode::kInvalid, folder + ": too few impressions"};
  }
  return ClickSuite(data.value(), progress).report();
}

}  // namespace shanhuo
