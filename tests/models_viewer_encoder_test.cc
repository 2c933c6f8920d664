#include <gtest/gtest.h>

#include "models/text_encoder.h"
#include "models/viewer_encoder.h"

namespace shanhuo {
namespace {

Vector axis(int i, float length = 1) {
  Vector vector{};
  vector[static_cast<size_t>(i)] = length;
  return vector;
}

ViewerState viewer(const Vector& recent, const Vector& steady) {
  ViewerState state;
  state.known = true;
  state.interest_short = recent;
  state.interest_long = steady;
  return state;
}

TEST(ViewerEncoder, AViewerWithoutInterestsIsZero) { EXPECT_EQ(encode_viewer({}, 0.6F), Vector{}); }

TEST(ViewerEncoder, EverybodyElseHasUnitLength) {
  for (const float share : {0.0F, 0.25F, 0.6F, 1.0F}) {
    const Vector vector = encode_viewer(viewer(axis(0, 3), axis(1, 700)), share);
    EXPECT_NEAR(dot(vector, vector), 1, 1e-6) << share;
  }
}

TEST(ViewerEncoder, ABusyDayDoesNotDrownAMonth) {
  const Vector calm = encode_viewer(viewer(axis(0), axis(1)), 0.6F);
  EXPECT_EQ(encode_viewer(viewer(axis(0, 1e6F), axis(1, 1e-3F)), 0.6F), calm);
  EXPECT_NEAR(calm[0] / calm[1], 0.6 / 0.4, 1e-5);
}

TEST(ViewerEncoder, TheShareWeighsTheDayAgainstTheMonth) {
  const ViewerState both = viewer(axis(0), axis(1));
  EXPECT_EQ(encode_viewer(both, 1), axis(0));
  EXPECT_EQ(encode_viewer(both, 0), axis(1));
}

TEST(ViewerEncoder, OneInterestAloneIsTheWholeVector) {
  EXPECT_EQ(encode_viewer(viewer(Vector{}, axis(4, 9)), 0.6F), axis(4));
  EXPECT_EQ(encode_viewer(viewer(axis(4, 9), Vector{}), 0.6F), axis(4));
}

TEST(ViewerEncoder, InterestsThatContradictEachOtherExactlyAreNone) {
  EXPECT_EQ(encode_viewer(viewer(axis(2), axis(2, -1)), 0.5F), Vector{});
}

}  // namespace
}  // namespace shanhuo
