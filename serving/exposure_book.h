// Puts the exposures of viewers on the interactions log, under the viewer's key, from where the
// fold takes them into results (features/experiment_tally.h). A page never waits for it and never
// fails by it: what the log refuses is counted in experiment_exposures_lost. Thread-safe; `log`
// must not call back after `metrics` is gone.
#pragma once

#include <string_view>

#include "features/experiment_exposure.h"
#include "serving/metrics.h"
#include "streaming/event_log.h"

namespace shanhuo {

class ExposureBook {
 public:
  ExposureBook(EventLog& log, Metrics& metrics) : log_(log), metrics_(metrics) {}

  void record(std::string_view user_id, const ExperimentExposure& exposure);

 private:
  EventLog& log_;
  Metrics& metrics_;
};

}  // namespace shanhuo
