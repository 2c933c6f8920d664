#include "serving/impact.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "features/counties.h"
#include "serving/ledger_lines.h"
#include "serving/pack_weight.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"county", "program", "cause", "creator"};
constexpr uint64_t kEntriesAtOnce = 20'000, kEntriesMax = 5'000'000;
constexpr size_t kWorst = 10, kTenths = 10;

class ImpactSums {
 public:
  ImpactSums(const ImpactQuery& query, const ImpactSources& sources)
      : query_(query), sources_(sources) {
    for (const auto& program : sources.world.programs().programs) {
      programs_[program_hash(program->id.view())] = program->id.str();
    }
  }

  Status add_items() {
    for (const auto& chunk : sources_.world.catalogue().chunks) {
      if (!chunk) continue;
      for (const auto& item : *chunk) {
        if (!item) continue;
        if (const Status added = add_item(*item); !added.ok()) return added;
      }
    }
    return {};
  }

  // Donations and claw-backs of the ledger, piece by piece.
  Status add_donations() {
    for (uint64_t next = 0, size = 1; next < size;) {
      if (next >= kEntriesMax) {
        return Error{ErrorCode::kTooLarge, "the ledger has too many entries for one answer"};
      }
      const Result<LedgerPiece> piece =
          read_ledger(sources_.giving, sources_.stored, next, kEntriesAtOnce);
      if (!piece.ok()) return piece.error();
      for (const std::string& body : piece.value().bodies) add_entry(body);
      size = piece.value().size;
      next = piece.value().first + piece.value().bodies.size();
      if (piece.value().bodies.empty()) break;
    }
    return {};
  }

  ImpactReport finish() {
    for (const auto& [key, creators] : households_) {
      for (const auto& [creator, households] : creators) {
        report_.groups[key].households += households;
      }
    }
    for (const auto& [creator, households] : all_households_) {
      report_.totals.households += households;
    }
    if (query_.by == ImpactBy::kCounty) report_.equity = equity();
    return std::move(report_);
  }

 private:
  using Households = std::map<std::string, int64_t, std::less<>>;  // by creator

  // The group of an item; nullopt: none.
  std::optional<std::string> key_of(const Item& item) const {
    switch (query_.by) {
      case ImpactBy::kCounty:
        return item.county;
      case ImpactBy::kCreator:
        return item.creator_id.str();
      case ImpactBy::kCause:
        return item.donation ? std::optional(item.donation->cause) : std::nullopt;
      case ImpactBy::kProgram:
        break;
    }
    return std::nullopt;
  }

  Status add_item(const CatalogueItem& entry) {
    const bool by_program = query_.by == ImpactBy::kProgram;
    const Result<ExposureReport> report =
        sources_.features.exposure({.items = {entry.index},
                                    .from = query_.from,
                                    .to = query_.to,
                                    .step = query_.step.value_or(ExposureStep::kDay),
                                    .by = by_program ? ExposureBy::kProgram : ExposureBy::kNone},
                                   sources_.world.catalogue(), sources_.stored);
    if (!report.ok()) return report.error();
    const Item& item = entry.item;
    const std::optional<std::string> key = key_of(item);
    if (item.donation && key) givers_[item.id.str()] = *key;
    if (query_.by == ImpactBy::kCounty && find_county_832(item.county) != nullptr) {
      report_.groups.try_emplace(item.county);  // with nothing, too: that is what equity asks
    }
    const Counts& counts = report.value().totals.counts;
    if (counts == Counts()) return {};
    add(item, counts, report_.totals, all_households_);
    if (query_.step) add_series(item, report.value().series);
    if (key) add(item, counts, report_.groups[*key], households_[*key]);
    for (const ExposureGroup& group : report.value().groups) {
      const auto name = programs_.find(group.hash);
      const std::string program =
          name != programs_.end() ? name->second : "#" + std::to_string(group.hash);
      add(item, group.numbers.counts, report_.groups[program], households_[program]);
    }
    return {};
  }

  static void add(const Item& item, const Counts& counts, ImpactNumbers& numbers,
                  Households& households) {
    numbers.counts += counts;
    if (counts.orders > 0) numbers.weight_g += counts.orders * pack_grams(item.title);
    if (!item.benefit || counts.orders <= 0) return;
    numbers.income_fen += counts.orders * item.benefit->income_per_order.count();
    int64_t& most = households[item.creator_id.str()];
    most = std::max(most, item.benefit->households);
  }

