// Tested by tests/ranking_interests_test.cc.
#include "ranking/interests.h"

#include <algorithm>

#include "features/user_state.h"
#include "models/text_encoder.h"
#include "models/viewer_encoder.h"

namespace shanhuo {
namespace {

// Vectors of the items of a history, the oldest first.
struct History {
  int count = 0;
  std::array<Vector, kRecentItems> histories, candidates;

  void add(const Vector& history, const Vector& candidate) {
    histories[count] = history;
    candidates[count++] = candidate;
  }
  std::span<const Vector> of_model() const { return {histories.data(), size_t(count)}; }
};

// Items that have to do with each other.
struct Group {
  Vector sum{}, direction{};
  std::array<uint8_t, kRecentItems> members{};  // places in the history, the newest first
  int count = 0;

  void add(const History& history, int place) {
    members[count++] = static_cast<uint8_t>(place);
    for (int k = 0; k < kDims; ++k) sum[k] += history.candidates[place][k];
    direction = sum;
    normalise(direction);
  }
};

float cosine(const Vector& a, const Vector& b) {
  // Eight sums, so that the compiler may keep them in registers side by side.
  std::array<float, 8> sums{};
  for (int i = 0; i < kDims; i += 8) {
    for (int k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
  }
  float all = 0;
  for (const float sum : sums) all += sum;
  return std::clamp(all, -1.0F, 1.0F);
}

History history_of(const ViewerState& viewer, const World& world) {
  History history;
  for (int i = viewer.recent_count - 1; i >= 0; --i) {
    const RecentItem& recent = viewer.recent[i];
    if (!chosen(recent.type) || world.item(recent.item) == nullptr) continue;
    history.add(world.history(recent.item), world.candidate(recent.item));
  }
  return history;
}

// Each item joins the group that it is nearest to, or begins one.
int group(const History& history, double cosine_min, std::array<Group, kRecentItems>& groups) {
  int count = 0;
  for (int place = history.count - 1; place >= 0; --place) {
    int nearest = count;
    auto best = static_cast<float>(cosine_min);
    for (int g = 0; g < count; ++g) {
      const float near = cosine(groups[g].direction, history.candidates[place]);
      if (near >= best) {
        best = near;
        nearest = g;
      }
    }
    if (nearest == count) groups[count++] = {};
    groups[nearest].add(history, place);
  }
  return count;
}

// Where a viewer would stand who had done nothing else.
Vector direction_of(const Group& group, const History& history, const World& world) {
  if (world.model() == nullptr) return group.direction;
  std::array<Vector, kRecentItems> members;
  for (int i = 0; i < group.count; ++i) {
    members[i] = history.histories[group.members[group.count - 1 - i]];
  }
  return world.model()->viewer({members.data(), static_cast<size_t>(group.count)});
}

}  // namespace

Interests::Interests(const ViewerState& viewer, const World& world, const RankingOptions& options) {
  if (!viewer.known) return;
  const History history = history_of(viewer, world);
  add(world.model() != nullptr
          ? world.model()->viewer(history.of_model())
          : encode_viewer(viewer, static_cast<float>(options.short_term_weight)));
  if (!known() || options.interests_max <= 1) return;
  std::array<Group, kRecentItems> groups;
  const int found = group(history, options.interest_cosine_min, groups);
  const auto counts = [&](const Group& g) { return g.count >= options.interest_items_min; };
  if (std::count_if(groups.begin(), groups.begin() + found, counts) < 2) return;
  for (int g = 0; g < found && count_ < options.interests_max; ++g) {
    if (counts(groups[g])) add(direction_of(groups[g], history, world));
  }
}

void Interests::add(const Vector& vector) {
  if (vector != Vector{}) vectors_[count_++] = vector;
}

float similarity_of(std::span<const Vector> interests, const Vector& item) {
  if (interests.empty()) return 0;
  float best = -1;
  for (const Vector& interest : interests) best = std::max(best, cosine(interest, item));
  return best;
}

}  // namespace shanhuo
