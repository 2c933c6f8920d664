#include "configs/metric.h"

#include <algorithm>
#include <cmath>

#include "configs/reader.h"
#include "features/digest.h"

namespace shanhuo {
namespace {

const std::vector<std::string_view>& count_names() {
  static const std::vector<std::string_view> kNames = [] {
    std::vector<std::string_view> names;
    for (size_t i = 0; i < kTrialCounts; ++i) {
      names.push_back(trial_count_name(static_cast<TrialCount>(i)));
    }
    return names;
  }();
  return kNames;
}

void read_count(MapReader& map, std::string_view key, TrialCount& target) {
  int count = static_cast<int>(target);
  map.one_of(key, count_names(), count);
  target = static_cast<TrialCount>(count);
}

void read_counts(MapReader& map, Metric& metric) {
  int kind = 0;
  map.one_of("kind", {"mean", "proportion", "ratio"}, kind);
  metric.kind = static_cast<MetricKind>(kind);
  read_count(map, "numerator", metric.numerator);
  read_count(map, "denominator", metric.denominator);
  const bool ratio = metric.kind == MetricKind::kRatio;
  if (ratio && !map.has("denominator")) map.error("denominator", "is missing: a ratio needs one");
  if (!ratio && map.has("denominator")) map.error("denominator", "is for kind: ratio alone");
}

void read_window(MapReader& map, Metric& metric) {
  map.integer("window_days", metric.window_days, 1, 10'000);
  if (metric.window_days == 0) return;
  std::string allowed;
  for (const int days : kTrialPeriodEnds) {
    if (days == metric.window_days) return;
    allowed += (allowed.empty() ? "" : ", ") + std::to_string(days);
  }
  map.error("window_days",
            std::to_string(metric.window_days) + " is not allowed, one of " + allowed);
}

void read_cap(MapReader& map, Metric& metric) {
  map.number("cap", metric.cap, 1e-9, 1e12);
  map.number("cap_percentile", metric.cap_percentile, 0.5, 1);
  for (const std::string_view key : {"cap", "cap_percentile"}) {
    if (map.has(key) && metric.kind != MetricKind::kMean) map.error(key, "is for kind: mean alone");
  }
  if (map.has("cap") && map.has("cap_percentile")) {
    map.error("cap_percentile", "does not go with cap: one of them");
  }
}

Metric read_fields(MapReader& map) {
  Metric metric;
  map.require({"id", "numerator"});
  map.text("id", metric.id, kIdBytesMax);
  if (map.has("id") && metric.id.size() <= kIdBytesMax && !valid_id(metric.id)) {
    map.error("id", "must be 1..128 bytes without control characters");
  }
  for (const std::string_view own : kOwnMetrics) {
    if (metric.id == own) map.error("id", metric.id + " is the engine's own, choose another");
  }
  map.names("name", metric.name_zh, metric.name_en);
  read_counts(map, metric);
  read_window(map, metric);
  read_cap(map, metric);
  int better = 0;
  map.one_of("better", {"up", "down"}, better);
  metric.up_is_good = better == 0;
  map.boolean("guardrail", metric.guardrail);
  map.finish();
  return metric;
}

}  // namespace

std::string_view metric_kind_name(MetricKind kind) {
  return kind == MetricKind::kMean         ? "mean"
         : kind == MetricKind::kProportion ? "proportion"
                                           : "ratio";
}

const Metric* MetricSet::find(std::string_view id) const {
  const auto found = std::find_if(metrics.begin(), metrics.end(),
                                  [&](const Metric& each) { return each.id == id; });
  return found == metrics.end() ? nullptr : &*found;
}

std::optional<Metric> read_metric(std::string_view text, const std::string& file,
                                  ConfigErrors& errors) {
  const size_t errors_before = errors.size();
  YamlNode root;
  if (!parse_yaml(text, file, root, errors)) return std::nullopt;
  if (root.kind != YamlNode::Kind::kMap) {
    errors.push_back({file, root.line, root.column, "", "must be a map of keys"});
    return std::nullopt;
  }
  MapReader map(root, "", file, errors);
  Metric metric = read_fields(map);
  if (errors.size() != errors_before) return std::nullopt;
  return metric;
}

std::shared_ptr<const MetricSet> read_metrics(std::vector<ConfigFile>& files,
                                              ConfigErrors& errors) {
  const size_t errors_before = errors.size();
  auto set = std::make_shared<MetricSet>();
  std::string all;
  for (ConfigFile& file : files) {
    std::optional<Metric> metric = read_metric(file.text, file.path, errors);
    if (!metric) continue;
    file.id = metric->id;
    if (set->find(metric->id) != nullptr) {
      errors.push_back({file.path, 1, 1, "id", metric->id + " is the id of another file's metric"});
    }
    all += metric->id + ":" + revision_of(file.text) + "\n";
    set->metrics.push_back(std::move(*metric));
  }
  if (set->metrics.size() > kMetricsMax) {
    errors.push_back({files.back().path, 0, 0, "",
                      "is one metric too many, at most " + std::to_string(kMetricsMax)});
  }
  if (errors.size() != errors_before) return nullptr;
  std::sort(set->metrics.begin(), set->metrics.end(),
            [](const Metric& a, const Metric& b) { return a.id < b.id; });
  if (!all.empty()) set->version = sha256_hex(all).substr(0, 16);
  return set;
}

MetricStore::MetricStore(std::string folder)
    : ConfigStore("metric", std::move(folder),
                  [this](std::vector<ConfigFile>& files, ConfigErrors& errors) {
                    return compile(files, errors);
                  }),
      current_(std::make_shared<const MetricSet>()) {}

ConfigStore::Publish MetricStore::compile(std::vector<ConfigFile>& files, ConfigErrors& errors) {
  std::shared_ptr<const MetricSet> set = read_metrics(files, errors);
  if (!errors.empty()) return nullptr;  // of files that could not be opened, too
  return [this, set] { current_.set(set); };
}

}  // namespace shanhuo
