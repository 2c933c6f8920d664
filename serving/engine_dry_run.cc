// What a change of a program or an experiment is tried with (dry_run.h): the worlds, prices and
// experiments of now, and those that there would be.
#include <algorithm>

#include "ranking/graduates.h"
#include "serving/engine.h"

namespace shanhuo {
namespace {

// Prices of the programs that stay; new ones begin at 0, as they do when they go live.
std::shared_ptr<const PriceTable> prices_for(const PriceTable& now, const ProgramSet& before,
                                             const ProgramSet& after) {
  auto prices = std::make_shared<PriceTable>(now);
  prices->programs_version = after.version;
  prices->programs.assign(after.programs.size(), {});
  for (size_t i = 0; i < after.programs.size(); ++i) {
    const int known = before.find(after.programs[i]->id.view());
    const auto at = static_cast<size_t>(std::max(known, 0));
    if (known >= 0 && at < now.programs.size()) prices->programs[i] = now.programs[at];
  }
  return prices;
}

}  // namespace

RankSide Engine::side_now() {
  return {world_.get(), graduates_.get(), prices_.table(), experiments_.current(), &retriever_};
}

Status Engine::dry_run_limit(const World& world) const {
  const auto most = static_cast<size_t>(options_.experiments.dry_run_items_max);
  if (world.catalogue().items <= most) return {};
  return Error{ErrorCode::kConflict,
               "an index of the whole catalogue would take too long (more than "
               "experiments.dry_run_items_max): see program validate"};
}

Result<DryRunReport> Engine::dry_run(ConfigKind kind, std::string_view id, const ConfigEdit& edit,
                                     const RankLimits& limits, ConfigErrors& wrong) {
  const RankSide before = side_now();
  RankSide after = before;
  IndexRetriever aside(options_.retrieval);  // finds the items of programs that are not live yet
  if (kind == ConfigKind::kExperiment) {
    auto set = experiments_.preview(id, edit, wrong);
    if (!set.ok()) return set.error();
    after.experiments = std::move(set).value();
  } else {
    const auto set = programs_.preview(id, edit, wrong);
    if (!set.ok()) return set.error();
    if (const Status fits = dry_run_limit(*before.world); !fits.ok()) return fits.error();
    const auto catalogue = catalogue_.snapshot();
    after.world = build_world(catalogue, set.value(), before.world.get());
    after.graduates = find_graduates(*after.world, totals_);
    after.prices = prices_for(*before.prices, before.world->programs(), *set.value());
    aside.refresh(after.world, *features_, &segments_);
    after.retriever = &aside;
  }
  DryRunLimits bounds;
  bounds.time_max_ns = options_.experiments.dry_run_ms * 1'000'000;
  bounds.requests_min = static_cast<size_t>(options_.experiments.dry_run_requests_min);
  return shanhuo::dry_run(recent_.newest(bounds.requests_max), before, after, limits, time_.now(),
                          *ranker_, bounds);
}

}  // namespace shanhuo
