#include "serving/guardrail.h"

#include <algorithm>
#include <cstdio>

namespace shanhuo {

std::string GuardrailBreach::text() const {
  char numbers[120];
  std::snprintf(numbers, sizeof numbers, ": %+.3f (%+.3f .. %+.3f), allowed %.3f worse", lift.value,
                lift.low, lift.high, limit);
  return metric + " of " + variation + numbers;
}

std::optional<GuardrailBreach> guardrail_breach(const Experiment& experiment,
                                                const ExperimentResults& results,
                                                const GuardrailTerms& terms) {
  if (!results.present || results.newest + terms.stale < terms.now) return std::nullopt;
  const auto thin = [&](size_t arm) { return results.variations[arm].viewers < terms.viewers_min; };
  for (const MetricResult& result : results.metrics) {
    const bool named =
        std::any_of(experiment.guardrails.begin(), experiment.guardrails.end(),
                    [&](const Guardrail& g) { return g.metric == result.metric.id; });
    if (!named || result.arms.empty() || thin(0)) continue;
    for (size_t arm = 1; arm < result.arms.size(); ++arm) {
      if (result.arms[arm].guardrail != GuardrailVerdict::kBreached || thin(arm)) continue;
      return GuardrailBreach{result.metric.id, results.variations[arm].key,
                             result.arms[arm].plain.relative.sequential, result.guardrail_limit};
    }
  }
  return std::nullopt;
}

}  // namespace shanhuo
