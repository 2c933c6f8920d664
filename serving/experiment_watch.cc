#include "serving/experiment_watch.h"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace shanhuo {
namespace {

constexpr const char* kRamp = "ramp";
constexpr const char* kGuardrail = "guardrail";
constexpr size_t kHistoryMax = 1'000;

std::string viewers_text(const Experiment& experiment, const std::vector<uint64_t>& viewers) {
  std::string text = "viewers:";
  for (size_t i = 0; i < viewers.size(); ++i) {
    text += (i == 0 ? " " : ", ") + experiment.variations[i].key + " " + std::to_string(viewers[i]);
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<ExperimentWatch>> ExperimentWatch::open(const std::string& data_dir,
                                                               ExperimentWatchParts parts) {
  Result<RampBook> ramps = RampBook::open(data_dir + "/ramps.json");
  if (!ramps.ok()) return ramps.error();
  return std::unique_ptr<ExperimentWatch>(
      new ExperimentWatch(std::move(parts), std::move(ramps).value()));
}

RampFacts ExperimentWatch::facts_of(const Experiment& experiment) const {
  RampFacts facts;
  facts.now = parts_.now();
  facts.last_event = parts_.last_event();
  facts.stale = parts_.stale;
  facts.boosting = parts_.boosting.enabled();
  facts.viewers.resize(experiment.variations.size());
  for (const CounterFamily::Series& series : parts_.metrics.experiment_exposures.read()) {
    if (series.label_values[0] != experiment.id) continue;
    for (size_t i = 0; i < experiment.variations.size(); ++i) {
      if (experiment.variations[i].key == series.label_values[1]) facts.viewers[i] = series.count;
    }
  }
  return facts;
}

void ExperimentWatch::add_results(const Experiment& experiment, RampFacts& facts) const {
  const auto look = looks_.find(experiment.id);
  if (look == looks_.end() || look->second.phase != experiment.phase) return;
  if (look->second.at + facts.stale < facts.now) return;
  facts.results = look->second.hold;
  if (facts.results->state == RampState::kReady) {
    facts.results = operation_hold(experiment, operation(experiment));
  }
}

// Another definition begins anew; another coverage, its hold.
RampMemory ExperimentWatch::memory_of(const Experiment& experiment, Millis now) {
  const RampMemory* known = ramps_.find(experiment.id);
  const bool same = known != nullptr && known->definition == experiment.ramp->definition;
  RampMemory memory = same ? *known : RampMemory();
  if (same && memory.coverage == experiment.coverage) return memory;
  memory.definition = experiment.ramp->definition;
  memory.coverage = experiment.coverage;
  memory.since = now;
  memory.noted.clear();
  if (now.count() > 0) ramps_.set(experiment.id, memory);  // else nobody has said what time it is
  return memory;
}

void ExperimentWatch::step(const Experiment& experiment) {
  RampFacts facts = facts_of(experiment);
  add_results(experiment, facts);
  RampMemory memory = memory_of(experiment, facts.now);
  const RampView view = ramp_view(experiment, memory, facts);
  if (is_hold(view.state)) return note_hold(experiment, view, std::move(memory));
  if (view.state != RampState::kReady) return;
  const Status written =
      parts_.write(experiment.id, Value(Value::Object{{"coverage", Value(*view.next)}}),
                   experiment.revision, kRamp, viewers_text(experiment, facts.viewers));
  if (!written.ok()) {
    std::fprintf(stderr, "ramp of %s: %s\n", experiment.id.c_str(),
                 written.error().message.c_str());
    return;
  }
  memory.coverage = *view.next;
  memory.since = facts.now;
  memory.noted.clear();
  ramps_.set(experiment.id, std::move(memory));
}

// Once a step and state: what flickers fills no book.
void ExperimentWatch::note_hold(const Experiment& experiment, const RampView& view,
                                RampMemory memory) {
  const std::string state(ramp_state_name(view.state));
  if (memory.noted.find(state) != std::string::npos) return;
  const Status noted = parts_.changes.append({parts_.wall_now(), kRamp, "experiment", experiment.id,
                                              "ramp holds: " + state + ", " + view.why,
                                              experiment.revision, experiment.revision});
  if (!noted.ok()) {
    std::fprintf(stderr, "ramp of %s: %s\n", experiment.id.c_str(), noted.error().message.c_str());
    return;
  }
  memory.noted += (memory.noted.empty() ? "" : " ") + state;
  ramps_.set(experiment.id, std::move(memory));
}

void ExperimentWatch::tick() {
  const std::shared_ptr<const ExperimentSet> set = parts_.experiments.current();
  if (set->missing() || parts_.now().count() == 0) return;
  parts_.meters.follow(set, parts_.now());
  guard_operation(*set);
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const Experiment& experiment : set->experiments()) {
    if (!experiment.ramp) continue;
    ids.push_back(experiment.id);
    step(experiment);
  }
  ramps_.keep(ids);
  const Status saved = ramps_.save();
  if (!saved.ok()) std::fprintf(stderr, "ramps: %s\n", saved.error().message.c_str());
}

bool ExperimentWatch::has_guarded(const Experiment& experiment) const {
  const std::string phase = "phase " + phase_name(experiment.phase);
  const auto changes = parts_.changes.last("experiment", experiment.id, kHistoryMax);
  return std::any_of(changes.begin(), changes.end(), [&](const RecordedChange& change) {
    return change.who == kGuardrail && change.what.find(phase) != std::string::npos;
  });
}

void ExperimentWatch::guard(const Experiment& experiment, const MetricSet& metrics) {
  const GuardrailTerms terms{parts_.guardrail_viewers_min, parts_.now(), parts_.stale};
  const ExperimentResults results = experiment_results(experiment, metrics, parts_.tally);
  {
    const std::lock_guard lock(mutex_);
    looks_[experiment.id] = {experiment.phase, terms.now, results_hold(experiment, results, terms)};
  }
  if (const auto breach = guardrail_breach(experiment, results, terms)) {
    roll_back(experiment, breach->text());
  }
}

// Once a phase.
void ExperimentWatch::roll_back(const Experiment& experiment, const std::string& why) {
  if (has_guarded(experiment)) return;
  const Status written = parts_.write(
      experiment.id, Value(Value::Object{{"enabled", Value(false)}}), experiment.revision,
      kGuardrail, why + ", phase " + phase_name(experiment.phase));
  if (!written.ok()) {
    std::fprintf(stderr, "guardrail of %s: %s\n", experiment.id.c_str(),
                 written.error().message.c_str());
  }
}

std::vector<OperationResult> ExperimentWatch::operation(const Experiment& experiment) const {
  const std::shared_ptr<const MeterTable> table = parts_.meters.table();
  const int index = table ? table->set->find(experiment.id) : -1;
  if (index < 0) return {};
  const auto place = static_cast<size_t>(index);
  if (table->set->experiments()[place].phase != experiment.phase) return {};
  return operation_results(experiment, table->windows[place], parts_.guardrail_pages_min);
}

// A window ends when it has been long enough and could be judged.
void ExperimentWatch::guard_operation(const ExperimentSet& set) {
  const std::shared_ptr<const MeterTable> table = parts_.meters.table();
  if (!table || table->set.get() != &set) return;
  const Millis now = parts_.now();
  for (size_t i = 0; i < table->windows.size(); ++i) {
    const Experiment& experiment = set.experiments()[i];
    if (table->windows[i].meters.empty() || !experiment.runs_at(now)) continue;
    const std::vector<OperationResult> results =
        operation_results(experiment, table->windows[i], parts_.guardrail_pages_min);
    if (const auto breach = operation_breach(results)) {
      roll_back(experiment, *breach);
    } else if (now - table->windows[i].since > parts_.guardrail_window &&
               operation_hold(experiment, results).state != RampState::kThin) {
      parts_.meters.begin_anew(experiment.id, now);
    }
  }
}

void ExperimentWatch::guard() {
  const Millis now = parts_.now();
  const int64_t minute = window_of(now, kMinute);
  if (now.count() == 0 || minute == guarded_minute_) return;
  guarded_minute_ = minute;
  const std::shared_ptr<const ExperimentSet> set = parts_.experiments.current();
  const std::shared_ptr<const MetricSet> metrics = parts_.metric_files.current();
  if (set->missing()) return;
  for (const Experiment& experiment : set->experiments()) {
    const bool climbs = experiment.ramp && experiment.coverage < experiment.ramp->steps.back();
    if (experiment.runs_at(now) && (climbs || !experiment.guardrails.empty())) {
      guard(experiment, *metrics);
    }
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(looks_, [&](const auto& look) { return set->find(look.first) < 0; });
}

std::optional<ExperimentWatch::Shown> ExperimentWatch::ramp(const Experiment& experiment) {
  if (!experiment.ramp) return std::nullopt;
  RampFacts facts = facts_of(experiment);
  const std::lock_guard lock(mutex_);
  add_results(experiment, facts);
  RampMemory memory = memory_of(experiment, facts.now);
  RampView view = ramp_view(experiment, memory, facts);
  return Shown{std::move(view), std::move(memory)};
}

std::optional<ResultsHold> ExperimentWatch::alarm(const Experiment& experiment) {
  const auto alarms = [](const ResultsHold& hold) {
    return hold.state == RampState::kSampleRatio || hold.state == RampState::kGuardrail;
  };
  {
    const std::lock_guard lock(mutex_);
    const auto look = looks_.find(experiment.id);
    const bool seen = look != looks_.end() && look->second.phase == experiment.phase;
    if (seen && alarms(look->second.hold)) return look->second.hold;
  }
  ResultsHold hold = operation_hold(experiment, operation(experiment));
  return alarms(hold) ? std::optional<ResultsHold>(std::move(hold)) : std::nullopt;
}

// Since its file came to be; switching it on or off is not writing it, nor is what the engine does.
bool ExperimentWatch::has_written(const Experiment& experiment, const std::string& who) const {
  for (const RecordedChange& change :
       parts_.changes.last("experiment", experiment.id, kHistoryMax)) {
    const bool switched =
        change.what.starts_with("enabled: ") && change.what.find(';') == std::string::npos;
    if (change.who == who && change.from != change.to && !switched) return true;
    if (change.from.empty()) break;
  }
  return false;
}

Status ExperimentWatch::approve(const Experiment& experiment, const std::string& who) {
  if (!experiment.ramp || !experiment.ramp->approve_at) {
    return Error{ErrorCode::kConflict, "it has no ramp with approve_at: nothing to approve"};
  }
  if (has_written(experiment, who)) {
    return Error{ErrorCode::kConflict, who + " has written it: another operator must approve"};
  }
  const std::lock_guard lock(mutex_);
  RampMemory memory = memory_of(experiment, parts_.now());
  if (!memory.approved_by.empty()) return {};
  const Status noted =
      parts_.changes.append({parts_.wall_now(), who, "experiment", experiment.id, "ramp approved",
                             experiment.revision, experiment.revision});
  if (!noted.ok()) return noted;
  memory.approved_by = who;
  ramps_.set(experiment.id, std::move(memory));
  return ramps_.save();
}

}  // namespace shanhuo
