// Promises of pacing, each as a property: goals of every kind, several of them at once, viewers'
// loss, bursts and outages, changes and restarts in mid-flight.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/memory_state.h"
#include "tests/price_fixture.h"

namespace shanhuo {
namespace {

// Pages on which each program may put one item in, at a cost drawn anew; views come at once.
class Pages {
 public:
  Pages(PriceController& controller, std::vector<std::string> programs, uint64_t seed)
      : controller_(controller), programs_(std::move(programs)), random_(seed) {}

  double mean_cost = 1, organic = 20, p_click = 0.1, p_order = 0.02;
  double true_share = 1;  // of p_click
  Surface surface = Surface::kFeed;

  void run(int pages, Millis from, Millis to) {
    for (int i = 0; i < pages; ++i) {
      const Millis now = from + Millis((to - from).count() * i / pages);
      controller_.step(now);
      page(now);
    }
  }
  void page(Millis now) {
    const auto table = controller_.table();
    std::vector<Reservation> insertions;
    PageLoss loss{organic, 0, surface};
    for (size_t p = 0; p < programs_.size(); ++p) {
      const double cost = -mean_cost * std::log(1 - uniform());
      const ProgramPrice& price = table->programs[p];
      const double pays =
          price.fen_per_unit + price.fen_per_click * p_click + price.fen_per_order * p_order;
      if (price.exhausted || pays * 0.6 <= (1 + table->viewer_price) * cost) continue;
      insertions.push_back(insertion_of({programs_[p]}));
      insertions.back().surface = surface;
      insertions.back().p_click = p_click;
      insertions.back().p_order = p_order;
      loss.loss_fen += cost;
    }
    if (!controller_.reserve(insertions, loss, {}, now)) return;
    pages_.push_back(loss);
    for (const Reservation& insertion : insertions) {
      const auto see = [&](GoalUnit unit) {
        controller_.observe(insertion.programs[0], unit, now, now);
      };
      if (uniform() < 0.6) {
        see(GoalUnit::kViewable);
        if (uniform() < true_share * p_click) see(GoalUnit::kClick);
        if (uniform() < p_order) see(GoalUnit::kOrder);
      }
    }
  }
  const std::vector<PageLoss>& pages() const { return pages_; }

 private:
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

  PriceController& controller_;
  const std::vector<std::string> programs_;
  std::mt19937_64 random_;
  std::vector<PageLoss> pages_;
};

GoalStatus goal_of(const PriceController& controller, Millis now, size_t program = 0,
                   size_t goal = 0) {
  return controller.status(now)[program].goals[goal];
}

// --- goals ---

TEST(Pacing, ClicksAndOrdersAreMetAndStayBelowTheirCaps) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const auto controller = controller_of();
    controller->set_programs(
        set_of({program_of("clicks",
                           {{GoalUnit::kClick, 200, 220, GoalPeriod::kTotal, Surface::kNone, 30}}),
                program_of("orders",
                           {{GoalUnit::kOrder, 40, 60, GoalPeriod::kTotal, Surface::kNone, 150}})}),
        nothing, kStart);
    Pages pages(*controller, {"clicks", "orders"}, seed);
    pages.run(10'000, kStart, kStart + kDay);
    for (size_t p = 0; p < 2; ++p) {
      const GoalStatus goal = goal_of(*controller, kStart + kDay, p);
      EXPECT_GE(goal.delivered, goal.target) << p << " seed " << seed;
      EXPECT_LE(goal.delivered, goal.cap) << p << " seed " << seed;
    }
  }
}

TEST(Pacing, AFewClicksAreMetThoughTheyAreExpectedTenTimesTooOften) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const auto controller = controller_of();
    controller->set_programs(
        set_of({program_of("clicks",
                           {{GoalUnit::kClick, 12, 15, GoalPeriod::kTotal, Surface::kNone, 30}})}),
        nothing, kStart);
    Pages pages(*controller, {"clicks"}, seed);
    pages.true_share = 0.1;
    pages.run(20'000, kStart, kStart + kDay);
    const GoalStatus goal = goal_of(*controller, kStart + kDay);
    EXPECT_GE(goal.delivered, goal.target) << "seed " << seed;
    EXPECT_LE(goal.delivered, goal.cap) << "seed " << seed;
  }
}

