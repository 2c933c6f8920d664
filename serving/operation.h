// Guardrails of the engine's own running: what variations do to its pages (page_meters.h).
//
//   error_rate  share of pages that were degraded. Its lift is absolute, and `max_rise` of the
//               control's rate is allowed, taken as kErrorRateFloor where the control's is lower:
//               that of a control without errors would allow none at all
//   latency     mean ms of a page in the engine, relative
//
// By sequential intervals of 99.9 %, since they are looked at several times a second, window after
// window; how sure a mean is follows from its groups of units, never less than from its pages.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "serving/experiment_results.h"
#include "serving/page_meters.h"
#include "serving/ramp.h"

namespace shanhuo {

inline constexpr double kOperationAlpha = 0.001;
inline constexpr double kErrorRateFloor = 0.001;

struct OperationArm {
  std::string key;
  int64_t pages = 0;
  ArmEstimate estimate;  // of pages
  Lift lift;             // against the control; nothing known of the control itself
  GuardrailVerdict verdict = GuardrailVerdict::kNone;  // kNoData: too few pages or units
};

struct OperationResult {
  std::string metric;
  double limit = 0;                // max_rise
  double allowed = 0;              // in terms of the lift
  std::vector<OperationArm> arms;  // by variation, the control first
};

// Of the guardrails above that the experiment names; none without a window. `pages_min` of each
// variation, from at least half of the groups; with fewer nothing is said.
std::vector<OperationResult> operation_results(const Experiment& experiment,
                                               const MeterWindow& window, int64_t pages_min);

// What is surely worse; nullopt: nothing.
std::optional<std::string> operation_breach(const std::vector<OperationResult>& results);
// What a ramp waits for, as guardrail.h's results_hold(). Variations of no weight are left out.
ResultsHold operation_hold(const Experiment& experiment,
                           const std::vector<OperationResult>& results);

}  // namespace shanhuo
