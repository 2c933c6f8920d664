#include "serving/page_experiments.h"

#include <algorithm>

#include "base/hash.h"
#include "features/coercion.h"

namespace shanhuo {
namespace {

uint64_t unit_hash(const AttributeView& unit) {
  if (unit.kind() == AttributeKind::kText) return hash64(unit.as_text());
  TextBuffer room;
  return hash64(text_of(unit, &room));
}

}  // namespace

void PageExperiments::begin(std::shared_ptr<const ExperimentSet> set, const RankingOptions* base,
                            std::shared_ptr<const ImportedFlags> imported) {
  set_ = std::move(set);
  imported_ = std::move(imported);
  options_ = base;
  shown_.clear();
  variations_.clear();
  met_.clear();
}

void PageExperiments::assign(const AttributeSource& viewer, Millis now) {
  set_->assign(viewer, now, assignments_);
  const bool imports = imported_ != nullptr && imported_->sets_parameters();
  bool own = imports;
  size_t setting = 0;  // of variations_, those that set something
  for (size_t i = 0; i < assignments_.size(); ++i) {
    const Experiment& experiment = set_->experiments()[i];
    const Assignment& assignment = assignments_[i];
    shown_.push_back({experiment.id, {}, assignment.in(), reason_of(experiment, assignment)});
    if (!assignment.in()) continue;
    const ExperimentVariation& variation =
        experiment.variations[static_cast<size_t>(assignment.variation)];
    shown_.back().variation = variation.key;
    own |= !variation.set.empty();
    const bool sets =
        std::any_of(experiment.variations.begin(), experiment.variations.end(),
                    [](const ExperimentVariation& each) { return !each.set.empty(); });
    variations_.insert(
        sets ? variations_.begin() + static_cast<ptrdiff_t>(setting++) : variations_.end(),
        variation.hash);
    const uint64_t unit = unit_hash(viewer.member(experiment.attribute));
    met_.push_back({static_cast<uint32_t>(i), static_cast<uint32_t>(assignment.variation),
                    hash_combine(unit, variation.hash)});
  }
  if (!own) return;
  own_ = *options_;
  if (imports) imported_->apply(viewer, own_);
  set_->apply(assignments_, own_);
  options_ = &own_;
}

PageExperiments::TokenVariations PageExperiments::of_token() const {
  TokenVariations hashes{};
  std::copy_n(variations_.begin(), std::min(variations_.size(), hashes.size()), hashes.begin());
  return hashes;
}

void PageExperiments::count(ExposureMemory& memory, Metrics& metrics, std::string_view user_id,
                            const OnMet& on_met) const {
  for (const Met& met : met_) {
    if (memory.first(met.key)) {
      const ShownExperiment& shown = shown_[met.experiment];
      metrics.experiment_exposures.at(shown.experiment, shown.variation).add();
    }
    if (!on_met) continue;
    // A viewer's, whatever the unit is, and anew in every phase.
    const Experiment& experiment = set_->experiments()[met.experiment];
    const uint64_t viewer = hash_combine(hash_combine(met.key, experiment.phase), hash64(user_id));
    if (memory.first(viewer)) on_met(experiment, experiment.variations[met.variation]);
  }
  if (variations_.size() > kVariationsPerTokenMax) metrics.token_variations_left.add();
}

// Right after a change requests have a set that the table does not know yet.
void PageExperiments::meter(const MeterTable& table, bool degraded, int64_t ns) const {
  if (table.set != set_) return;
  for (const Met& met : met_) {
    const auto& meters = table.windows[met.experiment].meters;
    if (!meters.empty()) meters[met.variation]->add(met.key, degraded, ns);
  }
}

}  // namespace shanhuo