  void add_series(const Item& item, const std::vector<ExposurePoint>& series) {
    const int64_t income = item.benefit ? item.benefit->income_per_order.count() : 0;
    const int64_t grams = pack_grams(item.title);
    for (const ExposurePoint& point : series) {
      ImpactNumbers& numbers = report_.series[point.ts.count()];
      numbers.counts += point.numbers.counts;
      numbers.income_fen += point.numbers.counts.orders * income;
      numbers.weight_g += point.numbers.counts.orders * grams;
    }
  }

  // The start of the step that a moment belongs to.
  int64_t step_of(Millis ts) const {
    if (query_.step == ExposureStep::kHour) return start_of_hour(hour_of(ts)).count();
    return start_of_day(day_of(ts)).count();
  }

  void add_entry(const std::string& body) {
    const bool money = body.find("\"kind\":\"donation\"") != std::string::npos ||
                       body.find("\"kind\":\"claw_back\"") != std::string::npos;
    const Result<json::Value> entry =
        money ? document_.parse(body + "}") : Result<json::Value>(json::Value());
    int64_t ts = 0, fen = 0;
    std::string_view cause, item;
    if (!entry.ok() || !entry.value().find("ts_ms").get(ts)) return;
    if (Millis(ts) < query_.from || Millis(ts) >= query_.to) return;
    entry.value().find("fen").get(fen);
    entry.value().find("cause").get(cause);
    entry.value().find("item").get(item);
    report_.totals.donated_fen += fen;
    if (query_.step) report_.series[step_of(Millis(ts))].donated_fen += fen;
    if (query_.by == ImpactBy::kCause) report_.groups[std::string(cause)].donated_fen += fen;
    const auto giver = givers_.find(item);
    if (query_.by != ImpactBy::kCause && giver != givers_.end()) {
      report_.groups[giver->second].donated_fen += fen;
    }
  }

  ImpactEquity equity() const {
    ImpactEquity equity;
    std::vector<double> viewable;
    for (const auto& [code, numbers] : report_.groups) {
      if (find_county_832(code) == nullptr) continue;
      viewable.push_back(static_cast<double>(numbers.counts.viewable));
      equity.worst.emplace_back(code, numbers.counts.viewable);
    }
    equity.counties = viewable.size();
    if (viewable.empty()) return equity;
    equity.gini = gini(viewable);
    equity.lorenz = lorenz(std::move(viewable));
    std::stable_sort(equity.worst.begin(), equity.worst.end(),
                     [](const auto& a, const auto& b) { return a.second < b.second; });
    if (equity.worst.size() > kWorst) equity.worst.resize(kWorst);
    return equity;
  }

  const ImpactQuery query_;
  const ImpactSources& sources_;
  std::map<uint32_t, std::string> programs_;                // by hash
  std::map<std::string, std::string, std::less<>> givers_;  // items that donate: their group
  json::Document document_;
  ImpactReport report_;
  std::map<std::string, Households> households_;  // by group
  Households all_households_;
};

}  // namespace

std::optional<ImpactBy> parse_impact_by(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<ImpactBy>(found - kNames.begin());
}

std::string_view impact_by_name(ImpactBy by) { return kNames[static_cast<size_t>(by)]; }

Result<ImpactReport> impact_of(const ImpactQuery& query, const ImpactSources& sources) {
  ImpactSums sums(query, sources);
  if (const Status items = sums.add_items(); !items.ok()) return items.error();
  if (const Status donations = sums.add_donations(); !donations.ok()) return donations.error();
  return sums.finish();
}

double gini(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  if (sum <= 0) return 0;
  const auto n = static_cast<double>(values.size());
  double ranked = 0;
  for (size_t i = 0; i < values.size(); ++i) ranked += static_cast<double>(i + 1) * values[i];
  return 2 * ranked / (n * sum) - (n + 1) / n;
}

std::vector<double> lorenz(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  std::vector<double> shares;
  for (size_t tenth = 0; tenth <= kTenths; ++tenth) {
    const double wanted = static_cast<double>(values.size()) * static_cast<double>(tenth) /
                          static_cast<double>(kTenths);
    const auto whole = static_cast<size_t>(wanted);
    double part =
        std::accumulate(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(whole), 0.0);
    if (whole < values.size()) part += (wanted - std::floor(wanted)) * values[whole];
    shares.push_back(sum > 0 ? part / sum
                             : static_cast<double>(tenth) / static_cast<double>(kTenths));
  }
  return shares;
}

}  // namespace shanhuo
