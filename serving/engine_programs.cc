// How programs reach the engine's parts: prices take over a set and its day's goals, the world
// follows.
#include <algorithm>

#include "ranking/calendar.h"
#include "serving/engine.h"

namespace shanhuo {

double Engine::delivered(const ProgramId& program, GoalUnit unit, Millis from, Millis to) const {
  double sum = 0;
  for (const auto& [day, counts] : features_->programs().days(program_hash(program.view()))) {
    if (day < day_of(from) || start_of_day(day) >= to) continue;
    sum += static_cast<double>(unit == GoalUnit::kViewable ? counts.viewable
                               : unit == GoalUnit::kClick  ? counts.clicks
                                                           : counts.orders);
  }
  return sum;
}

void Engine::take_over_programs() {
  const std::shared_ptr<const ProgramSet> programs = programs_.current();
  int64_t window_max_ms = kDay.count();
  for (const auto& program : programs->programs) {
    for (const FrequencyCap& cap : program->frequency) {
      window_max_ms = std::max(window_max_ms, cap.window.count());
    }
    if (program->limits) window_max_ms = std::max(window_max_ms, program->limits->window.count());
  }
  features_->frequency().set_window_max(window_max_ms);
  programs_day_ = day_of(time_.now());
  prices_.set_programs(
      programs_on_day(programs, time_.now()),
      [this](const ProgramId& id, GoalUnit unit, Millis from, Millis to) {
        return delivered(id, unit, from, to);
      },
      time_.now());
}

// The world follows the catalogue and the programs; prices are of the same set before it is
// published, and of the day's goals.
void Engine::refresh_world() {
  const std::lock_guard lock(world_mutex_);
  const std::shared_ptr<const World> before = world_.get();
  const std::shared_ptr<const Catalogue> catalogue = catalogue_.snapshot();
  const std::shared_ptr<const ProgramSet> programs = programs_.current();
  const bool another_day = programs_day_ != day_of(time_.now());
  if (another_day || prices_.table()->programs_version != programs->version) take_over_programs();
  if (&before->catalogue() == catalogue.get() && &before->programs() == programs.get()) return;
  world_.set(build_world(catalogue, programs, before.get()));
}

}  // namespace shanhuo
