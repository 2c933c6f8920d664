#include <gtest/gtest.h>

#include "features/counties.h"
#include "features/counts.h"
#include "features/item.h"

namespace shanhuo {
namespace {

// 2026-01-01T00:00 in UTC+8.
constexpr Millis kNewYear{1'767'196'800'000};

Millis day_of_2026(int days, Millis time = Millis(0)) {
  return kNewYear + Millis(days * kDay.count()) + time;
}

TEST(Item, NamesOfKindsReadBack) {
  for (int kind = 0; kind < kItemKinds; ++kind) {
    const auto name = item_kind_name(static_cast<ItemKind>(kind));
    EXPECT_EQ(parse_item_kind(name), static_cast<ItemKind>(kind)) << name;
  }
  EXPECT_EQ(item_kind_name(ItemKind::kScenicVideo), "scenic_video");
  EXPECT_EQ(parse_item_kind("farm-good"), std::nullopt);
  EXPECT_EQ(parse_item_kind(""), std::nullopt);
}

TEST(Item, NamesOfBlocksReadBack) {
  for (const auto kind : {BlockKind::kItem, BlockKind::kCreator, BlockKind::kProgram}) {
    EXPECT_EQ(parse_block_kind(block_kind_name(kind)), kind);
  }
  EXPECT_EQ(parse_block_kind("user"), std::nullopt);
}

TEST(Item, DistancesAreThoseOfTheGreatCircle) {
  const Place beijing{39.9042, 116.4074}, shanghai{31.2304, 121.4737};
  EXPECT_NEAR(distance_km(beijing, shanghai), 1067.3, 1.0);
  EXPECT_EQ(distance_km(beijing, beijing), 0);
  EXPECT_NEAR(distance_km({0, 179.5}, {0, -179.5}), 111.195, 0.01);
  EXPECT_NEAR(distance_km({90, 0}, {-90, 77}), 20015.1, 0.1);
}

TEST(Season, HoldsBothItsEnds) {
  const Season march{3, 1, 3, 31};
  EXPECT_FALSE(march.contains(day_of_2026(58)));
  EXPECT_TRUE(march.contains(day_of_2026(59)));
  EXPECT_TRUE(march.contains(day_of_2026(89)));
  EXPECT_FALSE(march.contains(day_of_2026(90)));
}

TEST(Season, MayWrapTheYear) {
  const Season winter{11, 15, 2, 10};
  EXPECT_TRUE(winter.contains(kNewYear));
  EXPECT_TRUE(winter.contains(day_of_2026(40)));
  EXPECT_FALSE(winter.contains(day_of_2026(41)));
  EXPECT_FALSE(winter.contains(day_of_2026(317)));
  EXPECT_TRUE(winter.contains(day_of_2026(318)));
}

TEST(Season, TurnsAtMidnightOfTheCounties) {
  const Season one_day{3, 1, 3, 1};
  EXPECT_FALSE(one_day.contains(day_of_2026(59, Millis(-1))));
  EXPECT_TRUE(one_day.contains(day_of_2026(59)));
  EXPECT_TRUE(one_day.contains(day_of_2026(60, Millis(-1))));
  EXPECT_FALSE(one_day.contains(day_of_2026(60)));
}

TEST(Days, BeginAtMidnightOfTheCounties) {
  EXPECT_EQ(start_of_day(day_of(kNewYear)), kNewYear);
  EXPECT_EQ(day_of(kNewYear - Millis(1)), day_of(kNewYear) - 1);
  EXPECT_EQ(start_of_hour(hour_of(kNewYear + Millis(1))), kNewYear);
}

TEST(Counties, AreThe832) {
  EXPECT_EQ(counties_832().size(), 832U);
  for (const County& county : counties_832()) {
    EXPECT_TRUE(valid_county_code(county.code)) << county.code;
    EXPECT_EQ(find_county_832(county.code), &county);
    EXPECT_TRUE(county.delisted_year >= 2016 && county.delisted_year <= 2020) << county.code;
    EXPECT_TRUE(county.lat > 18 && county.lat < 54 && county.lon > 73 && county.lon < 135)
        << county.code;
  }
  const County* huayuan = find_county_832("433124");
  ASSERT_NE(huayuan, nullptr);
  EXPECT_EQ(huayuan->name, "花垣县");
}

TEST(Counties, OthersAreNotAmongThem) {
  for (const auto* code : {"110101", "433125x", "43312", "", "000000", "999999"}) {
    EXPECT_EQ(find_county_832(code), nullptr) << code;
  }
}

TEST(Counties, CodesHaveSixDigitsAndAProvince) {
  EXPECT_TRUE(valid_county_code("110101"));
  EXPECT_TRUE(valid_county_code("659004"));
  for (const auto* code : {"160101", "11010", "1101011", "11010a", "", "999999"}) {
    EXPECT_FALSE(valid_county_code(code)) << code;
  }
}

}  // namespace
}  // namespace shanhuo
