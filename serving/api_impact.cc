// GET /v1/impact: what exposures have brought, by county, program, cause or creator (contract 2.7).
#include <algorithm>
#include <array>

#include "features/counties.h"
#include "serving/exposure_json.h"
#include "serving/impact.h"
#include "serving/query_params.h"
#include "serving/rank_codec.h"

namespace shanhuo {
namespace {

constexpr Millis kMonth{30 * kDay.count()};
constexpr std::string_view kColumns =
    "served,viewable,boosted_viewable,clicks,orders,boosted_orders,amount_fen,income_fen,"
    "households,donated_fen,weight_g";

constexpr std::string_view kHouseholds = "households";

std::array<int64_t, 11> row_of(const ImpactNumbers& numbers) {
  const Counts& c = numbers.counts;
  return {c.served,           c.viewable,          c.boosted_viewable, c.clicks,
          c.orders,           c.boosted_orders,    c.amount_fen,       numbers.income_fen,
          numbers.households, numbers.donated_fen, numbers.weight_g};
}

void write_row(JsonWriter& json, const ImpactNumbers& numbers, bool of_a_step = false) {
  std::string_view names = kColumns;
  for (const int64_t number : row_of(numbers)) {
    const size_t end = std::min(names.find(','), names.size());
    const std::string_view name = names.substr(0, end);
    if (!of_a_step || name != kHouseholds) json.field(name, number);
    names.remove_prefix(std::min(end + 1, names.size()));
  }
}

void write_series(JsonWriter& json, const std::map<int64_t, ImpactNumbers>& series) {
  json.key("series");
  json.begin_array();
  for (const auto& [ts_ms, numbers] : series) {
    json.begin_object();
    json.field("ts_ms", ts_ms);
    write_row(json, numbers, true);
    json.end_object();
  }
  json.end_array();
}

void write_equity(JsonWriter& json, const ImpactEquity& equity) {
  json.key("equity");
  json.begin_object();
  json.field("counties", equity.counties);
  json.field("gini", equity.gini);
  json.key("lorenz");
  json.begin_array();
  for (const double share : equity.lorenz) json.value(share);
  json.end_array();
  json.key("worst");
  json.begin_array();
  for (const auto& [code, viewable] : equity.worst) {
    json.begin_object();
    json.field("county", code);
    json.field("name", find_county_832(code)->name);
    json.field("viewable", viewable);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

ImpactQuery read_query(const HttpRequest& request, Millis now, std::vector<FieldError>& errors) {
  ImpactQuery query;
  const auto by = parse_impact_by(request.param("by").value_or("county"));
  if (!by) errors.push_back({"?by", "must be county, program, cause or creator"});
  query.by = by.value_or(ImpactBy::kCounty);
  query.to = now + Millis(1);
  read_period(request, kMonth, query.from, query.to, errors);
  if (const auto step = request.param("step")) {
    query.step = parse_exposure_step(*step);
    if (!query.step) errors.push_back({"?step", "must be hour or day"});
  }
  return query;
}

// What an answer is about.
struct Subject {
  const ImpactQuery& query;
  const World& world;
  const Interner& interner;
  double user_loss_ratio;
};

// What people call it; empty: nothing but its id.
std::string name_of(const std::string& key, const Subject& subject) {
  const World& world = subject.world;
  const ImpactBy by = subject.query.by;
  if (by == ImpactBy::kCounty) {
    const County* const county = find_county_832(key);
    return county == nullptr ? "" : std::string(county->province) + std::string(county->name);
  }
  if (by == ImpactBy::kCreator) {
    const auto creator = world.catalogue().creator(CreatorId(key));
    return creator == nullptr ? "" : creator->name;
  }
  if (by == ImpactBy::kProgram) {
    for (const auto& program : world.programs().programs) {
      if (program->id.view() == key) return program->name_zh;
    }
    return "";
  }
  const ItemIndex index = subject.interner.find(key);
  const CatalogueItem* const item = index == kNoItem ? nullptr : world.item(index);
  return item == nullptr ? "" : item->item.title;
}

// "ad" or "public_good", as the program's items are marked; empty: they are not.
std::string_view label_of(const std::string& key, const Subject& subject) {
  if (subject.query.by != ImpactBy::kProgram) return "";
  for (const auto& program : subject.world.programs().programs) {
    if (program->id.view() == key) return label_kind_name(program->label.kind);
  }
  return "";
}

std::string as_csv(const ImpactReport& report, const Subject& subject) {
  std::string out = "key,name," + std::string(kColumns) + "\r\n";
  for (const auto& [key, numbers] : report.groups) {
    out += csv_cell(key) + "," + csv_cell(name_of(key, subject));
    for (const int64_t number : row_of(numbers)) out += "," + std::to_string(number);
    out += "\r\n";
  }
  return out;
}

std::string as_json(const ImpactReport& report, const Subject& subject) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("by", impact_by_name(subject.query.by));
  json.field("from_ms", subject.query.from.count());
  json.field("to_ms", subject.query.to.count());
  json.key("totals");
  json.begin_object();
  write_row(json, report.totals);
  json.end_object();
  json.key("groups");
  json.begin_array();
  for (const auto& [key, numbers] : report.groups) {
    json.begin_object();
    json.field("key", key);
    if (const std::string name = name_of(key, subject); !name.empty()) json.field("name", name);
    if (const auto label = label_of(key, subject); !label.empty()) json.field("label", label);
    write_row(json, numbers);
    json.end_object();
  }
  json.end_array();
  if (subject.query.step) write_series(json, report.series);
  if (report.equity) write_equity(json, *report.equity);
  json.field("user_loss_ratio", subject.user_loss_ratio);
  json.end_object();
  return out;
}

}  // namespace

// By default the last 30 days by county.
void HttpApi::get_impact(Call& call) {
  std::vector<FieldError> errors;
  const ImpactQuery query = read_query(call.request, engine_.time().now(), errors);
  if (!errors.empty()) return call.respond(problem(422, "", "the query is wrong", errors));
  const std::shared_ptr<const World> world = engine_.world();
  const Result<ImpactReport> report =
      impact_of(query, {engine_.features(), engine_.stored(), *world, engine_.giving()});
  if (!report.ok()) return call.respond(problem(report.error()));
  const Subject subject{query, *world, engine_.interner(), engine_.prices().user_loss_ratio()};
  if (wants_csv(call.request)) {
    return call.respond(csv_answer("impact", as_csv(report.value(), subject)));
  }
  call.respond(json_answer(200, as_json(report.value(), subject)));
}

}  // namespace shanhuo
