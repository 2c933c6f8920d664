// Experiments as operators, other services and SDKs see them (contract 2.6).
#include <map>

#include "configs/experiment_payload.h"
#include "configs/flag_report.h"
#include "features/attributes_json.h"
#include "ranking/attributes.h"
#include "serving/config_json.h"
#include "serving/http_api.h"
#include "serving/program_status.h"
#include "serving/rank_codec.h"

namespace shanhuo {
namespace {

constexpr size_t kHistoryShown = 20;
constexpr size_t kHistoryMax = 1'000;

using Exposures = std::map<std::pair<std::string, std::string>, uint64_t>;

Exposures exposures_of(const Metrics& metrics) {
  Exposures counts;
  for (const CounterFamily::Series& series : metrics.experiment_exposures.read()) {
    counts[{series.label_values[0], series.label_values[1]}] = series.count;
  }
  return counts;
}

std::string_view state_of(const Experiment& experiment, Millis now) {
  if (!experiment.enabled) return "disabled";
  if (experiment.runs_at(now)) return "running";
  return experiment.start && now < *experiment.start ? "scheduled" : "ended";
}

void write_variations(JsonWriter& json, const Experiment& experiment, const Exposures& exposures) {
  json.key("variations");
  json.begin_array();
  for (const ExperimentVariation& variation : experiment.variations) {
    json.begin_object();
    json.field("key", variation.key);
    json.field("weight", variation.weight);
    if (!variation.set.empty()) {
      json.key("set");
      write_value(json, variation.definition);
    }
    const auto count = exposures.find({experiment.id, variation.key});
    json.field("exposures", count == exposures.end() ? uint64_t{0} : count->second);
    json.end_object();
  }
  json.end_array();
}

// Either end, or nothing at all, may be left open.
void write_schedule(JsonWriter& json, const Experiment& experiment) {
  if (!experiment.start && !experiment.end) return;
  json.key("schedule");
  json.begin_object();
  if (experiment.start) json.field("start_ms", experiment.start->count());
  if (experiment.end) json.field("end_ms", experiment.end->count());
  json.end_object();
}

void write_fields(JsonWriter& json, const Experiment& experiment, const Exposures& exposures,
                  const ConfigErrors& errors, Millis now) {
  json.field("id", experiment.id);
  write_names(json, experiment.name_zh, experiment.name_en);
  json.field("state", state_of(experiment, now));
  json.field("enabled", experiment.enabled);
  json.field("revision", experiment.revision);
  json.field("layer", experiment.layer);
  json.key("range");
  json.begin_array();
  json.value(experiment.range.low);
  json.value(experiment.range.high);
  json.end_array();
  json.field("coverage", experiment.coverage);
  json.field("holdout", experiment.holdout);
  write_schedule(json, experiment);
  write_variations(json, experiment, exposures);
  write_texts(json, "refused", refused_of(experiment.file, errors));
}

void write_ramp(JsonWriter& json, const Ramp& ramp, const ExperimentWatch::Shown& shown) {
  json.key("ramp");
  json.begin_object();
  json.field("state", ramp_state_name(shown.view.state));
  json.field("why", shown.view.why);
  json.key("steps");
  json.begin_array();
  for (const double step : ramp.steps) json.value(step);
  json.end_array();
  json.field("since_ms", shown.memory.since.count());
  if (shown.view.next) {
    json.field("next", *shown.view.next);
    json.field("due_ms", shown.view.due.count());
  }
  json.field("viewers_min", ramp.viewers_min);
  if (ramp.approve_at) json.field("approve_at", *ramp.approve_at);
  json.field("approved_by", shown.memory.approved_by);
  json.end_object();
}

void write_alarm(JsonWriter& json, const ResultsHold& alarm) {
  json.key("alarm");
  json.begin_object();
  json.field("kind", ramp_state_name(alarm.state));
  json.field("why", alarm.why);
  json.end_object();
}

void write_watch(JsonWriter& json, const Experiment& experiment, ExperimentWatch& watch) {
  if (const auto shown = watch.ramp(experiment)) write_ramp(json, *experiment.ramp, *shown);
  if (const auto alarm = watch.alarm(experiment)) write_alarm(json, *alarm);
}

void write_assignment(JsonWriter& json, const Experiment& experiment,
                      const Assignment& assignment) {
  json.begin_object();
  json.field("experiment", experiment.id);
  json.field(
      "variation",
      assignment.in()
          ? std::string_view(experiment.variations[static_cast<size_t>(assignment.variation)].key)
          : std::string_view());
  json.field("in_experiment", assignment.in());
  json.field("reason", reason_of(experiment, assignment));
  json.field("detail", outcome_name(assignment.outcome));
  json.end_object();
}

// What the viewer's variations set, by name.
void write_parameters(JsonWriter& json, const ExperimentSet& set,
                      const std::vector<Assignment>& assignments) {
  json.key("parameters");
  json.begin_object();
  for (size_t i = 0; i < assignments.size(); ++i) {
    if (!assignments[i].in()) continue;
    const ExperimentVariation& variation =
        set.experiments()[i].variations[static_cast<size_t>(assignments[i].variation)];
    if (variation.set.empty()) continue;
    for (const auto& [name, value] : variation.definition.as_object()) {
      json.key(name);
      write_value(json, value);
    }
  }
  json.end_object();
}

// What the viewer gets of payload.json, as the SDKs show it: {"FEATURE": {value, source, ...}}.
void write_imported(JsonWriter& json, const ImportedFlags& imported,
                    const AttributeSource& viewer) {
  const FlagRequest request{.attributes = viewer};
  FlagEvaluator evaluator(imported.payload(), request);
  json.key("features");
  json.begin_object();
  for (const auto& [id, flag] : imported.payload().flags()) {
    json.key(id);
    write_value(json, report_of(evaluator.evaluate(id)));
  }
  json.end_object();
}

}  // namespace

void HttpApi::list_experiments(Call& call) {
  const std::shared_ptr<const ExperimentSet> set = engine_.experiments().current();
  ConfigErrors errors = engine_.experiments().errors();
  const ConfigErrors imported = engine_.imported().errors();
  errors.insert(errors.end(), imported.begin(), imported.end());
  const Exposures exposures = exposures_of(engine_.metrics());
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("version", set->version());
  write_texts(json, "imported_parameters", engine_.imported().published().get()->parameters());
  json.key("experiments");
  json.begin_array();
  for (const Experiment& experiment : set->experiments()) {
    json.begin_object();
    write_fields(json, experiment, exposures, errors, engine_.time().now());
    write_watch(json, experiment, engine_.watch());
    json.end_object();
  }
  json.end_array();
  write_errors(json, errors);
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::get_experiment(Call& call) { show_experiment(call); }

void HttpApi::show_experiment(Call& call) {
  const std::string& id = call.arguments[0];
  const std::shared_ptr<const ExperimentSet> set = engine_.experiments().current();
  const int index = set->find(id);
  if (index < 0) return call.respond(problem(404, "", "no such experiment"));
  const Experiment& experiment = set->experiments()[static_cast<size_t>(index)];
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_fields(json, experiment, exposures_of(engine_.metrics()), engine_.experiments().errors(),
               engine_.time().now());
  write_watch(json, experiment, engine_.watch());
  const Result<std::string> text = engine_.experiments().text(id);
  json.key("definition");
  write_value(json, text.ok() ? definition_of(text.value()) : Value());
  write_changes(json, engine_.changes().last("experiment", id, kHistoryShown));
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

// All of it; with ?revision= that revision's text.
void HttpApi::get_experiment_history(Call& call) {
  const std::string& id = call.arguments[0];
  const std::vector<RecordedChange> history = engine_.changes().last("experiment", id, kHistoryMax);
  const bool live = engine_.experiments().current()->find(id) >= 0;
  if (history.empty() && !live) return call.respond(problem(404, "", "no such experiment"));
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("id", id);
  if (const auto revision = call.request.param("revision")) {
    const Result<std::string> text = engine_.revisions().text(*revision);
    if (!text.ok()) return call.respond(problem(404, "", text.error().message));
    json.field("revision", *revision);
    json.field("yaml", text.value());
  }
  write_changes(json, history);
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

// What a viewer would get; counts no exposure.
void HttpApi::assign(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> body = parse(call, *document);
  if (!body) return;
  json::FieldErrors errors;
  RankLimits limits;
  limits.caller_clock = engine_.time().by_caller();
  RankCall asked;
  if (!decode_assign_call(*body, limits, asked, errors)) return call.respond(unprocessable(errors));
  RankRequest& request = asked.request;
  if (limits.caller_clock) engine_.time().advance(request.now);
  request.now = engine_.time().now();
  ViewerState viewer;
  if (request.personalized) viewer = engine_.features().viewer(request.user_id);
  const std::shared_ptr<const ExperimentSet> set = engine_.experiments().current();
  std::vector<Assignment> assignments;
  set->assign(ViewerAttributes(request, viewer), request.now, assignments);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("experiments");
  json.begin_array();
  for (size_t i = 0; i < assignments.size(); ++i) {
    write_assignment(json, set->experiments()[i], assignments[i]);
  }
  json.end_array();
  write_parameters(json, *set, assignments);
  write_imported(json, *engine_.imported().published().get(), ViewerAttributes(request, viewer));
  json.field("version", set->version());
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

// For SDKs in pages and apps of any origin; nothing in it is secret. Never cached on the way, so
// that a switch is off for whoever asks next.
void HttpApi::sdk_features(Call& call) {
  const Value payload = payload_of(*engine_.experiments().current(), engine_.time().now());
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("status", 200);
  for (const auto& [name, value] : payload.as_object()) {
    json.key(name);
    write_value(json, value);
  }
  json.end_object();
  call.respond(json_answer(200, std::move(out))
                   .with("access-control-allow-origin", "*")
                   .with("cache-control", "no-cache"));
}

}  // namespace shanhuo
