#include "serving/ramp.h"

#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "base/durable_file.h"
#include "base/json_writer.h"
#include "configs/config_store.h"
#include "serving/terminal.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

constexpr size_t kFileBytesMax = 4u << 20;

std::string percent(double share) { return format_fixed(100 * share, 1) + " %"; }

// The variation with the fewest viewers among those that anybody gets.
std::optional<std::string> thin(const Experiment& experiment,
                                const std::vector<uint64_t>& viewers) {
  for (size_t i = 0; i < experiment.variations.size(); ++i) {
    const ExperimentVariation& variation = experiment.variations[i];
    const uint64_t count = i < viewers.size() ? viewers[i] : 0;
    if (variation.weight <= 0 || count >= static_cast<uint64_t>(experiment.ramp->viewers_min)) {
      continue;
    }
    return variation.key + " has " + with_separators(count) + " of " +
           with_separators(static_cast<uint64_t>(experiment.ramp->viewers_min)) +
           " viewers since the engine started";
  }
  return std::nullopt;
}

// What stands in the way of the step, in the order in which an operator would ask.
std::pair<RampState, std::string> judged(const Experiment& experiment, const RampMemory& memory,
                                         const RampFacts& facts, const RampView& view) {
  const Ramp& ramp = *experiment.ramp;
  if (!experiment.runs_at(facts.now)) {
    return {RampState::kNotRunning, "the experiment does not run"};
  }
  if (ramp.held) return {RampState::kHeld, "an operator holds it"};
  if (!facts.boosting) return {RampState::kBoostingOff, "all boosting is switched off"};
  if (facts.now < view.due) return {RampState::kWaits, "until " + format_time(view.due)};
  if (facts.now - facts.last_event > facts.stale) {
    return {RampState::kStale, facts.last_event.count() == 0
                                   ? std::string("no events yet")
                                   : "no events since " + format_time(facts.last_event)};
  }
  if (auto few = thin(experiment, facts.viewers)) return {RampState::kThin, std::move(*few)};
  if (!facts.results) return {RampState::kWaits, "until its results have been looked at"};
  if (facts.results->state != RampState::kReady) {
    return {facts.results->state, facts.results->why};
  }
  if (ramp.approve_at && *view.next >= *ramp.approve_at && memory.approved_by.empty()) {
    return {RampState::kApproval,
            "from " + percent(*ramp.approve_at) + " on another operator must approve"};
  }
  return {RampState::kReady, "goes on to " + percent(*view.next)};
}

}  // namespace

std::string_view ramp_state_name(RampState state) {
  switch (state) {
    case RampState::kDone:
      return "done";
    case RampState::kNotRunning:
      return "not_running";
    case RampState::kBoostingOff:
      return "boosting_off";
    case RampState::kHeld:
      return "held";
    case RampState::kWaits:
      return "waits";
    case RampState::kStale:
      return "stale";
    case RampState::kThin:
      return "thin";
    case RampState::kSampleRatio:
      return "sample_ratio";
    case RampState::kGuardrail:
      return "guardrail";
    case RampState::kApproval:
      return "approval";
    case RampState::kReady:
      return "ready";
  }
  return "";
}

bool is_hold(RampState state) {
  return state == RampState::kStale || state == RampState::kThin ||
         state == RampState::kSampleRatio || state == RampState::kGuardrail;
}

RampView ramp_view(const Experiment& experiment, const RampMemory& memory, const RampFacts& facts) {
  RampView view;
  const std::vector<double>& steps = experiment.ramp->steps;
  const auto next = std::upper_bound(steps.begin(), steps.end(), experiment.coverage);
  if (next == steps.end()) {
    view.why = "the last step is reached";
    return view;
  }
  view.next = *next;
  view.due =
      std::max(memory.since, experiment.start.value_or(memory.since)) + experiment.ramp->hold;
  std::tie(view.state, view.why) = judged(experiment, memory, facts, view);
  return view;
}

Result<RampBook> RampBook::open(std::string path) {
  RampBook book(std::move(path));
  if (::access(book.path_.c_str(), F_OK) != 0) return book;
  const Result<std::string> text = read_text_file(book.path_, kFileBytesMax);
  if (!text.ok()) return text.error();
  json::Document document({.bytes_max = kFileBytesMax});
  const Result<json::Value> all = document.parse(text.value());
  if (!all.ok()) return Error{ErrorCode::kCorrupt, book.path_ + ": " + all.error().message};
  for (const json::Member each : all.value().members()) {
    RampMemory memory;
    int64_t since = 0;
    std::string_view definition, approved_by;
    const bool good = each.value.find("definition").get(definition) &&
                      each.value.find("coverage").get(memory.coverage) &&
                      each.value.find("since_ms").get(since) &&
                      each.value.find("approved_by").get(approved_by);
    if (!good) return Error{ErrorCode::kCorrupt, book.path_ + ": is no book of ramps"};
    memory.definition = definition;
    memory.approved_by = approved_by;
    memory.since = Millis(since);
    std::string_view noted;  // earlier versions had none
    if (each.value.find("noted").get(noted)) memory.noted = noted;
    book.memories_.emplace(std::string(each.name), std::move(memory));
  }
  return book;
}

const RampMemory* RampBook::find(const std::string& id) const {
  const auto found = memories_.find(id);
  return found == memories_.end() ? nullptr : &found->second;
}

void RampBook::set(const std::string& id, RampMemory memory) {
  memories_[id] = std::move(memory);
  changed_ = true;
}

void RampBook::keep(const std::vector<std::string>& ids) {
  changed_ |= std::erase_if(memories_, [&](const auto& each) {
                return std::find(ids.begin(), ids.end(), each.first) == ids.end();
              }) > 0;
}

Status RampBook::save() {
  if (!changed_) return {};
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const auto& [id, memory] : memories_) {
    json.key(id);
    json.begin_object();
    json.field("definition", memory.definition);
    json.field("coverage", memory.coverage);
    json.field("since_ms", memory.since.count());
    json.field("approved_by", memory.approved_by);
    json.field("noted", memory.noted);
    json.end_object();
  }
  json.end_object();
  const Status written = replace_file(path_, out);
  changed_ = !written.ok();
  return written;
}

}  // namespace shanhuo
