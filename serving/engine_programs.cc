// How programs and experiments reach the engine's parts: files that changed are taken over, prices
// take over a set of programs and its day's goals, the world follows.
#include <algorithm>
#include <cstdio>

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
void Engine::publish_world(std::shared_ptr<const World> world) {
  const std::shared_ptr<const Catalogue> catalogue = catalogue_.snapshot();
  const std::shared_ptr<const ProgramSet> programs = programs_.current();
  const bool another_day = programs_day_ != day_of(time_.now());
  if (another_day || prices_.table()->programs_version != programs->version) take_over_programs();
  if (&world->catalogue() != catalogue.get() || &world->programs() != programs.get()) {
    world = build_world(catalogue, programs, world.get());
  }
  if (world != world_.get()) world_.set(std::move(world));
}

void Engine::refresh_world() {
  const std::lock_guard lock(world_mutex_);
  publish_world(world_.get());
}

// What is refused is said once.
void Engine::reload(ConfigStore& store, const char* what) {
  const ConfigErrors before = store.errors();
  const ConfigStore::Texts live = store.live();
  if (store.reload()) return note_files(store, live);
  const ConfigErrors errors = store.errors();
  if (errors.empty() || joined(errors) == joined(before)) return;
  std::fprintf(stderr, "%s: refused, the last good set stays:\n%s\n", what, joined(errors).c_str());
}

// Changes that were made on disk, not through the API, belong into the books as well: against what
// is known of each file, or what was live before.
void Engine::note_files(const ConfigStore& store, const ConfigStore::Texts& before) {
  ConfigStore::Texts now = store.live();
  for (const auto& [id, text] : before) now.emplace(id, "");
  for (const auto& [id, text] : now) {
    const std::vector<RecordedChange> last = changes_->last(store.kind(), id, 1);
    const auto was = before.find(id);
    ConfigChange change;
    change.kind = store.kind();
    change.id = id;
    change.before = was == before.end() ? "" : was->second;
    change.from = !last.empty() ? last[0].to : was == before.end() ? "" : revision_of(was->second);
    change.after = text;
    change.to = text.empty() ? "" : revision_of(text);
    // At a start there is nothing to compare a file with that nobody has changed yet.
    const bool first = before.empty() && last.empty();
    const Status noted =
        first || change.from == change.to ? revisions_->save(text) : note_file(change);
    if (!noted.ok()) std::fprintf(stderr, "%s: %s\n", id.c_str(), noted.error().message.c_str());
  }
}

Status Engine::note_file(ConfigChange& change) {
  if (change.before.empty() && !change.from.empty()) {
    Result<std::string> kept = revisions_->text(change.from);
    if (kept.ok()) change.before = std::move(kept).value();
  }
  change.what = change.after.empty() ? "deleted" : yaml_differences(change.before, change.after);
  return note(change, "files");
}

void Engine::reload_experiments() {
  const std::shared_ptr<const RankingOptions> base = ranking_.get();
  if (experiments_base_ != base) {  // its values are laid over others
    experiments_.read_anew();
    imported_.read_anew();
  }
  experiments_base_ = base;
  const std::string metrics = metric_files_.current()->version;
  reload(metric_files_, "metrics");
  // Guardrails name them.
  if (metrics != metric_files_.current()->version) experiments_.read_anew();
  reload(experiments_, "experiments");
  if (imported_.reload() && !imported_.errors().empty()) {
    std::fprintf(stderr, "payload: %s\n", joined(imported_.errors()).c_str());
  }
  metrics_.experiments_refused.set(experiments_.errors().empty() ? 0 : 1);
}

void Engine::reload_boosting() {
  const ConfigErrors before = boosting_.errors();
  if (std::optional<ConfigChange> change = boosting_.reload()) {
    const Status noted = note(*change, "files");
    if (!noted.ok()) std::fprintf(stderr, "boosting: %s\n", noted.error().message.c_str());
  }
  const ConfigErrors errors = boosting_.errors();
  if (errors.empty() || joined(errors) == joined(before)) return;
  std::fprintf(stderr, "boosting: it stays as it was:\n%s\n", joined(errors).c_str());
}

void Engine::upkeep() {
  int rounds = 0;
  const ProgramSet* graduates_of = &world_.get()->programs();
  std::unique_lock lock(stop_mutex_);
  while (!stop_signal_.wait_for(lock, kUpkeepPeriod, [this] { return stopping_; })) {
    lock.unlock();
    if (++rounds % 3 == 0) {
      reload(programs_, "programs");
      reload_experiments();
      reload_boosting();
      watch_->tick();
      reload(giving_rules_, "giving");
      publish_giving();
    }
    refresh_world();
    if (const auto world = world_.get(); rounds % 10 == 0 || graduates_of != &world->programs()) {
      graduates_.set(find_graduates(*world, totals_));
      graduates_of = &world->programs();
    }
    if (!time_.by_caller()) {  // else behind answers (ranker.h)
      prices_.step(time_.now());
      prices_.resolve(time_.now());
    }
    if (rounds % 10 == 0) calibration_.publish();
    lock.lock();
  }
}

}  // namespace shanhuo
