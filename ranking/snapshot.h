// What a page could have chosen from, kept for re-solving (resolve.h): internal to ranking/.
#pragma once

#include "ranking/page.h"
#include "ranking/resolve.h"

namespace shanhuo {

// Of each of the best candidates up to three legal places: the first, the middle, the last one.
// Candidates that stand in the organic list are left out: what they gain is not that of an
// insertion. Requires: parts.items and `terms` are of this request.
RequestSnapshot snapshot_of(const RankRequest& request, const RankContext& context,
                            const PageTerms& terms, const RankScratch::Parts& parts);

}  // namespace shanhuo
