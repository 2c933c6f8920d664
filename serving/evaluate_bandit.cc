// `shanhuo evaluate open-bandit`: Open Bandit's two policies, each estimated from the log of the
// other one and compared with its own (evaluation.md).
//
// The log of the Bernoulli Thompson sampling ("bts") has the probability of each action that it
// drew, but not of those that it did not; it looks at no context, so its share of an item at a
// position, over the whole of its log, stands for it. No click of its own log is used. The random
// policy draws each item alike. The doubly robust estimate's model of an item at a position is its
// smoothed click rate in the nine tenths of the log in which the action is not.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "models/off_policy.h"
#include "serving/evaluate.h"
#include "serving/table_reader.h"

namespace shanhuo {
namespace {

const std::string kCampaigns[] = {"men", "women"};
constexpr size_t kFolds = 10;
constexpr double kPriorImpressions = 200;  // of the log's mean rate, behind each rate of the model

constexpr double kEffectiveMin = 100;  // with fewer draws an interval means nothing

struct BanditRow {
  int64_t item = 0, position = 0;
  bool click = false;
  double propensity = 0;
};
using BanditLog = std::vector<BanditRow>;
using Place = std::pair<int64_t, int64_t>;  // position, item

Result<BanditLog> read_log(const std::string& path) {
  Result<TableReader> opened =
      TableReader::open(path, {}, {"item_id", "position", "click", "propensity_score"});
  if (!opened.ok()) return opened.error();
  TableReader& table = opened.value();
  BanditLog log;
  for (TableReader::Next next; (next = table.next()) != TableReader::Next::kEnd;) {
    const auto wrong = [&](const std::string& what) {
      return Error{ErrorCode::kInvalid, table.place() + ": " + what};
    };
    if (next == TableReader::Next::kMalformed) return wrong(table.what());
    const auto item = parse_integer(table.field(0)), position = parse_integer(table.field(1)),
               click = parse_integer(table.field(2));
    const auto propensity = parse_decimal(table.field(3));
    if (!item || !position || !click || !propensity) return wrong("a number cannot be read");
    if (*propensity <= 0 || *propensity > 1) return wrong("propensity_score is no probability");
    log.push_back({*item, *position, *click != 0, *propensity});
  }
  if (log.size() < 2) return Error{ErrorCode::kInvalid, path + ": too few rows"};
  return log;
}

// P(item | position) of a policy.
using Policy = std::map<Place, double>;

Policy shares_of(const BanditLog& log) {
  Policy shares;
  std::map<int64_t, double> rows;
  for (const BanditRow& row : log) {
    shares[{row.position, row.item}] += 1;
    rows[row.position] += 1;
  }
  for (auto& [place, share] : shares) share /= rows[place.first];
  return shares;
}

// All items that either log shows, alike at each position.
Policy uniform_over(const Policy& shown) {
  std::map<int64_t, double> items;
  for (const auto& [place, share] : shown) items[place.first] += 1;
  Policy policy;
  for (const auto& [place, share] : shown) policy[place] = 1 / items[place.first];
  return policy;
}

// Smoothed click rates of all rows but those of one fold.
class RateModel {
 public:
  RateModel(const BanditLog& log, size_t without) {
    for (size_t i = 0; i < log.size(); ++i) {
      if (i % kFolds == without) continue;
      Sums& sums = sums_[{log[i].position, log[i].item}];
      sums.rows += 1;
      sums.clicks += log[i].click;
      all_.rows += 1;
      all_.clicks += log[i].click;
    }
  }

  double rate(const Place& place) const {
    const auto found = sums_.find(place);
    const Sums sums = found == sums_.end() ? Sums() : found->second;
    const double mean = all_.rows > 0 ? all_.clicks / all_.rows : 0;
    return (sums.clicks + mean * kPriorImpressions) / (sums.rows + kPriorImpressions);
  }

