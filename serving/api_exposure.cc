// GET /v1/creators/{id}/exposure: what a creator's goods got, as JSON or CSV (contract 2.4).
#include <algorithm>
#include <map>

#include "serving/exposure_json.h"
#include "serving/item_advice.h"
#include "serving/query_params.h"
#include "serving/rank_codec.h"
#include "serving/small_counts.h"

namespace shanhuo {

void write_numbers(JsonWriter& json, const ExposureNumbers& numbers) {
  const Counts& counts = numbers.counts;
  json.field("served", counts.served);
  json.field("viewable", counts.viewable);
  if (numbers.unique_viewers) json.field("unique_viewers", *numbers.unique_viewers);
  json.field("clicks", counts.clicks);
  json.field("plays", counts.plays);
  json.field("watch_ms", counts.watch_ms);
  json.field("likes", counts.likes);
  json.field("orders", counts.orders);
  json.field("amount_fen", counts.amount_fen);
  json.field("boosted_viewable", counts.boosted_viewable);
  json.field("boosted_orders", counts.boosted_orders);
}

std::string csv_cell(std::string_view text) {
  std::string out = "\"";
  constexpr std::string_view kFormula = "=+-@\t\r";
  if (!text.empty() && kFormula.find(text.front()) != std::string_view::npos) out += '\'';
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

bool wants_csv(const HttpRequest& request) {
  return request.header("accept").find("text/csv") != std::string_view::npos;
}

HttpResponse csv_answer(std::string_view name, std::string text) {
  HttpResponse response = json_answer(200, std::move(text));
  response.content_type = "text/csv; charset=utf-8";
  return std::move(response.with("content-disposition",
                                 "attachment; filename=\"" + std::string(name) + ".csv\""));
}

namespace {

constexpr std::string_view kColumns =
    "served,viewable,unique_viewers,clicks,plays,watch_ms,likes,orders,amount_fen,"
    "boosted_viewable,boosted_orders";

std::string csv_numbers(const ExposureNumbers& numbers) {
  const Counts& c = numbers.counts;
  std::string out;
  const auto add = [&](const std::string& text) { out += "," + text; };
  add(std::to_string(c.served));
  add(std::to_string(c.viewable));
  add(numbers.unique_viewers ? std::to_string(*numbers.unique_viewers) : "");
  for (const int64_t count : {c.clicks, c.plays, c.watch_ms, c.likes, c.orders, c.amount_fen,
                              c.boosted_viewable, c.boosted_orders}) {
    add(std::to_string(count));
  }
  return out;
}

// Programs that any of the creator's items belongs to.
std::vector<int> programs_of(const World& world, const std::vector<ItemIndex>& items) {
  std::vector<int> programs;
  for (const ItemIndex item : items) {
    for (const ProgramIndex program : world.programs_of(item)) programs.push_back(program);
  }
  std::sort(programs.begin(), programs.end());
  programs.erase(std::unique(programs.begin(), programs.end()), programs.end());
  return programs;
}

void write_guarantees(JsonWriter& json, const std::vector<ProgramStatus>& status,
                      const std::vector<int>& programs) {
  json.key("guarantees");
  json.begin_array();
  for (const int program : programs) {
    for (const GoalStatus& goal : status[static_cast<size_t>(program)].goals) {
      json.begin_object();
      json.field("program", status[static_cast<size_t>(program)].id);
      json.field("goal", goal.target);
      json.field("delivered", goal.delivered);
      json.field("pace", goal.pace);
      json.end_object();
    }
  }
  json.end_array();
}

void write_not_shown(JsonWriter& json, const std::vector<ProgramStatus>& status,
                     const std::vector<int>& programs) {
  std::array<uint64_t, kShortfallCauses> causes{};
  uint64_t sum = 0;
  for (const int program : programs) {
    for (size_t i = 1; i < causes.size(); ++i) {
      causes[i] += status[static_cast<size_t>(program)].counts.causes[i];
      sum += status[static_cast<size_t>(program)].counts.causes[i];
    }
  }
  json.key("not_shown");
  json.begin_array();
  for (size_t i = 1; i < causes.size(); ++i) {
    if (causes[i] == 0) continue;
    json.begin_object();
    json.field("reason", cause_name(static_cast<Cause>(i)));
    json.field("share", static_cast<double>(causes[i]) / static_cast<double>(sum));
    json.end_object();
  }
  json.end_array();
}

constexpr size_t kAdvisedMax = 50;  // items; the catalogue's order

void write_advice(JsonWriter& json, const World& world, const std::vector<ItemIndex>& items,
                  Millis now) {
  json.key("advice");
  json.begin_array();
  size_t advised = 0;
  for (const ItemIndex index : items) {
    const std::vector<std::string_view> reasons = item_advice(world, index, now);
    if (reasons.empty() || ++advised > kAdvisedMax) continue;
    json.begin_object();
    json.field("item_id", world.item(index)->item.id.view());
    json.field("title", world.item(index)->item.title);
    json.key("reasons");
    json.begin_array();
    for (const std::string_view reason : reasons) json.value(reason);
    json.end_array();
    json.end_object();
  }
  json.end_array();
}

// Labels of the item's programs that have one, each kind once: "ad", "public_good".
void write_labels(JsonWriter& json, const World& world, ItemIndex index) {
  std::vector<std::string_view> labels;
  for (const ProgramIndex program : world.programs_of(index)) {
    const Label& label = world.programs().programs[static_cast<size_t>(program)]->label;
    const std::string_view name = label_kind_name(label.kind);
    if (!name.empty() && std::ranges::count(labels, name) == 0) labels.push_back(name);
  }
  json.key("labels");
  json.begin_array();
  for (const std::string_view label : labels) json.value(label);
  json.end_array();
}

// What the report is about, once its query has been read.
struct Subject {
  const World& world;
  const Interner& interner;
  const ExposureQuery& query;
  const ExperimentSet& experiments;
  Millis now;
};

// The reader of rollups knows hashes; names are the live programs' and experiments'.
std::string group_key(const ExposureGroup& group, const Subject& subject) {
  if (group.hash == 0) return group.key;
  if (subject.query.by == ExposureBy::kVariation) {
    for (const Experiment& experiment : subject.experiments.experiments()) {
      for (const ExperimentVariation& variation : experiment.variations) {
        if (variation.hash == group.hash) return experiment.id + "/" + variation.key;
      }
    }
  } else {
    for (const auto& program : subject.world.programs().programs) {
      if (program_hash(program->id.view()) == group.hash) return program->id.str();
    }
  }
  return "#" + std::to_string(group.hash);
}

// What its owner earned: orders times the item's benefit.
int64_t income_of(const ExposureGroup& group, const CatalogueItem& item) {
  const int64_t each = item.item.benefit ? item.item.benefit->income_per_order.count() : 0;
  return group.numbers.counts.orders * each;
}

// Of all groups by item; other groups do not know it.
std::optional<int64_t> income_of(const ExposureReport& report, const Subject& subject) {
  if (subject.query.by != ExposureBy::kItem) return std::nullopt;
  int64_t sum = 0;
  for (const ExposureGroup& group : report.groups) {
    const ItemIndex index = subject.interner.find(group.key);
    const CatalogueItem* item = index == kNoItem ? nullptr : subject.world.item(index);
    if (item != nullptr) sum += income_of(group, *item);
  }
  return sum;
}

void write_group(JsonWriter& json, const ExposureGroup& group, const Subject& subject) {
  json.begin_object();
  json.field("key", group_key(group, subject));
  if (subject.query.by == ExposureBy::kItem) {
    const ItemIndex index = subject.interner.find(group.key);
    const CatalogueItem* item = index == kNoItem ? nullptr : subject.world.item(index);
    if (item != nullptr) {
      json.field("title", item->item.title);
      if (item->item.benefit) json.field("income_fen", income_of(group, *item));
      write_labels(json, subject.world, index);
    }
  }
  write_numbers(json, group.numbers);
  json.end_object();
}

std::string as_json(const ExposureReport& report, const Subject& subject,
                    const std::vector<ProgramStatus>& status) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("totals");
  json.begin_object();
  write_numbers(json, report.totals);
  if (const auto income = income_of(report, subject)) json.field("income_fen", *income);
  json.end_object();
  json.key("series");
  json.begin_array();
  for (const ExposurePoint& point : report.series) {
    json.begin_object();
    json.field("ts_ms", point.ts.count());
    write_numbers(json, point.numbers);
    json.end_object();
  }
  json.end_array();
  json.key("groups");
  json.begin_array();
  for (const ExposureGroup& group : report.groups) write_group(json, group, subject);
  json.end_array();
  const auto items = subject.world.catalogue().items_of(subject.query.creator);
  const std::vector<int> programs = programs_of(subject.world, items);
  write_guarantees(json, status, programs);
  write_not_shown(json, status, programs);
  write_advice(json, subject.world, items, subject.now);
  json.end_object();
  return out;
}

std::string as_csv(const ExposureReport& report, const Subject& subject) {
  std::string out = "section,key,ts_ms," + std::string(kColumns) + "\r\n";
  out += "totals,," + csv_numbers(report.totals) + "\r\n";
  for (const ExposurePoint& point : report.series) {
    out += "series,," + std::to_string(point.ts.count()) + csv_numbers(point.numbers) + "\r\n";
  }
  for (const ExposureGroup& group : report.groups) {
    out +=
        "groups," + csv_cell(group_key(group, subject)) + "," + csv_numbers(group.numbers) + "\r\n";
  }
  return out;
}

// By default the last 24 hours, hour by hour.
ExposureQuery read_query(const HttpRequest& request, Millis now, std::vector<FieldError>& errors) {
  ExposureQuery query;
  query.to = now + Millis(1);
  read_period(request, kDay, query.from, query.to, errors);
  const auto step = parse_exposure_step(request.param("step").value_or("hour"));
  if (!step) errors.push_back({"?step", "must be hour or day"});
  query.step = step.value_or(ExposureStep::kHour);
  if (const auto by = request.param("by")) {
    const auto parsed = parse_exposure_by(*by);
    if (!parsed) errors.push_back({"?by", "must be item, program, surface, county or variation"});
    query.by = parsed.value_or(ExposureBy::kNone);
  }
  return query;
}

}  // namespace

void HttpApi::get_exposure(Call& call) {
  const std::string& id = call.arguments[0];
  const std::shared_ptr<const World> world = engine_.world();
  const CreatorId creator(id);
  const bool known = world->catalogue().creator(creator) != nullptr ||
                     !world->catalogue().items_of(creator).empty();
  if (!known || !may_see_creator(call.principal, id)) {
    call.respond(problem(404, "", "no such creator"));
    return;
  }
  std::vector<FieldError> errors;
  ExposureQuery query = read_query(call.request, engine_.time().now(), errors);
  if (!errors.empty()) {
    call.respond(problem(422, "", "the query is wrong", errors));
    return;
  }
  query.creator = creator;
  const bool by_creator = call.principal.role == Role::kCreator;
  if (by_creator) widen_for_creator(query);
  Result<ExposureReport> report =
      engine_.features().exposure(query, world->catalogue(), engine_.stored());
  if (!report.ok()) {
    call.respond(problem(report.error()));
    return;
  }
  if (by_creator) merge_small_counts(query, report.value());
  const std::shared_ptr<const ExperimentSet> experiments = engine_.experiments().current();
  const Subject subject{*world, engine_.interner(), query, *experiments, engine_.time().now()};
  if (wants_csv(call.request)) {
    return call.respond(csv_answer("exposure", as_csv(report.value(), subject)));
  }
  std::vector<ProgramStatus> status = engine_.prices().status(engine_.time().now());
  // The programs may have changed between the two looks; then nothing is said about them.
  if (status.size() != world->programs().programs.size()) {
    status.assign(world->programs().programs.size(), {});
  }
  call.respond(json_answer(200, as_json(report.value(), subject, status)));
}

}  // namespace shanhuo