TEST(Pacing, AGoalsPriceIsPaidPerItsOwnUnit) {
  const auto controller = controller_of();
  controller->set_programs(
      set_of(
          {program_of("p", {viewable(100),
                            {GoalUnit::kClick, 10, 0, GoalPeriod::kTotal, Surface::kNone, 40},
                            {GoalUnit::kOrder, 5, 0, GoalPeriod::kTotal, Surface::kNone, 500}})}),
      nothing, kStart);
  const ProgramPrice price = controller->table()->programs[0];
  EXPECT_DOUBLE_EQ(price.fen_per_unit, 0.3);
  EXPECT_DOUBLE_EQ(price.fen_per_click, 4);
  EXPECT_DOUBLE_EQ(price.fen_per_order, 50);
}

TEST(Pacing, SeveralGoalsOfAProgramHoldTogetherPerDayAndInTotal) {
  const auto controller = controller_of();
  auto daily = viewable(100, 110);
  daily.per = GoalPeriod::kDay;
  const auto set =
      set_of({program_of("p", {viewable(250, 255), daily}, kStart + Millis(3 * kDay.count()))});
  controller->set_programs(set, nothing, kStart);
  Pages pages(*controller, {"p"}, 5);
  double total = 0;
  for (int day = 0; day < 3; ++day) {
    const Millis from = kStart + Millis(day * kDay.count());
    pages.run(3'000, from, from + kDay);
    const GoalStatus goal = goal_of(*controller, from + kDay - Millis(1), 0, 1);
    EXPECT_LE(goal.delivered, 110) << day;
    if (day < 2) {
      EXPECT_GE(goal.delivered, 100) << day;
    }
    total += goal.delivered;
  }
  const GoalStatus whole = goal_of(*controller, kStart + Millis(3 * kDay.count()));
  EXPECT_EQ(whole.delivered, total);
  EXPECT_GE(whole.delivered, 250);
  EXPECT_LE(whole.delivered, 255);
}

TEST(Pacing, AnExposureCountsForEveryProgramItNamesAndACapOfAnyForbidsIt) {
  const auto controller = controller_of();
  controller->set_programs(
      set_of({program_of("county", {viewable(10)}), program_of("creator", {viewable(0, 3)})}),
      nothing, kStart);
  const Reservation both[] = {insertion_of({"county", "creator"})};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(controller->reserve(both, {}, {}, kStart));
  EXPECT_FALSE(controller->reserve(both, {}, {}, kStart));
  EXPECT_TRUE(controller->table()->programs[1].exhausted);
  EXPECT_FALSE(controller->table()->programs[0].exhausted);
  EXPECT_EQ(goal_of(*controller, kStart, 0).outstanding, 3);
  EXPECT_EQ(goal_of(*controller, kStart, 1).outstanding, 3);
}

TEST(Pacing, AShareIsReachedFromBelowAndHeldFromAboveOnItsOwnSurface) {
  for (const double share : {0.1, 0.3, 0.45}) {
    const auto controller = controller_of();
    Goal least = viewable(share, share + 0.1);
    least.share_of = Surface::kSearch;
    controller->set_programs(
        set_of({program_of("share", {least}), program_of("rest", {viewable(1e6)})}), nothing,
        kStart);
    // The rest pays a price of its own; the share has to outbid what keeps it away.
    Pages search(*controller, {"share", "rest"}, 3), feed(*controller, {"rest", "rest"}, 4);
    search.surface = Surface::kSearch;
    search.mean_cost = 2;
    search.organic = feed.organic = 500;
    for (int i = 0; i < 6'000; ++i) {
      const Millis now = kStart + Millis(i * 5'000);
      controller->step(now);
      search.page(now);
      feed.page(now);
      const GoalStatus goal = goal_of(*controller, now);
      ASSERT_LE(goal.delivered, goal.cap + 1) << share;
    }
    const GoalStatus goal = goal_of(*controller, kStart + kDay);
    EXPECT_GE(goal.pace, 0.95) << share;
  }
}

TEST(Pacing, ASharesPriceRisesWhileItIsBelowAndStandsStillWithoutInsertions) {
  const auto controller = controller_of();
  Goal least = viewable(0.5);
  least.share_of = Surface::kFeed;
  controller->set_programs(
      set_of({program_of("share", {least}), program_of("other", {viewable(1e6)})}), nothing,
      kStart);
  double price = controller->table()->programs[0].fen_per_unit;
  for (int i = 1; i <= 60; ++i) {
    const Reservation other[] = {insertion_of({"other"})};
    ASSERT_TRUE(controller->reserve(other, {100, 0}, {}, kStart + Millis(i * 1'000)));
    controller->step(kStart + Millis(i * 1'000 + 1));
    EXPECT_GE(controller->table()->programs[0].fen_per_unit, price);
    price = controller->table()->programs[0].fen_per_unit;
  }
  EXPECT_GT(price, 0.9);
  for (int i = 100; i < 200; ++i) controller->step(kStart + Millis(i * 1'000));
  EXPECT_EQ(controller->table()->programs[0].fen_per_unit, price);
}

// --- viewers' loss ---

TEST(Pacing, NoThousandPagesInARowCostMoreThanTheBudgetWhateverCandidatesOrBursts) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    PriceControllerOptions options;
    options.user_loss_budget = 0.02;
    options.viewer_price_step = seed % 2 == 0 ? 0.2 : 0;  // without nu the account alone holds
    const auto controller = controller_of(options);
    controller->set_programs(set_of({program_of("greedy", {viewable(1e7)})}), nothing, kStart);
    std::mt19937_64 random(seed);
    Pages pages(*controller, {"greedy"}, seed);
    Millis now = kStart;
    for (int part = 0; part < 40; ++part) {
      // From one page in ten seconds to 1,000 in one; pages of up to twice the worth.
      const int count = 100 + static_cast<int>(random() % 400);
      const Millis length((random() % 3 == 0 ? 1 : 10'000) * count);
      pages.organic = 10 * (1 + static_cast<double>(random() % 100) / 100);
      pages.mean_cost = 0.1 + static_cast<double>(random() % 100) / 50;
      pages.run(count, now, now + length);
      now += length;
      if (random() % 10 == 0) now += kHour;
    }
    const std::vector<PageLoss>& all = pages.pages();
    double loss = 0, organic = 0, most = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      loss += all[i].loss_fen;
      organic += all[i].organic_fen;
      if (i >= 1'000) {
        loss -= all[i - 1'000].loss_fen;
        organic -= all[i - 1'000].organic_fen;
      }
      if (i >= 999) most = std::max(most, loss / organic);
    }
    EXPECT_LE(most, 0.02) << seed;
    EXPECT_GT(most, 0.01) << "the budget is there to be used, seed " << seed;
  }
}

TEST(Pacing, AnEmptyAccountLetsOnlyPagesOutThatCostNothing) {
  PriceControllerOptions options;
  options.user_loss_budget = 0.02;
  const auto controller = controller_of(options);
  controller->set_programs(set_of({program_of("p", {viewable(1e6)})}), nothing, kStart);
  const Reservation one[] = {insertion_of({"p"})};
  int lossy = 0;
  while (lossy < 1'000 && controller->reserve(one, {10, 1}, {}, kStart)) ++lossy;
  EXPECT_LT(lossy, 15);
  EXPECT_EQ(controller->table()->viewer_price, kLosslessPrice);
  EXPECT_TRUE(controller->reserve(one, {10, -0.5}, {}, kStart));
  // A room's promise is kept; what it costs is paid back by the others.
  EXPECT_TRUE(controller->reserve(one, {10, 1, Surface::kLiveRoom, true}, {}, kStart));
  EXPECT_FALSE(controller->reserve(one, {10, 1}, {}, kStart));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(controller->reserve({}, {10, 0}, {}, kStart));
  EXPECT_LT(controller->table()->viewer_price, kLosslessPrice);
  EXPECT_TRUE(controller->reserve(one, {10, 1}, {}, kStart));
}

// --- traffic ---

TEST(Pacing, NewItemsPayFromAnAccountOfTheirOwnWhichARestartKeeps) {
  constexpr double kOrganic = 10, kTried = 0.4;
  PriceControllerOptions options;
  options.explore_new_budget = 0.002;
  auto controller = controller_of(options);
  controller->set_programs(set_of({}), nothing, kStart);
  double cost = 0;
  int refused = 0;
  const auto page = [&](int i) {
    const Millis now = kStart + Millis(100 * i);
    if (controller->table()->tries_new &&
        controller->reserve({}, {kOrganic, kTried, Surface::kFeed, false, kTried}, {}, now)) {
      cost += kTried;
      return;
    }
    refused += controller->table()->tries_new ? 0 : 1;
    EXPECT_TRUE(controller->reserve({}, {kOrganic, 0}, {}, now));  // the others go on
    EXPECT_LT(controller->table()->viewer_price, 1);
  };
  constexpr int kPages = 2'000;
  for (int i = 0; i < kPages; ++i) page(i);
  EXPECT_GT(refused, 0);
  EXPECT_LE(cost, options.explore_new_budget * kOrganic * (0.9 * kPages + 50) + 1e-9);
  EXPECT_GT(cost, options.explore_new_budget * kOrganic * 0.8 * kPages);

  while (controller->table()->tries_new) page(kPages);
  MemoryState saved;
  checkpoint(*controller, saved);
  controller = controller_of(options);
  ASSERT_TRUE(controller->restore(saved).ok());
  controller->set_programs(set_of({}), nothing, kStart + kHour);
  EXPECT_FALSE(controller->reserve({}, {kOrganic, 2 * kTried, Surface::kFeed, false, 2 * kTried},
                                   {}, kStart + kHour));
}

TEST(Pacing, AnOutageMovesNoPriceAndTheGoalIsStillMet) {
  const auto controller = controller_of();
  controller->set_programs(set_of({program_of("p", {viewable(2'000, 2'060)})}), nothing, kStart);
  Pages pages(*controller, {"p"}, 7);
  pages.run(6'000, kStart, kStart + Millis(12 * kHour.count()));
  const double before = controller->table()->programs[0].fen_per_unit;
  for (int s = 0; s < 3 * 3'600; s += 1) {
    controller->step(kStart + Millis(12 * kHour.count() + s * 1'000));
  }
  // The last page's insertions are counted in the first step; after that nothing happens.
  EXPECT_NEAR(controller->table()->programs[0].fen_per_unit, before, 0.16);
  const Millis back = kStart + Millis(15 * kHour.count());
  pages.run(200, back, back + Millis(24 * 60'000));
  EXPECT_LT(controller->table()->programs[0].fen_per_unit, 2.5);
  pages.run(4'300, back + Millis(24 * 60'000), kStart + kDay);
  const GoalStatus goal = goal_of(*controller, kStart + kDay);
  EXPECT_GE(goal.delivered, goal.target);
  EXPECT_LE(goal.delivered, goal.cap);
}

TEST(Pacing, ABurstDeliversItsShareAndNotTheWholeGoal) {
  const auto controller = controller_of();
  controller->set_programs(set_of({program_of("p", {viewable(2'000, 2'060)})}), nothing, kStart);
  Pages pages(*controller, {"p"}, 8);
  const Millis noon = kStart + Millis(12 * kHour.count());
  pages.run(5'000, kStart, noon);
  const double before = goal_of(*controller, noon).delivered;
  pages.run(2'000, noon, noon + Millis(600'000));  // 29 times the traffic
  const double burst = goal_of(*controller, noon + Millis(600'000)).delivered - before;
  EXPECT_GT(burst, 100);
  EXPECT_LT(burst, 600);
  pages.run(4'900, noon + Millis(600'000), kStart + kDay);
  EXPECT_GE(goal_of(*controller, kStart + kDay).delivered, 2'000);
}

// --- changes and restarts ---

TEST(Pacing, GoalsMayBeRaisedLoweredAndPausedInMidFlight) {
  const auto controller = controller_of();
  controller->set_programs(set_of({program_of("p", {viewable(1'000, 1'030)})}), nothing, kStart);
  Pages pages(*controller, {"p"}, 9);
  const auto hour = [](int h) { return kStart + Millis(h * kHour.count()); };
  pages.run(3'000, hour(0), hour(6));
  const double price = goal_of(*controller, hour(6)).price;
  const double delivered = goal_of(*controller, hour(6)).delivered;
  auto paused = program_of("p", {viewable(1'000, 1'030)});
  paused->enabled = false;
  controller->set_programs(set_of({paused}, "v2"), nothing, hour(6));
  for (int m = 0; m < 180; ++m) {
    const Millis now = hour(6) + Millis(m * 60'000);
    controller->step(now);
    ASSERT_TRUE(controller->reserve({}, {20, 0}, {}, now));
  }
  EXPECT_EQ(goal_of(*controller, hour(9)).price, price);
  EXPECT_EQ(goal_of(*controller, hour(9)).delivered, delivered);
  controller->set_programs(set_of({program_of("p", {viewable(1'500, 1'545)})}, "v3"), nothing,
                           hour(9));
  EXPECT_EQ(goal_of(*controller, hour(9)).price, price);
  pages.run(6'000, hour(9), hour(24));
  EXPECT_GE(goal_of(*controller, hour(24)).delivered, 1'500);
  EXPECT_LE(goal_of(*controller, hour(24)).delivered, 1'545);
}

TEST(Pacing, AProgramThatComesBackGoesOnAtItsPrice) {
  const auto controller = controller_of();
  const auto set = set_of({program_of("p", {viewable(1'000, 1'030)})});
  controller->set_programs(set, nothing, kStart);
  Pages pages(*controller, {"p"}, 10);
  pages.run(1'000, kStart, kStart + kHour);
  const GoalStatus before = goal_of(*controller, kStart + kHour);
  controller->set_programs(set_of({}, "v2"), nothing, kStart + kHour);
  controller->set_programs(
      set, [&](const ProgramId&, GoalUnit, Millis, Millis) { return before.delivered; },
      kStart + kHour);
  EXPECT_EQ(goal_of(*controller, kStart + kHour).price, before.price);
  EXPECT_EQ(goal_of(*controller, kStart + kHour).delivered, before.delivered);
}

TEST(Pacing, ADayBeginsWithYesterdaysPriceOfThisHour) {
  const auto controller = controller_of();
  Goal daily = viewable(400, 420);
  daily.per = GoalPeriod::kDay;
  controller->set_programs(set_of({program_of("p", {daily}, kStart + Millis(2 * kDay.count()))}),
                           nothing, kStart);
  Pages pages(*controller, {"p"}, 11);
  pages.run(250, kStart, kStart + kHour);
  const double first_hour = goal_of(*controller, kStart + kHour).price;
  pages.run(5'750, kStart + kHour, kStart + kDay);
  EXPECT_EQ(controller->table()->programs[0].fen_per_unit, 0);  // met: pays nothing
  controller->step(kStart + kDay);
  EXPECT_NEAR(controller->table()->programs[0].fen_per_unit, first_hour, 0.16);
  EXPECT_GT(controller->table()->programs[0].fen_per_unit, 0);
}

// A run of two hours that is stopped: what the next process has is a checkpoint, the totals of the
// fold, and the events and decisions since.
struct Stopped {
  struct Inserted {
    Millis at;
    uint32_t program;
  };
  static constexpr Millis kCheckpoint{kStart + Millis(2 * kHour.count() + 17'000)};
  static constexpr Millis kEnd{kCheckpoint + Millis(7 * 60'000)};

  std::shared_ptr<const ProgramSet> set;
  std::unique_ptr<PriceController> process = controller_of();
  std::vector<Inserted> inserted;
  std::vector<std::pair<Millis, Inserted>> seen;  // when, of what
  MemoryState saved;

  Stopped() {
    Goal share = viewable(0.3, 0.5);
    share.share_of = Surface::kFeed;
    set = set_of({program_of("p", {viewable(800, 840)}), program_of("s", {share})});
    process->set_programs(set, nothing, kStart);
    std::mt19937_64 random(12);
    for (Millis now = kStart; now < kEnd; now += Millis(2'000)) {
      if (now == kCheckpoint + Millis(1'000)) checkpoint(*process, saved, 3);
      tell(*process, now, now + Millis(2'000));
      process->step(now);
      const char* const name = random() % 3 == 0 ? "s" : "p";
      const Reservation page[] = {insertion_of({name})};
      if (random() % 4 != 0 || !process->reserve(page, {50, 0.1}, {}, now)) continue;
      inserted.push_back({now, program_hash(name)});
      if (random() % 10 >= 6) continue;
      seen.emplace_back(now + Millis(2'000 + random() % 600'000), inserted.back());
    }
    process->step(kEnd);
  }
  void tell(PriceController& controller, Millis from, Millis to) const {
    for (const auto& [at, what] : seen) {
      if (at < from || at >= to) continue;
      controller.observe(what.program, GoalUnit::kViewable, at, what.at);
    }
  }
  std::unique_ptr<PriceController> next() const {
    auto controller = controller_of();
    EXPECT_TRUE(controller->restore(saved).ok());
    const Millis since = kCheckpoint + Millis(1'000);
    const auto totals = [&](const ProgramId& id, GoalUnit, Millis, Millis) {
      return static_cast<double>(std::count_if(seen.begin(), seen.end(), [&](const auto& s) {
        return s.first < since && s.second.program == program_hash(id.view());
      }));
    };
    controller->set_programs(set, totals, kEnd);
    tell(*controller, since, kEnd);
    for (const Inserted& insertion : inserted) {
      Reservation reservation = insertion_of({});
      reservation.programs[0] = insertion.program;
      if (insertion.at + kHour > kEnd) controller->replay({&reservation, 1}, insertion.at);
    }
    controller->step(kEnd);
    return controller;
  }
};

TEST(Pacing, ARestartInMidFlightHasNoJump) {
  const Stopped run;
  const auto next = run.next();
  const Millis end = Stopped::kEnd;
  const GoalStatus a = goal_of(*run.process, end), b = goal_of(*next, end);
  EXPECT_GT(a.outstanding, 20);
  EXPECT_EQ(b.outstanding, a.outstanding);
  EXPECT_EQ(b.delivered, a.delivered);
  EXPECT_NEAR(b.in_flight, a.in_flight, 0.02 * a.in_flight + 0.5);
  EXPECT_NEAR(b.price, a.price, 0.3);  // minutes of steps are lost, not more
  EXPECT_NEAR(b.curve, a.curve, 0.02);
  const GoalStatus share_a = goal_of(*run.process, end, 1), share_b = goal_of(*next, end, 1);
  EXPECT_NEAR(share_b.delivered / share_b.target, share_a.delivered / share_a.target, 0.1);
}

TEST(Pacing, WhatWasCountedOfAShortfallSurvivesARestartAndTheProgramsAbsence) {
  const auto set = set_of({program_of("p", {viewable(800, 840)}), program_of("q", {})});
  const auto process = controller_of();
  process->set_programs(set, nothing, kStart);
  const Reservation page[] = {insertion_of({"p"})};
  const MissedProgram missed[] = {{1, Cause::kNoSlot, kNoItem, 0.5F}};
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(process->reserve(page, {50, 0.1}, missed, kStart + Millis(i)));
  }
  MemoryState saved;
  checkpoint(*process, saved);

  const auto next = controller_of();
  ASSERT_TRUE(next->restore(saved).ok());
  const Millis later = kStart + kHour;
  next->set_programs(set, nothing, later);
  const std::vector<ProgramStatus> before = process->status(later), after = next->status(later);
  constexpr auto kNoSlot = static_cast<size_t>(Cause::kNoSlot);
  EXPECT_EQ(after[1].counts.causes[kNoSlot], 3U);
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].counts.since, kStart);
    EXPECT_EQ(after[i].counts.inserted, before[i].counts.inserted);
    EXPECT_EQ(after[i].counts.causes, before[i].counts.causes);
    EXPECT_EQ(after[i].counts.lost, before[i].counts.lost);
  }
  next->set_programs(set_of({}, "v2"), nothing, later);
  next->set_programs(set, nothing, later);
  EXPECT_EQ(next->status(later)[1].counts.since, kStart);
  EXPECT_EQ(next->status(later)[1].counts.causes[kNoSlot], 3U);
}

TEST(Pacing, TheSameStateCheckpointsToTheSameBytes) {
  const Stopped run;
  const auto one = run.next(), other = run.next();
  MemoryState first, second;
  checkpoint(*one, first, 1);
  checkpoint(*other, second, 5);
  EXPECT_EQ(first.records, second.records);
  const auto again = controller_of();
  ASSERT_TRUE(again->restore(first).ok());
}

TEST(Pacing, ABrokenRecordIsRefused) {
  const Stopped run;
  for (const auto& [key, value] : run.saved.records) {
    MemoryState broken;
    broken.put(key, std::string_view(value).substr(0, value.size() / 2));
    EXPECT_FALSE(controller_of()->restore(broken).ok()) << key;
  }
}

}  // namespace
}  // namespace shanhuo
