#include "configs/experiment_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>

#include "base/hash.h"
#include "base/ids.h"
#include "configs/experiment_check.h"
#include "configs/program_campaign.h"
#include "configs/reader.h"
#include "features/attributes_json.h"
#include "features/exposure_token.h"

namespace shanhuo {
namespace {

constexpr size_t kVariationsMax = 20;
constexpr size_t kListMax = 20;
constexpr double kRampHoldHoursMax = 8'784;  // a year
constexpr double kWeightsOff = 1e-6;         // thirds are written with as many digits

std::string spell(double number) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  return error == std::errc() ? std::string(buffer, end) : "?";
}

// A name of the file's own making: an id, a layer, a key.
void read_name(MapReader& map, std::string_view key, std::string& target) {
  map.text(key, target, kIdBytesMax);
  const YamlNode* node = map.find(key);
  if (node != nullptr && node->kind == YamlNode::Kind::kScalar && !valid_id(node->text) &&
      node->text.size() <= kIdBytesMax) {
    map.error(key, "must be 1..128 bytes without control characters");
  }
}

void read_range(MapReader& map, Experiment& experiment) {
  const YamlNode* list = map.list("range");
  if (list == nullptr) return;
  double ends[2] = {0, 1};
  bool good = list->items.size() == 2;
  for (size_t i = 0; i < 2 && good; ++i) {
    const YamlNode& item = list->items[i];
    good = item.kind == YamlNode::Kind::kScalar && item.plain &&
           parse_json_number(item.text, ends[i]) && ends[i] >= 0 && ends[i] <= 1;
  }
  if (!good) return map.error("range", "must be [low, high], two numbers from 0 to 1");
  if (ends[0] >= ends[1]) {
    map.error("range", "[" + spell(ends[0]) + ", " + spell(ends[1]) +
                           "] holds nobody: low must be below high");
  }
  experiment.range = {ends[0], ends[1]};
}

void read_hash(MapReader& parent, Experiment& experiment) {
  const YamlNode* node = parent.map("hash");
  if (node == nullptr) return;
  MapReader map(*node, "hash", parent.file(), parent.errors());
  read_name(map, "attribute", experiment.attribute);
  if (experiment.attribute.find('.') != std::string::npos) {
    map.error("attribute", experiment.attribute + " must be one attribute, not a path");
  }
  int version = 2;
  map.integer("version", version, 1, 2);
  if (version == 1) {
    map.error("version", "1 is for payloads of others: its seeds depend on each other; must be 2");
  }
  read_name(map, "seed", experiment.seed);
  if (experiment.seed.starts_with("layer:")) {
    map.error("seed", experiment.seed + " is a layer's; must not begin with layer:");
  }
  map.finish();
}

void read_schedule(MapReader& parent, Experiment& experiment) {
  const YamlNode* node = parent.map("schedule");
  if (node == nullptr) return;
  MapReader map(*node, "schedule", parent.file(), parent.errors());
  const size_t errors_before = parent.errors().size();
  Millis start, end;
  map.time("start", start);
  map.time("end", end);
  if (map.has("start")) experiment.start = start;
  if (map.has("end")) experiment.end = end;
  const bool both = experiment.start && experiment.end;
  if (both && parent.errors().size() == errors_before && end <= start) {
    map.error("end", "must come after start");
  }
  map.finish();
  if (!map.has("start") && !map.has("end")) parent.error("schedule", "needs start, end or both");
}

void read_variation(const YamlNode& node, size_t index, MapReader& parent,
                    const RankingOptions& base, Experiment& experiment) {
  ExperimentVariation variation;
  MapReader map(node, "variations[" + std::to_string(index) + "]", parent.file(), parent.errors());
  map.require({"key", "weight"});
  read_name(map, "key", variation.key);
  map.number("weight", variation.weight, 0, 1);
  variation.set = read_parameters(map, "set", base);
  if (const YamlNode* set = map.find("set")) variation.definition = to_value(*set);
  map.finish();
  variation.hash = variation_hash(experiment.id, variation.key);
  for (const ExperimentVariation& earlier : experiment.variations) {
    if (!variation.key.empty() && earlier.key == variation.key) {
      map.error("key", variation.key + " is the key of a variation before it");
    }
  }
  experiment.variations.push_back(std::move(variation));
}

void read_variations(MapReader& map, const RankingOptions& base, Experiment& experiment) {
  const YamlNode* list = map.list("variations");
  if (list == nullptr) return;
  if (list->items.size() < 2 || list->items.size() > kVariationsMax) {
    return map.error("variations", "are " + std::to_string(list->items.size()) + ", 2 to " +
                                       std::to_string(kVariationsMax) + " are allowed");
  }
  const size_t errors_before = map.errors().size();
  for (size_t i = 0; i < list->items.size(); ++i) {
    read_variation(list->items[i], i, map, base, experiment);
  }
  if (map.errors().size() != errors_before) return;
  double sum = 0;
  std::vector<double> weights;
  for (const ExperimentVariation& variation : experiment.variations) {
    weights.push_back(variation.weight);
    sum += variation.weight;
  }
  if (std::abs(sum - 1) > kWeightsOff) {
    return map.error("variations", "have weights that add up to " + spell(sum) + ", must be 1");
  }
  experiment.ranges = bucket_ranges(static_cast<int>(weights.size()), experiment.coverage, weights);
  experiment.whole =
      experiment.coverage == 1 && std::find(weights.begin(), weights.end(), 1.0) != weights.end();
}

void read_prerequisites(MapReader& parent, Experiment& experiment) {
  const YamlNode* list = parent.list("prerequisites");
  if (list == nullptr) return;
  if (list->items.size() > kListMax) {
    return parent.error("prerequisites", "are more than " + std::to_string(kListMax));
  }
  for (size_t i = 0; i < list->items.size(); ++i) {
    ExperimentPrerequisite prerequisite;
    MapReader map(list->items[i], "prerequisites[" + std::to_string(i) + "]", parent.file(),
                  parent.errors());
    map.require({"experiment", "variation"});
    read_name(map, "experiment", prerequisite.experiment);
    if (const YamlNode* test = map.any("variation")) {
      prerequisite.test = to_value(*test);
      std::vector<ConditionError> errors;
      Result<Condition> condition =
          Condition::compile(Value::Object{{"variation", prerequisite.test}}, {}, &errors);
      if (condition.ok()) prerequisite.condition = std::move(condition).value();
      for (const ConditionError& error : errors) map.error("variation", error.detail);
    }
    map.finish();
    experiment.prerequisites.push_back(std::move(prerequisite));
  }
}

// A metric's, or one of the engine's own running.
struct GuardrailMetric {
  std::string_view name;
  bool up_is_good;
};

std::vector<GuardrailMetric> guardrail_metrics(const MetricSet* metrics) {
  if (metrics == nullptr || metrics->metrics.empty()) {
    return {{"organic_ctr", true},   {"watch_time", true},  {"delivery", true},
            {"dislike_rate", false}, {"error_rate", false}, {"latency", false}};
  }
  std::vector<GuardrailMetric> all;
  for (const Metric& metric : metrics->metrics) all.push_back({metric.id, metric.up_is_good});
  all.insert(all.end(), {{"delivery", true}, {"error_rate", false}, {"latency", false}});
  return all;
}

void read_guardrails(MapReader& parent, const MetricSet* metrics, Experiment& experiment) {
  const YamlNode* list = parent.list("guardrails");
  if (list == nullptr) return;
  if (list->items.size() > kListMax) {
    return parent.error("guardrails", "are more than " + std::to_string(kListMax));
  }
  const std::vector<GuardrailMetric> allowed = guardrail_metrics(metrics);
  std::vector<std::string_view> names;
  for (const GuardrailMetric& each : allowed) names.push_back(each.name);
  for (size_t i = 0; i < list->items.size(); ++i) {
    Guardrail guardrail;
    MapReader map(list->items[i], "guardrails[" + std::to_string(i) + "]", parent.file(),
                  parent.errors());
    map.require({"metric"});
    int metric = -1;
    map.one_of("metric", names, metric);
    map.number("max_drop", guardrail.max_drop, 1e-6, 1);
    map.number("max_rise", guardrail.max_rise, 1e-6, 10);
    map.finish();
    if (metric >= 0) {
      const bool up_is_good = allowed[static_cast<size_t>(metric)].up_is_good;
      guardrail.metric = names[static_cast<size_t>(metric)];
      const std::string_view wanted = up_is_good ? "max_drop" : "max_rise";
      const std::string_view other = up_is_good ? "max_rise" : "max_drop";
      if (map.has(other)) {
        map.error(other, "is not for " + guardrail.metric + ", use " + std::string(wanted));
      }
      if (!map.has(wanted)) map.error(wanted, "is missing");
    }
    experiment.guardrails.push_back(std::move(guardrail));
  }
}

void read_steps(MapReader& map, Ramp& ramp) {
  const YamlNode* list = map.list("steps");
  if (list == nullptr) return;
  if (list->items.empty() || list->items.size() > kListMax) {
    return map.error("steps", "are " + std::to_string(list->items.size()) + ", 1 to " +
                                  std::to_string(kListMax) + " are allowed");
  }
  for (const YamlNode& item : list->items) {
    double step = 0;
    const bool good = item.kind == YamlNode::Kind::kScalar && item.plain &&
                      parse_json_number(item.text, step) && step > 0 && step <= 1;
    if (!good) {
      map.error_at(item, "steps", "must be numbers above 0, at most 1");
    } else if (!ramp.steps.empty() && step <= ramp.steps.back()) {
      map.error_at(item, "steps", spell(step) + " must be above the step before it");
    }
    ramp.steps.push_back(step);
  }
}

void read_ramp(MapReader& parent, Experiment& experiment) {
  const YamlNode* node = parent.map("ramp");
  if (node == nullptr) return;
  Ramp ramp;
  MapReader map(*node, "ramp", parent.file(), parent.errors());
  map.require({"steps"});
  read_steps(map, ramp);
  double hold_h = 24, approve_at = 1;
  map.number("hold_h", hold_h, 0, kRampHoldHoursMax);
  ramp.hold = Millis(std::llround(hold_h * 3'600'000));
  map.integer("viewers_min", ramp.viewers_min, 1, int64_t{1'000'000'000'000});
  map.number("approve_at", approve_at, 0, 1);
  if (map.has("approve_at")) ramp.approve_at = approve_at;
  map.boolean("held", ramp.held);
  map.finish();
  if (!parent.has("coverage")) {
    parent.error("ramp", "needs coverage, the share that it begins with");
  }
  if (experiment.holdout) parent.error("ramp", "is not for a holdout");
  experiment.ramp = std::move(ramp);
}

// Of the file but for what the ramp itself changes, and whether it is held.
std::string ramp_definition(Value definition) {
  Value::Object& fields = definition.as_object();
  std::erase_if(fields, [](const auto& field) { return field.first == "coverage"; });
  for (auto& [name, value] : fields) {
    if (name != "ramp") continue;
    std::erase_if(value.as_object(), [](const auto& field) { return field.first == "held"; });
  }
  return revision_of(json_text(definition));
}

void read_flags(MapReader& map, Experiment& experiment) {
  map.boolean("enabled", experiment.enabled);
  map.boolean("holdout", experiment.holdout);
  map.number("coverage", experiment.coverage, 0, 1);
  if (experiment.holdout && map.has("prerequisites")) {
    map.error("prerequisites", "are not for a holdout: it is decided before all others");
  }
}

Experiment read_fields(MapReader& map, const RankingOptions& base, const MetricSet* metrics) {
  Experiment experiment;
  map.require({"id", "layer", "variations"});
  read_name(map, "id", experiment.id);
  experiment.seed = experiment.id;
  map.names("name", experiment.name_zh, experiment.name_en);
  read_name(map, "layer", experiment.layer);
  read_range(map, experiment);
  read_hash(map, experiment);
  read_flags(map, experiment);
  experiment.condition = read_condition(map, "condition", false);
  if (const YamlNode* condition = map.find("condition")) {
    experiment.condition_source = to_value(*condition);
  }
  read_schedule(map, experiment);
  read_variations(map, base, experiment);
  read_prerequisites(map, experiment);
  read_guardrails(map, metrics, experiment);
  read_ramp(map, experiment);
  map.finish();
  return experiment;
}

// Of all that decides who is in which variation, and of what variations set.
uint32_t phase_of(const Experiment& experiment) {
  std::string all = experiment.layer + "\n" + spell(experiment.range.low) + " " +
                    spell(experiment.range.high) + "\n" + experiment.attribute + "\n" +
                    experiment.seed + "\n" + spell(experiment.coverage) + "\n" +
                    json_text(experiment.condition_source) + "\n";
  for (const ExperimentPrerequisite& parent : experiment.prerequisites) {
    all += parent.experiment + "\t" + json_text(parent.test) + "\n";
  }
  for (const ExperimentVariation& variation : experiment.variations) {
    all += variation.key + "\t" + spell(variation.weight) + "\t" + json_text(variation.definition) +
           "\n";
  }
  return static_cast<uint32_t>(hash64(all));
}

}  // namespace

