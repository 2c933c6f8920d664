// The simulated day of tests/allocation_day.h at full size: 200 programs, 832 counties, 400,000
// requests, three bursts and an outage, under the shipped law, a fixed boost and PID pacing.
#include <cstdio>
#include <cstdlib>

#include "tests/allocation_day.h"

namespace shanhuo {
namespace {

void print_row(const AllocationDay& day, const char* name, const DayResult& result) {
  int met = 0, over = 0;
  for (const ProgramStatus& program : result.programs) {
    const GoalStatus& goal = program.goals[0];
    met += goal.delivered >= goal.target ? 1 : 0;
    over += goal.delivered > goal.target + std::max(3.0, 0.005 * goal.target) ? 1 : 0;
  }
  const double worst =
      *std::min_element(result.county_exposures.begin(), result.county_exposures.end());
  std::printf("%-16s %4d/%zu %9d %9.2f%% %17.2f%% %13.2f\n", name, met, result.programs.size(),
              over, 100 * result.loss_share, 100 * result.worst_run,
              worst / day.fair_share(result));
}

int run() {
  DayPlan plan;
  if (std::getenv("SHANHUO_BENCH_SMOKE") != nullptr) {
    plan.requests = 5'000;
  } else {
    plan.programs = 200;
    plan.counties = 832;
    plan.requests = 400'000;
  }
  AllocationDay day(plan);
  std::printf("%d programs, %d counties, %d requests, budget %.1f%%\n", plan.programs,
              plan.counties, plan.requests, 100 * plan.budget);
  std::printf("%-16s %8s %9s %10s %18s %13s\n", "law", "met", "over", "loss", "worst 1,000 pages",
              "worst county");
  PriceLawOptions shipped;
  shipped.credit_share = 0.1;
  PriceLawOptions pid;
  pid.kind = PriceLawKind::kPid;
  print_row(day, "remaining_goal", day.run(make_price_law(shipped)));
  print_row(day, "fixed_boost 0.3", day.run(fixed_price_law(0.3)));
  print_row(day, "pid", day.run(make_price_law(pid)));
  return 0;
}

}  // namespace
}  // namespace shanhuo

int main() { return shanhuo::run(); }
