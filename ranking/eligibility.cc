#include "ranking/eligibility.h"

#include <algorithm>

#include "base/check.h"

namespace shanhuo {
namespace {

// Which cause says more about a program when its items fail for different reasons: the one that
// came closest to being inserted.
bool closer(Cause a, Cause b) {
  const auto rank = [](Cause cause) {
    switch (cause) {
      case Cause::kNone:
        return 9;
      case Cause::kFrequencyCapped:
        return 5;
      case Cause::kOutOfSeason:
        return 4;
      case Cause::kOutOfStock:
        return 3;
      case Cause::kBlocked:
        return 2;
      default:
        return 1;
    }
  };
  return rank(a) > rank(b);
}

}  // namespace

double area_radius_km(const Area& area, Millis start, Millis now) {
  CHECK(!area.radius_km.empty());
  const double minutes = static_cast<double>((now - start).count()) / 60'000.0;
  const auto& corners = area.radius_km;
  if (minutes <= corners.front().first) return corners.front().second;
  for (size_t i = 1; i < corners.size(); ++i) {
    const auto& [m0, r0] = corners[i - 1];
    const auto& [m1, r1] = corners[i];
    if (minutes < m1) return r0 + (r1 - r0) * (minutes - m0) / (m1 - m0);
  }
  return corners.back().second;
}

void Eligibility::begin(const RankRequest& request, const ViewerState& viewer,
                        const Insertions& insertions, const World& world, const PriceTable& prices,
                        const Graduates* graduates) {
  request_ = &request;
  viewer_ = &viewer;
  insertions_ = &insertions;
  world_ = &world;
  const bool same_set = prices.programs_version == world.programs().version &&
                        prices.programs.size() == world.programs().programs.size();
  prices_ = same_set ? &prices : nullptr;
  const size_t n = world.programs().programs.size();
  judged_.assign(n, 0);
  program_left_.assign(n, 0);
  program_max_.assign(n, 0);
  all_left_.assign(n, kUnlimited);
  pairs_.assign(n, 0);
  seen_.clear();
  graduates_ = graduates;
  gather_limits();
}

// All programs with limits that ask for the page hold together: the tightest wins.
void Eligibility::gather_limits() {
  limits_page_ = kUnlimited;
  limits_p_click_min_ = 0;
  for (const ProgramIndex index : world_->limiting()) {
    if (program(index) != Cause::kNone) continue;
    const Limits& limits = *world_->program(index).limits;
    limits_page_ = std::min(limits_page_, limits.per_request_max);
    limits_p_click_min_ = std::max(limits_p_click_min_, limits.p_click_min);
    if (!limits.max) continue;
    const int seen = count_seen({CapScope::kAll, limits.window, *limits.max}, 0);
    limits_page_ = std::min(limits_page_, std::max(0, *limits.max - seen));
  }
}

bool Eligibility::urgent(const EligibleItem& item) const {
  return std::any_of(item.programs.begin(), item.programs.begin() + item.program_count,
                     [this](ProgramIndex p) { return world_->program(p).urgent; });
}

Cause Eligibility::judge_audience(ProgramIndex index) {
  const Program& program = world_->program(index);
  const ViewerAttributes viewer(*request_, *viewer_);
  if (!program.audience.matches(viewer)) return Cause::kAudience;
  for (size_t k = 0; k < program.pairs.size(); ++k) {
    if (program.pairs[k].audience.matches(viewer)) pairs_[index] |= uint64_t{1} << k;
  }
  return program.pairs.empty() || pairs_[index] != 0 ? Cause::kNone : Cause::kAudience;
}

Cause Eligibility::judge(ProgramIndex index) {
  const Program& program = world_->program(index);
  if (world_->catalogue().program_blocked(program.id)) return Cause::kBlocked;
  if (!program.runs_at(request_->now)) return Cause::kNotRunning;
  if (!program.surfaces[static_cast<size_t>(request_->surface)]) return Cause::kSurface;
  if (const Cause cause = judge_audience(index); cause != Cause::kNone) return cause;
  if (program.area) {
    const double radius = area_radius_km(*program.area, program.start, request_->now);
    if (!request_->place || distance_km(program.area->center, *request_->place) > radius) {
      return Cause::kArea;
    }
  }
  const bool exhausted = prices_ != nullptr && prices_->programs[index].exhausted;
  return exhausted ? Cause::kCapReached : Cause::kNone;
}

Cause Eligibility::program(ProgramIndex index) {
  if (judged_[index] != 0) return static_cast<Cause>(judged_[index] - 1);
  const Cause cause = judge(index);
  judged_[index] = static_cast<uint8_t>(1 + static_cast<int>(cause));
  if (cause != Cause::kNone) return cause;
  const Program& program = world_->program(index);
  int left = kUnlimited;
  if (prices_ != nullptr) {
    left = static_cast<int>(std::min<int64_t>(left, prices_->programs[index].insertions_left));
  }
  for (const FrequencyCap& cap : program.frequency) {
    if (cap.scope == CapScope::kProgram) {
      left = std::min(left, cap.max - count_seen(cap, program_hash(program.id.view())));
    } else if (cap.scope == CapScope::kAll) {
      all_left_[index] = std::min(all_left_[index], cap.max - count_seen(cap, 0));
    }
  }
  program_left_[index] = std::max(0, left);
  program_max_[index] = std::min(program_left_[index], program.placement.per_request_max);
  return cause;
}

Cause Eligibility::item(ItemIndex index) const {
  const Listing& listing = world_->listing(index);
  if (!listing.present) return Cause::kOutOfStock;
  const Catalogue& catalogue = world_->catalogue();
  if (catalogue.blocks_items() && catalogue.blocked(*catalogue.at(index))) return Cause::kBlocked;
  if (!listing.in_stock) return Cause::kOutOfStock;
  if (listing.seasonal && !catalogue.at(index)->item.season->contains(request_->now)) {
    return Cause::kOutOfSeason;
  }
  return Cause::kNone;
}

// Insertions within the cap's window and scope; of the item being checked for scopes of an item.
// Creators go by their 32-bit hash, as in the allocation and in a viewer's affinities.
int Eligibility::count_seen(const FrequencyCap& cap, uint32_t program) const {
  const Millis from = request_->now - cap.window;
  int seen = 0;
  for (auto it = insertions_->rbegin(); it != insertions_->rend() && it->at > from; ++it) {
    bool counts = true;
    switch (cap.scope) {
      case CapScope::kItem:
        counts = it->item == item_;
        break;
      case CapScope::kProgram:
        counts = std::find(it->programs.begin(), it->programs.end(), program) != it->programs.end();
        break;
      case CapScope::kCounty:
        counts = listing_->county_code != 0 &&
                 world_->listing(it->item).county_code == listing_->county_code;
        break;
      case CapScope::kCreator:
        counts = world_->listing(it->item).creator_hash == listing_->creator_hash;
        break;
      case CapScope::kAll:
        break;
    }
    seen += counts ? 1 : 0;
  }
  return seen;
}

// Lowers what `result` may do by the caps of one more program, unless they forbid the item.
Cause Eligibility::frequency(ProgramIndex index, EligibleItem& result) {
  if (program_left_[index] <= 0 || all_left_[index] <= 0) return Cause::kFrequencyCapped;
  int county = kUnlimited, creator = kUnlimited;
  for (const FrequencyCap& cap : world_->program(index).frequency) {
    if (cap.scope == CapScope::kProgram || cap.scope == CapScope::kAll) continue;
    const int left = cap.max - count_seen(cap, 0);
    if (left <= 0) return Cause::kFrequencyCapped;
    if (cap.scope == CapScope::kCounty) county = std::min(county, left);
    if (cap.scope == CapScope::kCreator) creator = std::min(creator, left);
  }
  result.county_left = std::min(result.county_left, county);
  result.creator_left = std::min(result.creator_left, creator);
  result.page_left = std::min(result.page_left, all_left_[index]);
  return Cause::kNone;
}

void Eligibility::note(ProgramIndex index, Cause cause) {
  const auto at = std::lower_bound(
      seen_.begin(), seen_.end(), static_cast<int>(index),
      [](const MissedProgram& seen, int program) { return seen.program < program; });
  if (at == seen_.end() || at->program != index) {
    seen_.insert(at, {index, cause, item_, 0});
  } else if (closer(cause, at->cause)) {
    at->cause = cause;
    at->item = item_;
  }
}

EligibleItem Eligibility::start(ItemIndex index) {
  item_ = index;
  listing_ = &world_->listing(index);
  current_cause_ = item(index);
  EligibleItem result;
  result.first = Cause::kNoInventory;
  result.county_left = result.creator_left = result.page_left = kUnlimited;
  return result;
}

// Whether the item being checked is for this viewer, in a program that has been judged.
bool Eligibility::of_pair(ProgramIndex index) const {
  return world_->program(index).pairs.empty() ||
         (pairs_[index] & world_->pairs_of(index, item_)) != 0;
}

void Eligibility::add(ProgramIndex index, EligibleItem& result) {
  Cause cause = program(index);
  if (cause == Cause::kNone || cause == Cause::kCapReached) {
    if (!of_pair(index)) cause = Cause::kAudience;
    if (graduates_ != nullptr && graduates_->contains(*world_, index, item_)) {
      cause = Cause::kNotRunning;  // for this item
    }
  }
  if (cause == Cause::kCapReached) {
    result.capped = true;
    result.program_count = 0;
    result.first = cause;
  }
  if (result.capped) return;
  const bool asks = cause == Cause::kNone;
  if (asks && result.program_count == kProgramsPerItemMax) return;
  if (asks) cause = current_cause_ == Cause::kNone ? frequency(index, result) : current_cause_;
  if (cause == Cause::kNone && !world_->program(index).urgent) {
    if (limits_page_ <= 0) cause = Cause::kFrequencyCapped;
    result.page_left = std::min(result.page_left, limits_page_);
  }
  if (asks || cause == Cause::kBlocked) note(index, cause);
  if (cause == Cause::kNone) {
    result.programs[result.program_count++] = index;
  } else if (result.first == Cause::kNoInventory) {
    result.first = cause;
  }
}

}  // namespace shanhuo
