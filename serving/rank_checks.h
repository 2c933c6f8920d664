// The checks of a rank request, once for every format. A format's reader (rank_codec.cc: JSON,
// rank_proto.cc: protobuf) hands each field over as it found it: a json::Value, or a std::optional
// of a text, an integer, a number or a flag; either may be absent. What is wrong goes to `errors`
// under the pointer that the field has in JSON. Only those two files include this.
//
// A list element that is wrong keeps its place, without an id, so that pointers stay right: the
// call is refused anyway.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "serving/rank_codec.h"
#include "streaming/codec.h"
#include "streaming/json.h"

namespace shanhuo::rank_checks {

using json::FieldErrors;
using json::Pointer;

inline constexpr size_t kCityBytesMax = 128;
inline constexpr size_t kSurfaceBytesMax = 16;
inline constexpr int64_t kTimeoutMsMax = 60'000;

inline bool given(const json::Value& value) { return value.present(); }
template <typename T>
bool given(const std::optional<T>& value) {
  return value.has_value();
}

template <typename Text>
void take_surface(const Text& surface, RankRequest& request, FieldErrors& errors) {
  const Pointer root, surface_at(root, "surface");
  const auto name = json::text_of(surface, kSurfaceBytesMax, surface_at, errors);
  if (!name) return;
  const std::optional<Surface> parsed = parse_surface(*name);
  if (!parsed) {
    errors.add(surface_at, "must be one of feed, live_room, search, detail, festival, open_screen");
  }
  request.surface = parsed.value_or(Surface::kFeed);
}

template <typename Text>
void take_names(const Text& request_id, const Text& surface, RankRequest& request,
                FieldErrors& errors) {
  const Pointer root, id_at(root, "request_id");
  request.request_id = json::id_of(request_id, id_at, errors).value_or("");
  take_surface(surface, request, errors);
}

template <typename Text, typename Number>
void take_candidate(const Text& item_id, const Number& score, const RankLimits& limits,
                    const Pointer& row, std::vector<RankCandidate>& out, FieldErrors& errors) {
  const double most = limits.probabilities ? 1.0 : std::numeric_limits<double>::max();
  const double least = limits.probabilities ? 0.0 : -most;
  RankCandidate& candidate = out.emplace_back();
  candidate.item_id = json::id_of(item_id, Pointer(row, "item_id"), errors).value_or("");
  candidate.score = json::number_of(score, least, most, Pointer(row, "score"), errors).value_or(0);
}

// No id stands twice; `field` is what a candidate's id is called, empty in a line-up.
void check_distinct(const std::vector<RankCandidate>& candidates, const Pointer& at,
                    std::string_view field, FieldErrors& errors);

template <typename Number>
void take_place(const Number& lat, const Number& lon, const Pointer& at, RankRequest& request,
                FieldErrors& errors) {
  const auto north = json::number_of(lat, -90, 90, Pointer(at, "lat"), errors);
  const auto east = json::number_of(lon, -180, 180, Pointer(at, "lon"), errors);
  if (north && east) request.place = Place{*north, *east};
}

template <typename Text, typename Flag>
void take_context(const Text& city, const Flag& personalized, const Pointer& at,
                  RankRequest& request, FieldErrors& errors) {
  if (given(city)) {
    request.city = json::text_of(city, kCityBytesMax, Pointer(at, "city"), errors).value_or("");
  }
  if (given(personalized)) {
    request.personalized =
        json::bool_of(personalized, Pointer(at, "personalized"), errors).value_or(true);
  }
}

void take_attributes(json::Value attributes, const Pointer& at, RankRequest& request,
                     FieldErrors& errors);

// The line-up is the organic list, unless the caller sent one with scores.
void take_lineup(std::vector<RankCandidate>&& lineup, const Pointer& at, RankCall& call,
                 FieldErrors& errors);

// What a room may leave out. Requires: candidates and room are taken.
template <typename Text, typename Integer>
void take_user_and_count(const Text& user_id, const Integer& count, RankRequest& request,
                         FieldErrors& errors) {
  const Pointer root;
  const bool room = !request.room_id.empty();
  if (given(user_id) || !room) {
    request.user_id = json::id_of(user_id, Pointer(root, "user_id"), errors).value_or("");
  }
  if (given(count) || !room) {
    const Pointer at(root, "count");
    request.count = static_cast<int>(json::integer_of(count, 1, kCountMax, at, errors).value_or(1));
  } else {
    request.count = static_cast<int>(
        std::min<size_t>(request.candidates.size() + 1, static_cast<size_t>(kCountMax)));
  }
}

template <typename Integer, typename Flag>
void take_times(const Integer& now_ms, const Integer& timeout_ms, const Flag& explain,
                const RankLimits& limits, RankCall& call, FieldErrors& errors) {
  const Pointer root, now_at(root, "now_ms"), timeout_at(root, "timeout_ms");
  if (limits.caller_clock) {
    const auto now = json::integer_of(now_ms, 0, kEventTimeMsMax, now_at, errors);
    if (now) call.request.now = Millis(*now);
  } else if (given(now_ms)) {
    errors.add(now_at, "is only taken with clock: caller in engine.yaml");
  }
  if (given(timeout_ms)) {
    call.timeout_ms = json::integer_of(timeout_ms, 1, kTimeoutMsMax, timeout_at, errors);
  }
  if (given(explain)) {
    call.request.explain = json::bool_of(explain, Pointer(root, "explain"), errors).value_or(false);
  }
}

}  // namespace shanhuo::rank_checks
