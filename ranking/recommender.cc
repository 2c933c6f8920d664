#include "ranking/recommender.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "ranking/exploration.h"
#include "ranking/missed.h"
#include "ranking/page.h"
#include "ranking/snapshot.h"

namespace shanhuo {
namespace {

using Parts = RankScratch::Parts;

void explain(const RankContext& context, Slate& slate) {
  for (SlateItem& item : slate.items) {
    if (item.source == ItemSource::kOrganic) {
      item.reason_code = "organic";
      item.reason_text = "the caller's order, kept";
      continue;
    }
    double pays = 0;
    std::string names;
    for (const int p : item.programs) {
      const Program& program = context.world.program(static_cast<ProgramIndex>(p));
      names += (names.empty() ? "" : ", ") +
               (program.name_zh.empty() ? program.id.str() : program.name_zh);
      if (!prices_match(context.prices, context.world)) continue;
      const ProgramPrice& price = context.prices.programs[p];
      pays += price.fen_per_unit + price.fen_per_click * item.p_click +
              price.fen_per_order * item.p_order;
    }
    char numbers[160];
    std::snprintf(numbers, sizeof(numbers),
                  ": P(click) %.4f, worth %.3f fen to the viewer, the programs pay %.3f fen a view",
                  item.p_click, item.score, pays);
    item.reason_code = pays > 0 ? "program_goal" : "viewer_interest";
    item.reason_text = names + numbers;
  }
}

// The best page if the most promising new item were worth what it may be at best; nothing when it
// has no place there, either.
std::optional<AllocationResult> try_new(PageTerms terms, Parts& parts, Slate& slate) {
  slate.retired_items = parts.retired;
  for (const BoostCandidate& c : parts.candidates) slate.new_items += c.novelty == Novelty::kNew;
  const int item = choose_new(parts.candidates);
  if (item < 0) return std::nullopt;
  terms.pairs = 0;
  double& value = parts.items[item].value;
  const double known = std::exchange(value, parts.candidates[item].upper_fen);
  const AllocationResult page = allocate(terms, parts.items, parts.allocation);
  value = known;
  const auto end = page.placed.begin() + page.count;
  const bool shown =
      std::any_of(page.placed.begin(), end, [item](const PlacedItem& p) { return p.item == item; });
  return shown ? std::optional(page) : std::nullopt;
}

// The new item of a page that its draw allowed.
void explain_new(std::span<const PlacedItem> placed, const Parts& parts, Slate& slate) {
  const int tried = choose_new(parts.candidates);
  for (const PlacedItem& p : placed) {
    if (p.item != tried) continue;
    const BoostCandidate& candidate = parts.candidates[tried];
    char numbers[96];
    std::snprintf(numbers, sizeof(numbers), "; new: its click rate is %.4f, at best %.4f",
                  candidate.rate, candidate.upper_rate);
    slate.items[p.position].reason_code = "new_item";
    slate.items[p.position].reason_text += numbers;
  }
}

// --- a page without an organic list ---

// Takes candidates by value as long as every cap of everything taken holds.
class RetrievedPage {
 public:
  RetrievedPage(const RankContext& context, std::span<const int> program_left)
      : context_(context), program_left_(program_left) {}

  bool take(const BoostCandidate& candidate) {
    taken_.push_back(&candidate);
    const bool holds = std::all_of(taken_.begin(), taken_.end(),
                                   [this](const BoostCandidate* c) { return caps_hold(*c); });
    if (!holds) taken_.pop_back();
    return holds;
  }

 private:
  bool caps_hold(const BoostCandidate& candidate) const {
    const CatalogueItem& item = *context_.world.item(candidate.item);
    int county = 0, creator = 0;
    std::array<int, kProgramsPerItemMax> named{};
    for (const BoostCandidate* other : taken_) {
      const CatalogueItem& entry = *context_.world.item(other->item);
      county += item.county_code != 0 && entry.county_code == item.county_code;
      creator += entry.item.creator_id == item.item.creator_id;
      const auto begin = other->eligible.programs.begin();
      const auto end = begin + other->eligible.program_count;
      for (int k = 0; k < candidate.eligible.program_count; ++k) {
        named[k] += std::find(begin, end, candidate.eligible.programs[k]) != end;
      }
    }
    for (int k = 0; k < candidate.eligible.program_count; ++k) {
      if (named[k] > program_left_[candidate.eligible.programs[k]]) return false;
    }
    return county <= candidate.eligible.county_left && creator <= candidate.eligible.creator_left &&
           static_cast<int>(taken_.size()) <= candidate.eligible.page_left;
  }

