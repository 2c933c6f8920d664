#include "features/feature_table.h"

#include <array>

#include "features/frequency.h"
#include "features/item_state.h"
#include "features/sketch.h"
#include "features/user_state.h"

namespace shanhuo {
namespace {

using enum FeatureScope;

constexpr PackedProfile* kNone = nullptr;  // for sizes alone
constexpr size_t kRecentBytes =
    sizeof(kNone->recent_items) + sizeof(kNone->recent_minutes) + sizeof(kNone->recent_types);
constexpr size_t kSessionBytes = sizeof(kNone->session_ms) + sizeof(kNone->session_events);
constexpr size_t kFrequencyBytes = FrequencyOptions{}.insertions_max * sizeof(Insertion);
constexpr size_t kBucketBytes = 48, kWindowBuckets = 12 + 168;
constexpr size_t kSketchBytes = 640;  // of an hour

constexpr std::array kTable = {
    Feature{"events", kViewer, "lifetime", sizeof(kNone->events), 1, "0", false,
            "features/user_state.h", "有效行为数，决定活跃层级", "applied events; the tier"},
    Feature{"last_event_ms", kViewer, "newest", sizeof(kNone->last_event_ms), 1, "0", false,
            "features/user_state.h", "最近一次行为的时间", "recency: time of the newest event"},
    Feature{"recent", kViewer, "30 items, 726 d", kRecentBytes, 20, "empty", false,
            "features/user_state.h", "最近的物品，各取最强的反应",
            "recent items, each with its strongest reaction"},
    Feature{"interest_short", kViewer, "features.half_life_short_ms", sizeof(PackedVector), 60, "0",
            false, "features/user_state.h", "当日兴趣向量", "interest of the day, 64 components"},
    Feature{"interest_long", kViewer, "features.half_life_long_ms", sizeof(PackedVector), 60, "0",
            false, "features/user_state.h", "长期兴趣向量", "steady interest, 64 components"},
    Feature{"categories", kViewer, "features.half_life_affinity_ms", sizeof(PackedAffinities), 15,
            "empty", false, "features/user_state.h", "最偏好的六个品类", "the six liked most"},
    Feature{"counties", kViewer, "features.half_life_affinity_ms", sizeof(PackedAffinities), 15,
            "empty", false, "features/user_state.h", "最偏好的六个县", "the six liked most"},
    Feature{"creators", kViewer, "features.half_life_affinity_ms", sizeof(PackedAffinities), 15,
            "empty", false, "features/user_state.h", "最偏好的六位创作者", "the six liked most"},
    Feature{"rates", kViewer, "half-life 7 d", sizeof(kNone->counts), 20, "the prior", false,
            "features/viewer.h", "曝光、点击、下单，及平滑后的点击率和下单率",
            "impressions, clicks, orders, and their rates smoothed by a prior"},
    Feature{"session", kViewer, "features.session_gap_ms", kSessionBytes, 5, "0", false,
            "features/viewer.h", "本次会话：开始时间与行为数", "its start and its events"},
    Feature{"week", kViewer, "fades by halving", sizeof(kNone->week), 5, "0", false,
            "features/user_state.h", "一周中每四小时来访的次数",
            "hour of week: visits by blocks of four hours, Monday first, UTC+8"},
    Feature{"inserted", kViewer, "longest cap, at least 1 d", kFrequencyBytes, 0, "empty", true,
            "features/frequency.h", "已插入的物品，用于频控", "what frequency caps count"},
    Feature{"fatigue", kViewer, "half-life 1 d", 0, 0, "0", true, "features/fatigue.h",
            "同一物品、创作者、活动的重复曝光与疲劳",
            "repeats without a reaction, by item, creator and program"},
    Feature{"windows", kItem, "1 h, 24 h, 7 d", kWindowBuckets* kBucketBytes, 80, "0", false,
            "features/item_state.h", "滑动窗口内的各项计数与观众数",
            "counts, and different viewers of 24 h and 7 d (3.25 % above 64)"},
    Feature{"rates", kItem, "half-life 7 d", 48, 40, "the prior", false, "features/viewer.h",
            "衰减计数，及平滑后的点击率和下单率",
            "decayed counts, and their rates smoothed by the prior of ranking"},
    Feature{"creator_windows", kCreator, "1 h, 24 h, 7 d", 0, 0, "0", false,
            "features/item_state.h", "创作者全部物品的合计", "sums over the creator's items"},
    Feature{"county_windows", kCounty, "1 h, 24 h, 7 d", 0, 0, "0", false, "features/item_state.h",
            "全县物品的合计", "sums over the county's items"},
    Feature{"unique_viewers", kItem, "each hour, kept", kSketchBytes, 20, "0", false,
            "features/exposure.h", "看过的不同观众数，可合并",
            "sketch of different viewers; creators and counties by union"},
    Feature{"delivered", kProgram, "each day, kept", 100, 10, "0", false,
            "features/program_totals.h", "活动已达成的曝光、点击、下单", "net units by program"},
};

}  // namespace

std::string_view feature_scope_name(FeatureScope scope) {
  static constexpr std::array<std::string_view, 5> kNames = {"viewer", "item", "creator", "county",
                                                             "program"};
  return kNames[static_cast<size_t>(scope)];
}

std::span<const Feature> feature_table() { return kTable; }

std::string feature_row(const Feature& feature) {
  std::string row = "|";
  const auto cell = [&](std::string_view text) { row.append(" ").append(text).append(" |"); };
  cell("`" + std::string(feature.name) + "`");
  cell(feature_scope_name(feature.scope));
  cell(feature.window);
  cell(feature.bytes == 0
           ? "derived"
           : std::to_string(feature.bytes) + " B, " + std::to_string(feature.event_ns) + " ns");
  cell(feature.missing);
  cell(std::string(feature.zh) + "; " + std::string(feature.en));
  return row;
}

}  // namespace shanhuo
