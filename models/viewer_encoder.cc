#include "models/viewer_encoder.h"

#include "models/text_encoder.h"

namespace shanhuo {

Vector encode_viewer(const ViewerState& viewer, float short_share) {
  // Each sum counts by its direction alone: a busy day must not drown a month.
  Vector recent = viewer.interest_short, steady = viewer.interest_long;
  normalise(recent);
  normalise(steady);
  Vector mixed{};
  for (int i = 0; i < kDims; ++i) {
    mixed[i] = short_share * recent[i] + (1.0F - short_share) * steady[i];
  }
  normalise(mixed);
  return mixed;
}

}  // namespace shanhuo