  const RankContext& context_;
  const std::span<const int> program_left_;
  std::vector<const BoostCandidate*> taken_;
};

void retrieved_page(const RankRequest& request, const RankContext& context, Parts& parts,
                    Slate& slate) {
  std::stable_sort(parts.candidates.begin(), parts.candidates.end(),
                   [](const BoostCandidate& a, const BoostCandidate& b) {
                     return a.value_fen != b.value_fen ? a.value_fen > b.value_fen
                                                       : a.item < b.item;
                   });
  RetrievedPage page(context, parts.eligibility.program_left());
  for (const BoostCandidate& candidate : parts.candidates) {
    if (slate.items.size() == static_cast<size_t>(request.count)) break;
    if (!page.take(candidate)) continue;
    slate.items.push_back(boosted_item(context, candidate, parts.examine[slate.items.size()]));
    slate.items.back().source = ItemSource::kRetrieved;
  }
}

}  // namespace

RankScratch::RankScratch() : parts_(std::make_unique<Parts>()) {}
RankScratch::~RankScratch() = default;
RankScratch::RankScratch(RankScratch&&) noexcept = default;
RankScratch& RankScratch::operator=(RankScratch&&) noexcept = default;

Slate organic_slate(const RankRequest& request, std::string_view stage) {
  Slate slate;
  const size_t size = std::min<size_t>(request.count, request.candidates.size());
  slate.items.resize(size);
  for (size_t i = 0; i < size; ++i) {
    slate.items[i].item_id = request.candidates[i].item_id;
    slate.items[i].index = request.candidates[i].index;
    slate.items[i].score = request.candidates[i].score;
  }
  if (!stage.empty()) slate.degraded.push_back(stage);
  return slate;
}

Slate rank(const RankRequest& request, const RankContext& context, RankScratch& scratch) {
  static const ViewerState kNobody;
  Parts& parts = scratch.parts();
  Slate slate;
  slate.price_version = context.prices.version;

  // 1. What asks for this page.
  const ViewerState& viewer = request.personalized ? context.viewer : kNobody;
  parts.ranks.begin(request);
  parts.eligibility.begin(request, viewer, context.insertions, context.world, context.prices,
                          context.graduates);

  // 2. Candidates: retrieved, eligible, scored.
  const bool tries = tries_new(context.options, context.prices);
  find_candidates(request, context, {false, request.personalized, tries}, parts);

  // 3. Slots.
  PageTerms terms = make_terms(request, context, parts);
  if (request.candidates.empty()) {
    retrieved_page(request, context, parts, slate);
    if (request.explain) explain(context, slate);
    return slate;
  }
  make_items(context, parts);
  terms.pairs = context.options.explore_probability > 0
                    ? std::clamp(context.options.explore_best, 0, kPairsMax)
                    : 0;
  if (context.snapshot != nullptr) *context.snapshot = snapshot_of(request, context, terms, parts);
  const AllocationResult best = allocate(terms, parts.items, parts.allocation);
  const std::optional<AllocationResult> with_new =
      tries ? try_new(terms, parts, slate) : std::nullopt;
  const Choice choice =
      choose(best, with_new ? &*with_new : nullptr, context.options, context.seed);
  const std::span<const PlacedItem> placed{choice.placed.data(), static_cast<size_t>(choice.count)};

  // 4. The page, and what it costs the viewer.
  fill_slate(request, context, placed, parts, slate);
  for (size_t i = 0; i < placed.size(); ++i) {
    slate.items[placed[i].position].propensity = choice.propensity[i];
  }
  slate.explored = choice.drawn_pair || choice.drawn_new;
  slate.tried_new = choice.drawn_new;
  slate.exact = best.exact && (!with_new || with_new->exact);
  slate.organic_value_fen = page_value(terms, parts.items, {});
  slate.loss_fen = slate.organic_value_fen - page_value(terms, parts.items, placed);
  if (slate.explored) {
    const std::span<const PlacedItem> known{best.placed.data(), static_cast<size_t>(best.count)};
    const double otherwise = slate.organic_value_fen - page_value(terms, parts.items, known);
    slate.explored_loss_fen = slate.loss_fen - otherwise;
  }
  note_missed(request, terms, context, parts, slate);
  if (request.explain) explain(context, slate);
  if (request.explain && slate.tried_new) explain_new(placed, parts, slate);
  return slate;
}

}  // namespace shanhuo
