// What holds of every rank request that was taken, in whichever format it came, and the organic
// answer to it. For the fuzz targets of both.
#pragma once

#include <cmath>
#include <set>
#include <string_view>

#include "base/check.h"
#include "serving/rank_codec.h"

namespace shanhuo {

// Bit 0: `clock: caller`; bit 1: `score_kind: probability`.
inline RankLimits limits_of(char choice) {
  RankLimits limits;
  limits.candidates_max = 50;
  limits.caller_clock = (choice & 1) != 0;
  limits.probabilities = (choice & 2) != 0;
  return limits;
}

inline void check_request(const RankCall& call, const RankLimits& limits) {
  const RankRequest& request = call.request;
  CHECK(valid_id(request.request_id));
  CHECK(valid_id(request.user_id) || (request.user_id.empty() && valid_id(request.room_id)));
  CHECK(request.count >= 1 && request.count <= kCountMax);
  CHECK(request.candidates.size() <= limits.candidates_max);
  CHECK(!call.timeout_ms || *call.timeout_ms >= 0);
  std::set<std::string_view> ids;
  for (const RankCandidate& candidate : request.candidates) {
    CHECK(valid_id(candidate.item_id));
    CHECK(ids.insert(candidate.item_id).second);
    CHECK(std::isfinite(candidate.score));
    CHECK(!limits.probabilities || (candidate.score >= 0 && candidate.score <= 1));
  }
  if (request.place) {
    CHECK(std::abs(request.place->lat) <= 90 && std::abs(request.place->lon) <= 180);
  }
}

inline Slate organic_slate(const RankRequest& request) {
  Slate slate;
  for (const RankCandidate& candidate : request.candidates) {
    slate.items.emplace_back();
    slate.items.back().item_id = candidate.item_id;
    slate.items.back().score = candidate.score;
  }
  return slate;
}

}  // namespace shanhuo
