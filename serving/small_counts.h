// Small counts protect people: what a creator sees of hours and places with few viewers is shown
// together, so that nobody can be told apart. Pure.
#pragma once

#include <cstdint>

#include "features/exposure.h"

namespace shanhuo {

constexpr int64_t kViewersShownMin = 10;

// A range below a day becomes the day before its end: an hour on its own has no neighbours to be
// merged with.
void widen_for_creator(ExposureQuery& query);

// In the series by hour, hours with fewer than kViewersShownMin viewers are counted in the next
// hour that has as many (those after the last such hour in that one; without any, all in the
// first). Among counties those with fewer become one group, "other". What is merged says no
// unique_viewers: those of its parts may be the same people. Totals stay what they are.
void merge_small_counts(const ExposureQuery& query, ExposureReport& report);

}  // namespace shanhuo
