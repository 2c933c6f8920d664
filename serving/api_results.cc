// Results of experiments (contract 2.6): serving/experiment_results.h as JSON.
#include "serving/config_json.h"
#include "serving/experiment_results.h"
#include "serving/http_api.h"

namespace shanhuo {
namespace {

void write_lift(JsonWriter& json, std::string_view name, const Lift& lift) {
  json.key(name);
  if (!lift.known) return json.null();
  json.begin_object();
  json.field("value", lift.value);
  json.field("low", lift.low);
  json.field("high", lift.high);
  json.field("p", lift.p);
  json.end_object();
}

void write_lifts(JsonWriter& json, std::string_view name, const MetricLifts& lifts) {
  json.key(name);
  json.begin_object();
  write_lift(json, "relative", lifts.relative.fixed);
  write_lift(json, "relative_sequential", lifts.relative.sequential);
  write_lift(json, "absolute", lifts.absolute.fixed);
  write_lift(json, "absolute_sequential", lifts.absolute.sequential);
  json.end_object();
}

void write_metric(JsonWriter& json, const MetricResult& result,
                  const std::vector<VariationViewers>& variations) {
  json.begin_object();
  json.field("metric", result.metric.id);
  write_names(json, result.metric.name_zh, result.metric.name_en);
  json.field("kind", metric_kind_name(result.metric.kind));
  json.field("better", result.metric.up_is_good ? "up" : "down");
  json.field("window_days", int64_t{result.metric.window_days});
  json.field("cap", result.cap);
  json.field("guardrail_limit", result.guardrail_limit);
  json.key("variations");
  json.begin_array();
  for (size_t i = 0; i < result.arms.size(); ++i) {
    const MetricArm& arm = result.arms[i];
    json.begin_object();
    json.field("key", variations[i].key);
    json.field("mean", arm.estimate.mean);
    json.field("variance", arm.estimate.variance);
    if (i > 0) {
      write_lifts(json, "lift", arm.plain);
      write_lifts(json, "lift_cuped", arm.cuped);
      json.field("guardrail", verdict_name(arm.guardrail));
    }
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_phases(JsonWriter& json, const ExperimentResults& results, uint32_t present) {
  json.key("phases");
  json.begin_array();
  for (const PhaseViewers& phase : results.phases) {
    json.begin_object();
    json.field("phase", phase_name(phase.phase));
    json.field("present", phase.phase == present);
    json.field("viewers", phase.viewers);
    json.field("from_ms", phase.from.count());
    json.field("to_ms", phase.to.count());
    json.end_object();
  }
  json.end_array();
}

void write_sample_ratio(JsonWriter& json, const ExperimentResults& results) {
  json.key("sample_ratio");
  if (!results.sample_ratio_p) return json.null();
  json.begin_object();
  json.field("p", *results.sample_ratio_p);
  json.field("alarm", results.sample_ratio_alarm);
  json.end_object();
}

void write_operation(JsonWriter& json, const std::vector<OperationResult>& operation) {
  json.key("operation");
  json.begin_array();
  for (const OperationResult& result : operation) {
    json.begin_object();
    json.field("metric", result.metric);
    json.field("guardrail_limit", result.limit);
    json.field("allowed", result.allowed);
    json.key("variations");
    json.begin_array();
    for (size_t i = 0; i < result.arms.size(); ++i) {
      const OperationArm& arm = result.arms[i];
      json.begin_object();
      json.field("key", arm.key);
      json.field("pages", arm.pages);
      json.field("mean", arm.estimate.mean);
      if (i > 0) {
        write_lift(json, "lift", arm.lift);
        json.field("guardrail", verdict_name(arm.verdict));
      }
      json.end_object();
    }
    json.end_array();
    json.end_object();
  }
  json.end_array();
}

std::string results_json(const Experiment& experiment, const ExperimentResults& results,
                         const std::vector<OperationResult>& operation) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("experiment", experiment.id);
  write_names(json, experiment.name_zh, experiment.name_en);
  json.field("revision", experiment.revision);
  json.field("phase", phase_name(results.phase));
  json.field("present", results.present);
  json.field("newest_ms", results.newest.count());
  json.field("multiple", results.multiple);
  json.field("left_out", results.left_out);
  write_sample_ratio(json, results);
  json.key("variations");
  json.begin_array();
  for (const VariationViewers& variation : results.variations) {
    json.begin_object();
    json.field("key", variation.key);
    json.field("weight", variation.weight);
    json.field("viewers", variation.viewers);
    json.end_object();
  }
  json.end_array();
  json.key("metrics");
  json.begin_array();
  for (const MetricResult& metric : results.metrics) {
    write_metric(json, metric, results.variations);
  }
  json.end_array();
  write_operation(json, operation);
  write_phases(json, results, experiment.phase);
  json.end_object();
  return out;
}

}  // namespace

void HttpApi::get_experiment_results(Call& call) {
  const std::shared_ptr<const ExperimentSet> set = engine_.experiments().current();
  const int index = set->find(call.arguments[0]);
  if (index < 0) return call.respond(problem(404, "", "no such experiment"));
  const Experiment& experiment = set->experiments()[static_cast<size_t>(index)];
  std::optional<uint32_t> phase;
  if (const auto asked = call.request.param("phase")) {
    phase = parse_phase(*asked);
    if (!phase) return call.respond(problem(422, "", "phase: 8 hex digits, one of `phases`"));
  }
  const ExperimentResults results = experiment_results(
      experiment, *engine_.metric_files().current(), engine_.features().experiments(), phase);
  const std::vector<OperationResult> operation =
      results.present ? engine_.watch().operation(experiment) : std::vector<OperationResult>();
  call.respond(json_answer(200, results_json(experiment, results, operation)));
}

}  // namespace shanhuo