  // Of an action that `policy` draws at the position.
  std::map<int64_t, double> expected(const Policy& policy) const {
    std::map<int64_t, double> means;
    for (const auto& [place, probability] : policy) means[place.first] += probability * rate(place);
    return means;
  }

 private:
  struct Sums {
    double rows = 0, clicks = 0;
  };
  std::map<Place, Sums> sums_;
  Sums all_;
};

std::vector<LoggedAction> weighed(const BanditLog& log, const Policy& policy) {
  std::vector<LoggedAction> actions(log.size());
  for (size_t fold = 0; fold < kFolds; ++fold) {
    const RateModel model(log, fold);
    const std::map<int64_t, double> expected = model.expected(policy);
    for (size_t i = fold; i < log.size(); i += kFolds) {
      const Place place{log[i].position, log[i].item};
      const auto probability = policy.find(place);
      const auto mean = expected.find(place.first);
      actions[i] = {
          .reward = log[i].click ? 1.0 : 0.0,
          .weight = probability == policy.end() ? 0 : probability->second / log[i].propensity,
          .modelled = model.rate(place),
          .expected = mean == expected.end() ? 0 : mean->second};
    }
  }
  return actions;
}

Estimate own_rate(const BanditLog& log) {
  std::vector<double> clicks;
  for (const BanditRow& row : log) clicks.push_back(row.click ? 1 : 0);
  return mean_of(clicks);
}

void add_rows(const std::string& what, const BanditLog& log, const Policy& policy,
              const Estimate& own, SuiteTable* table, bool* met) {
  const OffPolicyEstimates estimates = estimate_off_policy(weighed(log, policy));
  const std::array<std::pair<const char*, const Estimate*>, 3> rows = {
      {{"IPS", &estimates.ips}, {"SNIPS", &estimates.snips}, {"DR", &estimates.dr}}};
  for (const auto& [name, estimate] : rows) {
    const bool counts = estimates.effective_sample >= kEffectiveMin;
    const bool covers = estimate->covers(own.value);
    *met = *met && (covers || !counts);
    table->rows.push_back({cell(what), cell(name), cell(100 * estimate->value, 3),
                           cell(100 * estimate->low, 3), cell(100 * estimate->high, 3),
                           cell(100 * own.value, 3), cell(100 * own.low, 3),
                           cell(100 * own.high, 3), cell(estimates.effective_sample, 0),
                           cell(!counts  ? "too few"
                                : covers ? "yes"
                                         : "no")});
  }
}

}  // namespace

Result<SuiteReport> evaluate_open_bandit(const SuiteInput& input, const SuiteProgress& progress) {
  SuiteReport report;
  report.suite = "open-bandit";
  report.notes = {
      "clicks in percent of impressions; intervals of 95 %; nothing is random",
      "effective: so many draws of the estimated policy's own would tell as much; below 100 no "
      "verdict"};
  SuiteTable table{"estimates",
                   "a policy's click rate from the log of the other one, beside its own log's",
                   {"policy from log", "estimator", "estimate", "low", "high", "own log", "own low",
                    "own high", "effective", "covers"},
                   {}};
  const std::string folder = input.data + "/open_bandit/";
  const auto log_of = [&folder](std::string_view policy, std::string_view campaign) {
    return read_log(std::string(folder).append(policy).append(campaign).append(".csv"));
  };
  double done = 0;
  for (const std::string& campaign : kCampaigns) {
    Result<BanditLog> random = log_of("random_", campaign);
    if (!random.ok()) return random.error();
    Result<BanditLog> bts = log_of("bts_", campaign);
    if (!bts.ok()) return bts.error();
    add_rows(std::string(campaign).append(": bts from random"), random.value(),
             shares_of(bts.value()), own_rate(bts.value()), &table, &report.met);
    add_rows(std::string(campaign).append(": random from bts"), bts.value(),
             uniform_over(shares_of(random.value())), own_rate(random.value()), &table,
             &report.met);
    progress(done += 0.5);
  }
  report.tables.push_back(std::move(table));
  return report;
}

}  // namespace shanhuo
