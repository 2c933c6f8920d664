#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/text_encoder.h"
#include "models/viewer_encoder.h"
#include "ranking/interests.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

// Items whose vectors are axes, turned a little: item k of axis a has cosine .9 with the axis.
class InterestsTest : public testing::Test {
 protected:
  InterestsTest() {
    viewer_.known = true;
    std::vector<CatalogueItem> items;
    for (int axis = 0; axis < 4; ++axis) {
      for (int k = 0; k < 8; ++k) {
        items.push_back(farm_good(name(axis, k)));
        items.back().vector[axis] = 0.9F;
        items.back().vector[8 + axis * 8 + k] = std::sqrt(1 - 0.81F);
      }
    }
    world_.put(std::move(items));
    world_.finish();
  }
  static std::string name(int axis, int k) {
    return "a" + std::to_string(axis) + "-" + std::to_string(k);
  }
  static ItemIndex item(int axis, int k) { return static_cast<ItemIndex>(axis * 8 + k); }
  static Vector axis(int a) {
    Vector out{};
    out[a] = 1;
    return out;
  }

  // The newest so far; the profile's sums as the fold makes them.
  void click(int axis, int k, EventType type = EventType::kClick) {
    std::copy_backward(viewer_.recent.begin(), viewer_.recent.end() - 1, viewer_.recent.end());
    viewer_.recent[0] = {item(axis, k), type, kTestNow};
    viewer_.recent_count = std::min(viewer_.recent_count + 1, kRecentItems);
    const Vector& vector = world_.world->item(item(axis, k))->vector;
    for (int i = 0; i < kDims; ++i) viewer_.interest_short[i] += vector[i];
    viewer_.interest_long = viewer_.interest_short;
  }
  Interests interests() const { return {viewer_, *world_.world, world_.options}; }

  TestWorld world_;
  ViewerState viewer_;
};

TEST_F(InterestsTest, NobodyHasNone) {
  EXPECT_FALSE(Interests().known());
  viewer_.known = false;
  EXPECT_FALSE(interests().known());
  viewer_.known = true;  // of whom only impressions are known
  EXPECT_FALSE(interests().known());
  EXPECT_EQ(similarity_of({}, axis(0)), 0);
}

TEST_F(InterestsTest, OneTasteIsOneVector) {
  for (int k = 0; k < 6; ++k) click(1, k);
  ASSERT_EQ(interests().vectors().size(), 1U);
  const Vector expected = encode_viewer(viewer_, 0.6F);
  EXPECT_EQ(interests().vectors()[0], expected);
}

TEST_F(InterestsTest, TwoTastesAreTheWholeAndEachOfThemTheNewestFirst) {
  for (int k = 0; k < 4; ++k) {
    click(0, k);
    click(2, k);
  }
  const auto found = interests();
  ASSERT_EQ(found.vectors().size(), 3U);
  EXPECT_NEAR(dot(found.vectors()[0], axis(0)), dot(found.vectors()[0], axis(2)), 1e-5);
  EXPECT_GT(dot(found.vectors()[1], axis(2)), 0.95F);
  EXPECT_GT(dot(found.vectors()[2], axis(0)), 0.95F);
  // What is of one taste is as near as it would be to a viewer of that taste alone.
  EXPECT_GT(similarity_of(found.vectors(), axis(0)), 0.95F);
  EXPECT_GT(similarity_of(found.vectors(), axis(2)), 0.95F);
}

TEST_F(InterestsTest, OneStrayClickIsNoInterest) {
  for (int k = 0; k < 6; ++k) click(0, k);
  click(3, 0);
  EXPECT_EQ(interests().vectors().size(), 1U);
  click(3, 1);
  EXPECT_EQ(interests().vectors().size(), 3U);
}

TEST_F(InterestsTest, WhatWasOnlyShownOrTakenBackIsNone) {
  for (int k = 0; k < 3; ++k) {
    click(0, k);
    click(1, k, EventType::kImpression);
    click(2, k, EventType::kDislike);
  }
  EXPECT_EQ(interests().vectors().size(), 1U);
}

TEST_F(InterestsTest, TheOptionBoundsThem) {
  for (int k = 0; k < 3; ++k) {
    for (int a = 0; a < 4; ++a) click(a, k);
  }
  for (const int most : {1, 2, 3, 4}) {
    world_.options.interests_max = most;
    EXPECT_EQ(interests().vectors().size(), static_cast<size_t>(most));
  }
}

// What a viewer does changes the next page, and a change of taste soon outweighs the old one.
TEST_F(InterestsTest, FollowsAChangeOfTaste) {
  for (int k = 0; k < 8; ++k) click(0, k);
  EXPECT_LT(similarity_of(interests().vectors(), axis(3)), 0.3F);
  click(3, 0);
  click(3, 1);
  EXPECT_GT(similarity_of(interests().vectors(), axis(3)), 0.9F);
}

TEST_F(InterestsTest, ItemsThatAreGoneSayNothing) {
  click(0, 0);
  viewer_.recent[0].item = 1'000;               // never put
  EXPECT_EQ(interests().vectors().size(), 1U);  // of the profile's sums
}

}  // namespace
}  // namespace shanhuo
