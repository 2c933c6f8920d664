// What a viewer likes, as vectors that items are compared with.
//
// The first stands for all that is known of the viewer: with a trained model, where its history
// puts it (VectorModel::viewer()), else the mix of the two decayed sums of its profile
// (encode_viewer()). Someone who cooks and travels likes neither the middle between both nor things
// there, so when the history falls into groups that have little to do with each other, the newest
// groups add vectors of their own (several vectors a user: PinnerSage, Pal et al. 2020, arXiv
// 2007.03634; grouped here in one pass over at most kRecentItems items, the newest first).
//
// Pure and deterministic; thread-safe; no allocation. An event that was folded counts in the next
// call: nothing is kept.
#pragma once

#include <array>
#include <span>

#include "features/viewer.h"
#include "ranking/options.h"
#include "ranking/world.h"

namespace shanhuo {

inline constexpr int kInterestsMax = 4;

class Interests {
 public:
  Interests() = default;  // of nobody: none
  Interests(const ViewerState& viewer, const World& world, const RankingOptions& options);

  // Each of unit length; none when nothing is known.
  std::span<const Vector> vectors() const { return {vectors_.data(), static_cast<size_t>(count_)}; }
  bool known() const { return count_ > 0; }

 private:
  void add(const Vector& vector);

  int count_ = 0;
  std::array<Vector, kInterestsMax> vectors_{};
};

// Cosine of an item's vector (World::candidate()) with the interest that it is nearest to; 0
// without any.
float similarity_of(std::span<const Vector> interests, const Vector& item);

}  // namespace shanhuo
