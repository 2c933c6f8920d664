// POST /v1/rank: JSON <-> values (contract 2.3). Strict: every wrong field at once, with its
// pointer. The same as protobuf: rank_proto.h; the checks that both share: rank_checks.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "ranking/request.h"
#include "ranking/world.h"
#include "streaming/json.h"

namespace shanhuo {

inline constexpr int kCountMax = 200;

struct RankLimits {
  size_t candidates_max = 1'000;
  bool caller_clock = false;   // now_ms is then required, and otherwise refused
  bool probabilities = false;  // scores must lie in 0..1
};

enum class RankFormat : uint8_t { kJson, kProtobuf };

// A request as it came. Views in `request` point into the parsed document.
struct RankCall {
  RankFormat format = RankFormat::kJson;  // the answer has the same
  RankRequest request;
  bool scored = true;  // false: the list is a room's line-up without scores
  std::optional<int64_t> timeout_ms;
};

// False when `errors` grew.
bool decode_rank_call(json::Value body, const RankLimits& limits, RankCall& call,
                      json::FieldErrors& errors);

// POST /v1/assign: user_id, surface?, context?, now_ms? of a rank call. False when `errors` grew.
bool decode_assign_call(json::Value body, const RankLimits& limits, RankCall& call,
                        json::FieldErrors& errors);

struct RankVersions {
  uint64_t catalogue = 0;
  std::string_view model;
  std::string_view programs;
  uint64_t prices = 0;
  std::string_view experiments;
};

// What the answer says of one experiment. Borrowed.
struct ShownExperiment {
  std::string_view experiment;
  std::string_view variation;  // empty: in none
  bool in = false;
  std::string_view reason;  // OpenFeature's code
};

// "ad" or "public_good"; empty for kNone.
std::string_view label_kind_name(LabelKind kind);

// The label of the first program that the item counts for, if that has one.
struct ShownLabel {
  std::string_view kind;
  std::string_view text;
};
std::optional<ShownLabel> shown_label(const SlateItem& item, const ProgramSet& programs);

// The answer's JSON. tokens[i] belongs to slate.items[i], empty: none.
void write_rank_answer(JsonWriter& json, const RankRequest& request, const Slate& slate,
                       const std::vector<std::string>& tokens, const ProgramSet& programs,
                       const RankVersions& versions,
                       std::span<const ShownExperiment> experiments = {});
void write_experiments(JsonWriter& json, std::span<const ShownExperiment> experiments);

}  // namespace shanhuo
