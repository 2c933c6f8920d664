// Our experiments as GrowthBook's SDKs take them (SDK specification 0.8.0), so that an app computes
// the variation that the engine gives the same viewer. Each experiment is a feature of its id whose
// value is the variation's key, or null for who is in none. Attributes that conditions and hashes
// name, user_id above all, are the app's to pass.
//
// Pure functions. What variations set stays inside.
#pragma once

#include "configs/experiment.h"

namespace shanhuo {

// {"features": {...}} as of `now`: an experiment that does not run then is null for everybody.
Value payload_of(const ExperimentSet& set, Millis now);

}  // namespace shanhuo
