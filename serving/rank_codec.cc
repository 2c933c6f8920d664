#include "serving/rank_codec.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "serving/rank_checks.h"

namespace shanhuo {

// Ids that stand twice: sorted by hash, so that equal ones are neighbours.
void rank_checks::check_distinct(const std::vector<RankCandidate>& candidates, const Pointer& at,
                                 std::string_view field, FieldErrors& errors) {
  std::vector<std::pair<uint64_t, size_t>> keyed;
  keyed.reserve(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!candidates[i].item_id.empty()) keyed.emplace_back(hash64(candidates[i].item_id), i);
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

void rank_checks::take_attributes(json::Value attributes, const Pointer& at, RankRequest& request,
                                  FieldErrors& errors) {
  Result<Value> tree = json::to_value(attributes);
  if (!attributes.is_object()) {
    errors.add(at, "must be an object");
  } else if (!tree.ok()) {
    errors.add(at, tree.error().message);
  } else {
    request.attributes = std::move(tree).value();
  }
}

void rank_checks::take_lineup(std::vector<RankCandidate>&& lineup, const Pointer& at,
                              RankCall& call, FieldErrors& errors) {
  check_distinct(lineup, at, "", errors);
  if (!call.request.candidates.empty()) return;
  call.request.candidates = std::move(lineup);
  call.scored = false;
}

namespace {

using json::FieldErrors;
using json::Pointer;

void read_candidates(json::Value list, const RankLimits& limits, const Pointer& at,
                     std::vector<RankCandidate>& out, FieldErrors& errors) {
  if (!json::is_array_of(list, limits.candidates_max, at, errors)) return;
  static constexpr std::array<std::string_view, 2> kNames = {"item_id", "score"};
  out.reserve(list.size());
  for (const json::Value element : list.elements()) {
    const Pointer row(at, out.size());
    std::array<json::Value, 2> fields;
    json::read_fields(element, kNames, fields, row, errors);
    if (element.is_object()) {
      rank_checks::take_candidate(fields[0], fields[1], limits, row, out, errors);
    } else {
      out.emplace_back();
    }
  }
  rank_checks::check_distinct(out, at, "item_id", errors);
}

void read_place(json::Value value, const Pointer& at, RankRequest& request, FieldErrors& errors) {
  static constexpr std::array<std::string_view, 2> kNames = {"lat", "lon"};
  std::array<json::Value, 2> fields;
  json::read_fields(value, kNames, fields, at, errors);
  if (!value.is_object()) return;
  rank_checks::take_place(fields[0], fields[1], at, request, errors);
}

void read_context(json::Value value, const Pointer& at, RankRequest& request, FieldErrors& errors) {
  static constexpr std::array<std::string_view, 4> kNames = {"city", "place", "attributes",
                                                             "personalized"};
  std::array<json::Value, 4> fields;
  json::read_fields(value, kNames, fields, at, errors);
  if (!value.is_object()) return;
  rank_checks::take_context(fields[0], fields[3], at, request, errors);
  if (fields[1].present()) read_place(fields[1], Pointer(at, "place"), request, errors);
  if (fields[2].present()) {
    rank_checks::take_attributes(fields[2], Pointer(at, "attributes"), request, errors);
  }
}

void read_room(json::Value value, const RankLimits& limits, const Pointer& at, RankCall& call,
               FieldErrors& errors) {
  static constexpr std::array<std::string_view, 2> kNames = {"room_id", "lineup"};
  std::array<json::Value, 2> fields;
  json::read_fields(value, kNames, fields, at, errors);
  if (!value.is_object()) return;
  call.request.room_id = json::id_of(fields[0], Pointer(at, "room_id"), errors).value_or("");
  const Pointer lineup(at, "lineup");
  if (!json::is_array_of(fields[1], limits.candidates_max, lineup, errors)) return;
  std::vector<RankCandidate> list;
  list.reserve(fields[1].size());
  for (const json::Value element : fields[1].elements()) {
    const auto id = json::id_of(element, Pointer(lineup, list.size()), errors);
    list.push_back({id.value_or(""), 0});
  }
  rank_checks::take_lineup(std::move(list), lineup, call, errors);
}

void write_label(JsonWriter& json, const ShownLabel& label) {
  json.key("label");
  json.begin_object();
  json.field("kind", label.kind);
  json.field("text", label.text);
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
  }
  if (const auto label = shown_label(item, programs)) write_label(json, *label);
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

std::string_view label_kind_name(LabelKind kind) {
  if (kind == LabelKind::kNone) return "";
  return kind == LabelKind::kAd ? "ad" : "public_good";
}

std::optional<ShownLabel> shown_label(const SlateItem& item, const ProgramSet& programs) {
  if (item.programs.empty()) return std::nullopt;
  const Label& label = programs.programs[static_cast<size_t>(item.programs.front())]->label;
  if (label.kind == LabelKind::kNone) return std::nullopt;
  return ShownLabel{label_kind_name(label.kind), label.zh.empty() ? label.en : label.zh};
}

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
  rank_checks::take_names(fields[kRequestId], fields[kSurface], request, errors);
  if (fields[kCandidates].present() || !fields[kRoom].present()) {
    read_candidates(fields[kCandidates], limits, Pointer(root, "candidates"), request.candidates,
                    errors);
  }
  if (fields[kContext].present()) {
    read_context(fields[kContext], Pointer(root, "context"), request, errors);
  }
  if (fields[kRoom].present())
    read_room(fields[kRoom], limits, Pointer(root, "room"), call, errors);
  rank_checks::take_user_and_count(fields[kUserId], fields[kCount], request, errors);
  rank_checks::take_times(fields[kNow], fields[kTimeout], fields[kExplain], limits, call, errors);
  return errors.count() == errors_before;
}

bool decode_assign_call(json::Value body, const RankLimits& limits, RankCall& call,
                        FieldErrors& errors) {
  enum Field { kUserId, kSurface, kContext, kNow, kFields };
  static constexpr std::array<std::string_view, kFields> kNames = {"user_id", "surface", "context",
                                                                   "now_ms"};
  std::array<json::Value, kFields> fields;
  const size_t errors_before = errors.count();
  const Pointer root;
  json::read_fields(body, kNames, fields, root, errors);
  if (!body.is_object()) return false;
  RankRequest& request = call.request;
  request.user_id = json::id_of(fields[kUserId], Pointer(root, "user_id"), errors).value_or("");
  if (fields[kSurface].present()) rank_checks::take_surface(fields[kSurface], request, errors);
  if (fields[kContext].present()) {
    read_context(fields[kContext], Pointer(root, "context"), request, errors);
  }
  rank_checks::take_times(fields[kNow], json::Value(), json::Value(), limits, call, errors);
  return errors.count() == errors_before;
}

void write_experiments(JsonWriter& json, std::span<const ShownExperiment> experiments) {
  json.begin_array();
  for (const ShownExperiment& each : experiments) {
    json.begin_object();
    json.field("experiment", each.experiment);
    json.field("variation", each.variation);
    json.field("in_experiment", each.in);
    json.field("reason", each.reason);
    json.end_object();
  }
  json.end_array();
}

void write_rank_answer(JsonWriter& json, const RankRequest& request, const Slate& slate,
                       const std::vector<std::string>& tokens, const ProgramSet& programs,
                       const RankVersions& versions, std::span<const ShownExperiment> experiments) {
  json.begin_object();
  json.field("request_id", request.request_id);
  json.key("items");
  json.begin_array();
  for (size_t i = 0; i < slate.items.size(); ++i) {
    write_item(json, slate.items[i], i, tokens[i], programs);
  }
  json.end_array();
  json.key("experiments");
  write_experiments(json, experiments);
  json.key("degraded");
  json.begin_array();
  for (const std::string_view stage : slate.degraded) json.value(stage);
  json.end_array();
  write_versions(json, versions);
  json.end_object();
}

}  // namespace shanhuo
