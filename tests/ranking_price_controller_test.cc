// The controller in a closed loop: pages, viewers who see some of what is inserted, minutes later.
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <map>
#include <queue>
#include <random>
#include <thread>

#include "tests/memory_state.h"
#include "tests/price_fixture.h"

namespace shanhuo {
namespace {

// A day of pages. On each, every program has one candidate that costs the viewer an amount drawn
// from an exponential distribution; it is inserted when the price pays for it, best two first.
class Day {
 public:
  struct Plan {
    std::string id;
    double mean_cost_fen;  // of its best candidate on a page
    double reach = 1;      // share of pages that it may ask for
  };

  Day(PriceController& controller, std::vector<Plan> plans, uint64_t seed)
      : controller_(controller), plans_(std::move(plans)), random_(seed) {}

  double viewability = 0.6, assumed = 0.7;
  Millis delay_mean{180'000};
  double organic_fen = 20;

  void run(int pages, Millis from, Millis to) {
    for (int i = 0; i < pages; ++i) {
      const Millis now = from + Millis((to - from).count() * i / pages);
      arrive(now);
      controller_.step(now);
      page(now);
    }
    arrive(to);
    controller_.step(to);
  }
  int refused() const { return refused_; }
  uint64_t inserted() const { return inserted_; }

 private:
  struct Seen {
    Millis at, issued;
    uint32_t program;
    bool operator>(const Seen& other) const { return at > other.at; }
  };

  void arrive(Millis now) {
    while (!seen_.empty() && seen_.top().at <= now) {
      const Seen seen = seen_.top();
      controller_.observe(seen.program, GoalUnit::kViewable, seen.at, seen.issued);
      seen_.pop();
    }
  }

  void page(Millis now) {
    std::uniform_real_distribution<double> unit(0, 1);
    const auto table = controller_.table();
    std::vector<std::pair<double, size_t>> gains;
    std::vector<double> costs(plans_.size());
    for (size_t p = 0; p < plans_.size(); ++p) {
      costs[p] = -plans_[p].mean_cost_fen * std::log(1 - unit(random_));
      const bool asks = unit(random_) < plans_[p].reach;
      const ProgramPrice& price = table->programs[p];
      const double gain = price.fen_per_unit * assumed - (1 + table->viewer_price) * costs[p];
      if (asks && !price.exhausted && gain > 0) gains.emplace_back(-gain, p);
    }
    std::sort(gains.begin(), gains.end());
    std::vector<Reservation> insertions;
    PageLoss loss{organic_fen, 0};
    for (size_t i = 0; i < std::min<size_t>(2, gains.size()); ++i) {
      insertions.push_back(insertion_of({plans_[gains[i].second].id}, assumed));
      loss.loss_fen += costs[gains[i].second];
    }
    if (!controller_.reserve(insertions, loss, {}, now)) {
      ++refused_;
      return;
    }
    inserted_ += insertions.size();
    for (const Reservation& insertion : insertions) {
      if (unit(random_) >= viewability) continue;
      const auto delay = static_cast<int64_t>(-std::log(1 - unit(random_)) *
                                              static_cast<double>(delay_mean.count()));
      seen_.push({now + Millis(delay), now, insertion.programs[0]});
    }
  }

  PriceController& controller_;
  const std::vector<Plan> plans_;
  std::mt19937_64 random_;
  std::priority_queue<Seen, std::vector<Seen>, std::greater<>> seen_;
  int refused_ = 0;
  uint64_t inserted_ = 0;
};

TEST(PriceController, MeetsEveryFeasibleGoalOfADayAndPassesNoCap) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const auto controller = controller_of();
    controller->set_programs(set_of({program_of("small", {viewable(60, 66, 3)}),
                                     program_of("county", {viewable(400, 420, 3)}),
                                     program_of("large", {viewable(2'500, 2'625, 3)}),
                                     program_of("rare", {viewable(150, 160, 3)}),
                                     program_of("late", {viewable(300, 330, 3)}, kStart + kDay,
                                                kStart + Millis(12 * kHour.count()))}),
                             nothing, kStart);
    Day day(*controller,
            {{"small", 1.0}, {"county", 1.5}, {"large", 0.8}, {"rare", 1.0, 0.1}, {"late", 1.0}},
            seed);
    day.run(10'000, kStart, kStart + kDay);
    for (const ProgramStatus& program : controller->status(kStart + kDay)) {
      const GoalStatus& goal = program.goals[0];
      EXPECT_GE(goal.delivered, goal.target) << program.id << " seed " << seed;
      EXPECT_LE(goal.delivered, goal.cap) << program.id << " seed " << seed;
    }
  }
}

TEST(PriceController, KeepsPaceThroughTheDay) {
  const auto controller = controller_of();
  controller->set_programs(set_of({program_of("large", {viewable(2'500, 2'625, 3)})}), nothing,
                           kStart);
  Day day(*controller, {{"large", 0.8}}, 11);
  for (int hour = 0; hour < 22; ++hour) {
    const Millis from = kStart + Millis(hour * kHour.count());
    day.run(400, from, from + kHour);
    if (hour < 3) continue;
    const GoalStatus goal = controller->status(from + kHour)[0].goals[0];
    EXPECT_GT(goal.pace, 0.9) << hour;
    EXPECT_LT(goal.pace, 1.1) << hour;
    EXPECT_LE(goal.forecast_low, goal.forecast);
    EXPECT_LE(goal.forecast, goal.forecast_high);
  }
}

TEST(PriceController, AnInfeasibleGoalRaisesItsPriceToItsBoundAndHurtsNobodyElse) {
  const auto controller = controller_of();
  controller->set_programs(set_of({program_of("feasible", {viewable(500, 525, 3)}),
                                   program_of("impossible", {viewable(50'000, 55'000, 2)})}),
                           nothing, kStart);
  Day day(*controller, {{"feasible", 1.0}, {"impossible", 3.0}}, 5);
  day.run(6'000, kStart, kStart + kDay);
  const auto status = controller->status(kStart + kDay);
  EXPECT_GE(status[0].goals[0].delivered, 500);
  EXPECT_LE(status[0].goals[0].delivered, 525);
  EXPECT_LT(status[1].goals[0].delivered, 50'000);
  EXPECT_LE(status[1].goals[0].price, 2.0);
  EXPECT_GT(status[1].goals[0].price, 1.9);
}

TEST(PriceController, HoldsViewersLossWithinTheBudget) {
  PriceControllerOptions options;
  options.user_loss_budget = 0.02;
  const auto controller = controller_of(options);
  controller->set_programs(set_of({program_of("greedy", {viewable(50'000, 0, 30)})}), nothing,
                           kStart);
  Day day(*controller, {{"greedy", 0.5}}, 5);
  double most = 0;
  for (int minute = 0; minute < 300; ++minute) {
    const Millis from = kStart + Millis(minute * kMinute.count());
    day.organic_fen = 2;
    day.run(200, from, from + kMinute);
    if (minute >= 5) most = std::max(most, controller->user_loss_ratio());
  }
  EXPECT_LE(most, 0.02);
  EXPECT_GT(controller->user_loss_ratio(), 0.005);
}

TEST(PriceController, DeliveredPlusOutstandingNeverPassesTheCap) {
  const auto controller = controller_of();
  controller->set_programs(set_of({program_of("p", {viewable(10, 12, 3)})}), nothing, kStart);
  int reserved = 0;
  for (int i = 0; i < 50; ++i) {
    const Reservation one[] = {insertion_of({"p"})};
    reserved += controller->reserve(one, {}, {}, kStart + Millis(i)) ? 1 : 0;
  }
  EXPECT_EQ(reserved, 12);
  EXPECT_TRUE(controller->table()->programs[0].exhausted);
  // One that was seen frees nothing: it is delivered now.
  controller->observe(program_hash("p"), GoalUnit::kViewable, kStart + kMinute, kStart);
  const Reservation one[] = {insertion_of({"p"})};
  EXPECT_FALSE(controller->reserve(one, {}, {}, kStart + kMinute));
  // The eleven that nobody saw expire after the reservation time.
  controller->step(kStart + Millis(31 * kMinute.count()));
  EXPECT_FALSE(controller->table()->programs[0].exhausted);
  EXPECT_EQ(controller->table()->programs[0].insertions_left, 11);
}

TEST(PriceController, AnAnswerIsReservedWholeOrNotAtAll) {
  const auto controller = controller_of();
  controller->set_programs(
      set_of({program_of("a", {viewable(5, 5, 3)}), program_of("b", {viewable(1, 1, 3)})}), nothing,
      kStart);
  const Reservation two[] = {insertion_of({"a"}), insertion_of({"b"})};
  EXPECT_TRUE(controller->reserve(two, {}, {}, kStart));
  EXPECT_FALSE(controller->reserve(two, {}, {}, kStart));
  EXPECT_EQ(controller->status(kStart)[0].goals[0].outstanding, 1);
}

TEST(PriceController, ThreadsTogetherNeverPassTheCap) {
  const auto controller = controller_of();
  controller->set_programs(set_of({program_of("p", {viewable(900, 1'000, 3)})}), nothing, kStart);
  std::atomic<int> reserved{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) {
        const Reservation one[] = {insertion_of({"p"})};
        reserved += controller->reserve(one, {1, 0}, {}, kStart + Millis(i)) ? 1 : 0;
        controller->step(kStart + Millis(i));
        static_cast<void>(controller->table());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(reserved.load(), 1'000);
}

TEST(PriceController, ADailyGoalStartsAgainEachDay) {
  const auto controller = controller_of();
  auto program = program_of("p", {viewable(2, 2, 3)}, kStart + Millis(3 * kDay.count()));
  program->goals[0].per = GoalPeriod::kDay;
  controller->set_programs(set_of({program}), nothing, kStart);
  for (int day = 0; day < 3; ++day) {
    const Millis now = kStart + Millis(day * kDay.count()) + kHour;
    controller->step(now);
    const Reservation one[] = {insertion_of({"p"})};
    ASSERT_TRUE(controller->reserve(one, {}, {}, now));
    ASSERT_TRUE(controller->reserve(one, {}, {}, now));
    EXPECT_FALSE(controller->reserve(one, {}, {}, now));
    controller->observe(program_hash("p"), GoalUnit::kViewable, now, now);
    controller->observe(program_hash("p"), GoalUnit::kViewable, now, now);
    EXPECT_EQ(controller->status(now)[0].goals[0].delivered, 2);
  }
}

TEST(PriceController, AChangeOfTheSetKeepsWhatStaysAndSeedsWhatIsNew) {
  const auto controller = controller_of();
  controller->set_programs(set_of({program_of("old", {viewable(10, 20, 3)})}), nothing, kStart);
  const Reservation one[] = {insertion_of({"old"})};
  ASSERT_TRUE(controller->reserve(one, {}, {}, kStart));
  controller->observe(program_hash("old"), GoalUnit::kViewable, kStart, kStart);
  const auto seven = [](const ProgramId&, GoalUnit, Millis from, Millis to) {
    EXPECT_EQ(from, kStart);
    EXPECT_EQ(to, kStart + kDay);
    return 7.0;
  };
  controller->set_programs(
      set_of({program_of("new", {viewable(10, 20, 3)}), program_of("old", {viewable(10, 20, 3)})},
             "v2"),
      seven, kStart);
  const auto status = controller->status(kStart);
  ASSERT_EQ(status.size(), 2U);
  EXPECT_EQ(status[0].goals[0].delivered, 7);
  EXPECT_EQ(status[1].goals[0].delivered, 1);
  EXPECT_EQ(controller->table()->programs_version, "v2");
}

TEST(PriceController, ARestartHasNoJumpInItsPrices) {
  MemoryState saved;
  const auto set =
      set_of({program_of("a", {viewable(500, 525, 3)}), program_of("b", {viewable(100, 110, 2)})});
  const auto before = controller_of();
  before->set_programs(set, nothing, kStart);
  Day day(*before, {{"a", 1.0}, {"b", 1.0}}, 3);
  day.run(500, kStart, kStart + kHour);
  before->begin_checkpoint(saved);
  while (!before->checkpoint_step(1)) {
  }
  const auto after = controller_of();
  ASSERT_TRUE(after->restore(saved).ok());
  after->set_programs(set, nothing, kStart + kHour);
  for (size_t p = 0; p < 2; ++p) {
    EXPECT_EQ(after->status(kStart + kHour)[p].goals[0].price,
              before->status(kStart + kHour)[p].goals[0].price);
  }
  EXPECT_EQ(after->table()->viewer_price, before->table()->viewer_price);
}

TEST(PriceController, ACorruptPriceIsRefused) {
  MemoryState saved;
  saved.put("prv", "short");
  EXPECT_EQ(controller_of()->restore(saved).error().code, ErrorCode::kCorrupt);
}

TEST(PriceController, AShareOfASurfaceHoldsFromBothSides) {
  const auto controller = controller_of();
  auto program = program_of("share", {viewable(0.2, 0.3, 3)});
  program->goals[0].share_of = Surface::kFeed;
  controller->set_programs(set_of({program, program_of("rest", {viewable(100'000, 0, 3)})}),
                           nothing, kStart);
  Day day(*controller, {{"share", 1.0}, {"rest", 0.6}}, 9);
  day.run(5'000, kStart, kStart + kDay);
  const GoalStatus goal = controller->status(kStart + kDay)[0].goals[0];
  EXPECT_GE(goal.pace, 0.98);
  EXPECT_LE(goal.delivered, goal.cap + 1);
}

TEST(PriceLaw, MovesUpWhileBehindAndDownWhileAhead) {
  const auto law = remaining_goal_law({});
  GoalState goal;
  goal.target = 100;
  goal.missed_value_fen = 3;
  goal.price = 1;
  goal.curve_now = 0.01;
  law->step(goal, 0);
  EXPECT_GT(goal.price, 1);
  const double price = goal.price;
  goal.curve_now = 0.02;
  goal.inserted_expected = 10;
  law->step(goal, 0.01);
  EXPECT_LT(goal.price, price);
  EXPECT_GE(goal.price, 0);
}

TEST(PriceLaw, TheFixedLawPaysUntilTheGoalIsMet) {
  const auto law = fixed_price_law(0.5);
  GoalState goal;
  goal.target = 10;
  goal.missed_value_fen = 4;
  law->step(goal, 0);
  EXPECT_EQ(goal.price, 2);
  goal.delivered = 10;
  law->step(goal, 0);
  EXPECT_EQ(goal.price, 0);
}

}  // namespace
}  // namespace shanhuo
