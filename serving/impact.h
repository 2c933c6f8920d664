// What the engine's exposures have brought, by county, program, cause or creator (contract 2.7):
// sums of the rollups of all items of the catalogue, and of the ledger's donations.
//
// amount_fen is what viewers paid, net of refunds; income_fen what producers earned of it: orders
// times the item's benefit.income_fen_per_order. households: those of items that sold; of several
// items of one creator the largest number counts, since they are the same people. donated_fen:
// donations less claw-backs whose order or refund happened in the time asked for.
//
// weight_g: orders times what the item's title says a pack weighs (pack_weight.h).
//
// By program, counts are those of exposures that a valid token gives to it; donations are not known
// by program. By cause, an item belongs to the one that it donates to.
//
// As a series by hour or day: the same sums but for households, which are not a sum over time.
//
// Reads some hours of each item: about 10 us an item. Thread-safe; of no use on a serving thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "features/exposure.h"
#include "features/feature_store.h"
#include "features/giving.h"
#include "ranking/world.h"

namespace shanhuo {

enum class ImpactBy : uint8_t { kCounty, kProgram, kCause, kCreator };
std::optional<ImpactBy> parse_impact_by(std::string_view name);
std::string_view impact_by_name(ImpactBy by);

struct ImpactQuery {
  ImpactBy by = ImpactBy::kCounty;
  Millis from, to;  // rollups: whole hours, as ExposureQuery; donations: [from, to)
  std::optional<ExposureStep> step{};  // of the series; none: there is none
};

struct ImpactNumbers {
  Counts counts;
  int64_t income_fen = 0;
  int64_t households = 0;
  int64_t donated_fen = 0;
  int64_t weight_g = 0;
};

// How evenly viewable exposures fall on the counties, of the 832, that have an item.
struct ImpactEquity {
  size_t counties = 0;
  double gini = 0;                                     // 0: all alike .. 1: one has all
  std::vector<double> lorenz;                          // share of the poorest 0, 10, .. 100 %
  std::vector<std::pair<std::string, int64_t>> worst;  // county code, viewable; fewest first
};

struct ImpactReport {
  ImpactNumbers totals;
  std::map<int64_t, ImpactNumbers> series;      // by the step's start [ms]; households are 0
  std::map<std::string, ImpactNumbers> groups;  // by county code, program, cause or creator id
  std::optional<ImpactEquity> equity;           // by county
};

struct ImpactSources {
  const FeatureStore& features;
  const StateReader& stored;
  const World& world;
  const GivingBook& giving;
};

// kTooLarge when an item has too many hours, or the ledger too many entries.
Result<ImpactReport> impact_of(const ImpactQuery& query, const ImpactSources& sources);

// Of at least one number, none below 0. Gini: mean absolute difference by twice the mean; 0 when
// all are 0. lorenz()[i]: the share that the smallest i tenths have, the last one in part.
double gini(std::vector<double> values);
std::vector<double> lorenz(std::vector<double> values);

}  // namespace shanhuo