std::optional<Experiment> read_experiment(std::string_view text, const std::string& file,
                                          const RankingOptions& base, ConfigErrors& errors,
                                          const MetricSet* metrics) {
  const size_t errors_before = errors.size();
  YamlNode root;
  if (!parse_yaml(text, file, root, errors)) return std::nullopt;
  if (root.kind != YamlNode::Kind::kMap) {
    errors.push_back({file, root.line, root.column, "", "must be a map of keys"});
    return std::nullopt;
  }
  MapReader map(root, "", file, errors);
  Experiment experiment = read_fields(map, base, metrics);
  if (errors.size() != errors_before) return std::nullopt;
  experiment.hash = BucketHash(experiment.seed, 2);
  if (experiment.ramp) experiment.ramp->definition = ramp_definition(to_value(root));
  experiment.phase = phase_of(experiment);
  experiment.file = file;
  experiment.revision = revision_of(text);
  return experiment;
}

std::shared_ptr<const ExperimentSet> read_experiments(std::vector<ConfigFile>& files,
                                                      const RankingOptions& base,
                                                      ConfigErrors& errors,
                                                      const MetricSet* metrics) {
  const size_t errors_before = errors.size();
  std::vector<Experiment> experiments;
  std::vector<YamlNode> roots;
  for (ConfigFile& file : files) {
    std::optional<Experiment> experiment =
        read_experiment(file.text, file.path, base, errors, metrics);
    if (!experiment) continue;
    file.id = experiment->id;
    experiments.push_back(std::move(*experiment));
    ConfigErrors none;
    roots.emplace_back();
    parse_yaml(file.text, file.path, roots.back(), none);
  }
  check_together(experiments, roots, experiments.size() == files.size(), errors);
  if (errors.size() != errors_before) return nullptr;
  return std::make_shared<const ExperimentSet>(std::move(experiments));
}

}  // namespace shanhuo
