#include "serving/rank_codec.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/hash.h"
#include "streaming/codec.h"

namespace shanhuo {
namespace {

using json::FieldErrors;
using json::Pointer;

constexpr size_t kCityBytesMax = 128;
constexpr int64_t kTimeoutMsMax = 60'000;
constexpr double kScoreMax = std::numeric_limits<double>::max();

// Ids that stand twice: sorted by hash, so that equal ones are neighbours.
void check_distinct(const std::vector<RankCandidate>& candidates, const Pointer& at,
                    std::string_view field, FieldErrors& errors) {
  std::vector<std::pair<uint64_t, size_t>> keyed;
  keyed.reserve(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    keyed.emplace_back(hash64(candidates[i].item_id), i);
  }
  std::sort(keyed.begin(), keyed.end());
  for (size_t i = 1; i < keyed.size(); ++i) {
    const size_t first = keyed[i - 1].second, again = keyed[i].second;
    if (keyed[i].first != keyed[i - 1].first ||
        candidates[first].item_id != candidates[again].item_id) {
      continue;
    }
    const Pointer row(at, again);
    const std::string detail = "stands in the list already, at " + std::to_string(first);
    if (field.empty()) {
      errors.add(row, detail);
    } else {
      errors.add(Pointer(row, field), detail);
    }
  }
}

void read_candidates(json::Value list, const RankLimits& limits, const Pointer& at,
                     std::vector<RankCandidate>& out, FieldErrors& errors) {
  if (!json::is_array_of(list, limits.candidates_max, at, errors)) return;
  static constexpr std::array<std::string_view, 2> kNames = {"item_id", "score"};
  const double least = limits.probabilities ? 0.0 : -kScoreMax;
  const double most = limits.probabilities ? 1.0 : kScoreMax;
  out.reserve(list.size());
  size_t i = 0;
  for (const json::Value element : list.elements()) {
    const Pointer row(at, i++);
    std::array<json::Value, 2> fields;
    if (!json::read_fields(element, kNames, fields, row, errors)) continue;
    const auto id = json::id_of(fields[0], Pointer(row, "item_id"), errors);
    const auto score = json::number_of(fields[1], least, most, Pointer(row, "score"), errors);
    if (id && score) out.push_back({*id, *score});
  }
  check_distinct(out, at, "item_id", errors);
}

void read_place(json::Value value, const Pointer& at, RankRequest& request, FieldErrors& errors) {
  static constexpr std::array<std::string_view, 2> kNames = {"lat", "lon"};
  std::array<json::Value, 2> fields;
  if (!json::read_fields(value, kNames, fields, at, errors)) return;
  const auto lat = json::number_of(fields[0], -90, 90, Pointer(at, "lat"), errors);
  const auto lon = json::number_of(fields[1], -180, 180, Pointer(at, "lon"), errors);
  if (lat && lon) request.place = Place{*lat, *lon};
}

void read_context(json::Value value, const Pointer& at, RankRequest& request, FieldErrors& errors) {
  static constexpr std::array<std::string_view, 4> kNames = {"city", "place", "attributes",
                                                             "personalized"};
  std::array<json::Value, 4> fields;
  if (!json::read_fields(value, kNames, fields, at, errors)) return;
  if (fields[0].present()) {
    request.city =
        json::text_of(fields[0], kCityBytesMax, Pointer(at, "city"), errors).value_or("");
  }
  if (fields[1].present()) read_place(fields[1], Pointer(at, "place"), request, errors);
  if (fields[2].present()) {
    const Pointer attributes(at, "attributes");
    Result<Value> tree = json::to_value(fields[2]);
    if (!fields[2].is_object()) {
      errors.add(attributes, "must be an object");
    } else if (!tree.ok()) {
      errors.add(attributes, tree.error().message);
    } else {
      request.attributes = std::move(tree).value();
    }
  }
  if (fields[3].present()) {
    request.personalized =
        json::bool_of(fields[3], Pointer(at, "personalized"), errors).value_or(true);
  }
}

void read_room(json::Value value, const RankLimits& limits, const Pointer& at, RankCall& call,
               FieldErrors& errors) {
  static constexpr std::array<std::string_view, 2> kNames = {"room_id", "lineup"};
  std::array<json::Value, 2> fields;
  if (!json::read_fields(value, kNames, fields, at, errors)) return;
  call.request.room_id = json::id_of(fields[0], Pointer(at, "room_id"), errors).value_or("");
  const Pointer lineup(at, "lineup");
  if (!json::is_array_of(fields[1], limits.candidates_max, lineup, errors)) return;
  std::vector<RankCandidate> list;
  size_t i = 0;
  for (const json::Value element : fields[1].elements()) {
    const auto id = json::id_of(element, Pointer(lineup, i++), errors);
    if (id) list.push_back({*id, 0});
  }
  check_distinct(list, lineup, "", errors);
  // The line-up is the organic list, unless the caller sent one with scores.
  if (call.request.candidates.empty()) {
    call.request.candidates = std::move(list);
    call.scored = false;
  }
}

void read_time(json::Value value, const RankLimits& limits, const Pointer& at, RankRequest& request,
               FieldErrors& errors) {
  if (!limits.caller_clock) {
    if (value.present()) errors.add(at, "is only taken with clock: caller in engine.yaml");
    return;
  }
  const auto now = json::integer_of(value, 0, kEventTimeMsMax, at, errors);
  if (now) request.now = Millis(*now);
}

void read_user_and_count(json::Value user, json::Value count, const Pointer& root, RankCall& call,
                         FieldErrors& errors) {
  RankRequest& request = call.request;
  const bool room = !request.room_id.empty();
  if (user.present() || !room) {
    request.user_id = json::id_of(user, Pointer(root, "user_id"), errors).value_or("");
  }
  if (count.present() || !room) {
    const Pointer at(root, "count");
    request.count = static_cast<int>(json::integer_of(count, 1, kCountMax, at, errors).value_or(1));
  } else {
    request.count = static_cast<int>(
        std::min<size_t>(request.candidates.size() + 1, static_cast<size_t>(kCountMax)));
  }
}

void write_label(JsonWriter& json, const Label& label) {
  if (label.kind == LabelKind::kNone) return;
  json.key("label");
  json.begin_object();
  json.field("kind", label.kind == LabelKind::kAd ? "ad" : "public_good");
  json.field("text", label.zh.empty() ? label.en : label.zh);
  json.end_object();
}

void write_item(JsonWriter& json, const SlateItem& item, size_t position, const std::string& token,
                const ProgramSet& programs) {
  json.begin_object();
  json.field("item_id", item.item_id);
  json.field("position", position);
  json.field("source", item_source_name(item.source));
  json.field("score", item.score);
  if (!item.programs.empty()) {
    json.key("programs");
    json.begin_array();
    for (const int program : item.programs) {
      json.value(programs.programs[static_cast<size_t>(program)]->id.view());
    }
    json.end_array();
    write_label(json, programs.programs[static_cast<size_t>(item.programs.front())]->label);
  }
  if (!token.empty()) json.field("token", token);
  if (item.hold.count() > 0) json.field("hold_ms", item.hold.count());
  if (!item.reason_code.empty()) {
    json.key("reason");
    json.begin_object();
    json.field("code", item.reason_code);
    json.field("text", item.reason_text);
    json.end_object();
  }
  json.end_object();
}

void write_versions(JsonWriter& json, const RankVersions& versions) {
  json.key("versions");
  json.begin_object();
  json.field("catalogue", std::to_string(versions.catalogue));
  json.field("model", versions.model);
  json.field("programs", versions.programs);
  json.field("prices", std::to_string(versions.prices));
  json.field("experiments", versions.experiments);
  json.end_object();
}

}  // namespace

bool decode_rank_call(json::Value body, const RankLimits& limits, RankCall& call,
                      FieldErrors& errors) {
  enum Field {
    kRequestId,
    kUserId,
    kSurface,
    kCount,
    kCandidates,
    kContext,
    kRoom,
    kNow,
    kTimeout,
    kExplain,
    kFields
  };
  static constexpr std::array<std::string_view, kFields> kNames = {
      "request_id", "user_id", "surface", "count",      "candidates",
      "context",    "room",    "now_ms",  "timeout_ms", "explain"};
  std::array<json::Value, kFields> fields;
  const size_t errors_before = errors.count();
  const Pointer root;
  json::read_fields(body, kNames, fields, root, errors);
  if (!body.is_object()) return false;
  RankRequest& request = call.request;

  request.request_id =
      json::id_of(fields[kRequestId], Pointer(root, "request_id"), errors).value_or("");
  const Pointer surface_at(root, "surface");
  const auto surface = json::text_of(fields[kSurface], 16, surface_at, errors);
  if (surface) {
    const std::optional<Surface> parsed = parse_surface(*surface);
    if (!parsed) {
      errors.add(surface_at,
                 "must be one of feed, live_room, search, detail, festival, open_screen");
    }
    request.surface = parsed.value_or(Surface::kFeed);
  }
  if (fields[kCandidates].present() || !fields[kRoom].present()) {
    read_candidates(fields[kCandidates], limits, Pointer(root, "candidates"), request.candidates,
                    errors);
  }
  if (fields[kContext].present()) {
    read_context(fields[kContext], Pointer(root, "context"), request, errors);
  }
  if (fields[kRoom].present())
    read_room(fields[kRoom], limits, Pointer(root, "room"), call, errors);
  read_user_and_count(fields[kUserId], fields[kCount], root, call, errors);
  read_time(fields[kNow], limits, Pointer(root, "now_ms"), request, errors);
  if (fields[kTimeout].present()) {
    call.timeout_ms =
        json::integer_of(fields[kTimeout], 1, kTimeoutMsMax, Pointer(root, "timeout_ms"), errors);
  }
  if (fields[kExplain].present()) {
    request.explain =
        json::bool_of(fields[kExplain], Pointer(root, "explain"), errors).value_or(false);
  }
  return errors.count() == errors_before;
}

void write_rank_answer(JsonWriter& json, const RankRequest& request, const Slate& slate,
                       const std::vector<std::string>& tokens, const ProgramSet& programs,
                       const RankVersions& versions) {
  json.begin_object();
  json.field("request_id", request.request_id);
  json.key("items");
  json.begin_array();
  for (size_t i = 0; i < slate.items.size(); ++i) {
    write_item(json, slate.items[i], i, tokens[i], programs);
  }
  json.end_array();
  json.key("experiments");
  json.begin_array();
  json.end_array();
  json.key("degraded");
  json.begin_array();
  for (const std::string_view stage : slate.degraded) json.value(stage);
  json.end_array();
  write_versions(json, versions);
  json.end_object();
}

}  // namespace shanhuo
