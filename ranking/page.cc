#include "ranking/page.h"

#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "features/fatigue.h"
#include "models/viewer_encoder.h"
#include "ranking/exploration.h"

namespace shanhuo {
namespace {

constexpr int kUrgent = 1'000'000;  // above every priority
constexpr int kUnpriced = -1;       // below: no program pays for the item now

// What the item's programs pay per viewable exposure, with what it is worth to its county; and the
// priority with which it chooses.
void price_item(const BoostCandidate& candidate, const RankContext& context, AllocationItem& item) {
  item.priority = kUnpriced;
  double fairness = 0;
  if (!prices_match(context.prices, context.world)) return;
  for (int k = 0; k < candidate.eligible.program_count; ++k) {
    const ProgramIndex p = candidate.eligible.programs[k];
    const ProgramPrice& price = context.prices.programs[p];
    const double pays = price.fen_per_unit + price.fen_per_click * candidate.p_click +
                        price.fen_per_order * candidate.p_order;
    item.bonus += pays;
    fairness = std::max(fairness, price.fairness);
    const Program& program = context.world.program(p);
    const int priority = program.urgent ? kUrgent + program.priority : program.priority;
    if (pays > 0) item.priority = std::max(item.priority, priority);
  }
  if (fairness > 0) item.bonus += fairness * context.prices.county_fen(item.county);
}

// Slots that every named program allows, the largest gap that one asks for.
void place_item(const BoostCandidate& candidate, const World& world, AllocationItem& item) {
  for (int k = 0; k < candidate.eligible.program_count; ++k) {
    const Placement& placement = world.program(candidate.eligible.programs[k]).placement;
    item.first_slot = std::max(item.first_slot, placement.first_slot);
    item.last_slot = std::min(item.last_slot, placement.last_slot);
    item.min_gap = std::max(item.min_gap, placement.min_gap);
  }
}

// With another loss budget than the one nu was found for, nu weighs in proportion.
double viewer_price(const PriceTable& prices, const RankingOptions& options) {
  constexpr double kMost = 1e6;
  if (options.user_loss_budget <= 0) return kMost;
  if (prices.user_loss_budget <= 0) return std::min(kMost, prices.viewer_price);
  return std::min(kMost, prices.viewer_price * prices.user_loss_budget / options.user_loss_budget);
}

// A limit of the page; as many as are ever inserted is none.
int page_max(int option) { return option >= kInsertionsMax ? kNoLimit : std::max(1, option); }

double fatigue_of(const Fatigue& fatigue, const RankingOptions& options, const Listing& listing,
                  ItemIndex index) {
  return options.fatigue_item_slope * fatigue.item(index).fatigue +
         options.fatigue_creator_slope * fatigue.creator(listing.creator_hash).fatigue;
}

// What the value model that the options name says of this page's items; nullopt: nothing yet.
std::optional<ValueLearner::Page> learned_values(const RankRequest& request,
                                                 const RankContext& context,
                                                 const ViewerState& viewer, bool personalized) {
  const ValueLearner* const values =
      context.values[static_cast<size_t>(context.options.value_model)];
  if (values == nullptr || !context.options.learned_values || !values->ready()) return std::nullopt;
  const uint64_t user = personalized ? hash64(request.user_id) : 0;
  return std::make_optional<ValueLearner::Page>(
      *values, viewer_context(viewer, user, request.surface, request.now, city_hash(request.city)));
}

// Boostable items of the organic list that retrieval did not bring.
void add_listed(const RankRequest& request, const World& world, std::span<const Vector> interests,
                RankScratch::Parts& parts) {
  parts.listed.clear();
  for (const Retrieved& retrieved : parts.retrieved) parts.listed.push_back(retrieved.item);
  std::sort(parts.listed.begin(), parts.listed.end());
  for (const RankCandidate& candidate : request.candidates) {
    if (candidate.index == kNoItem || world.programs_of(candidate.index).empty()) continue;
    if (std::binary_search(parts.listed.begin(), parts.listed.end(), candidate.index)) continue;
    parts.retrieved.push_back(
        {candidate.index, similarity_of(interests, world.candidate(candidate.index))});
  }
}

}  // namespace

void OrganicRanks::begin(const RankRequest& request) {
  request_ = &request;
  size_t size = 16;
  while (size < request.candidates.size() * 2) size *= 2;
  mask_ = size - 1;
  table_.assign(size, {});
  for (size_t rank = 0; rank < request.candidates.size(); ++rank) {
    const uint64_t id_hash = hash64(request.candidates[rank].item_id);
    size_t slot = id_hash & mask_;
    while (table_[slot].rank >= 0) slot = (slot + 1) & mask_;
    table_[slot] = {id_hash, static_cast<int32_t>(rank)};
  }
}

int OrganicRanks::rank_of(ItemIndex item, const World& world) const {
  const uint64_t id_hash = world.listing(item).id_hash;
  for (size_t slot = id_hash & mask_; table_[slot].rank >= 0; slot = (slot + 1) & mask_) {
    const auto [hash, rank] = table_[slot];
    if (hash == id_hash && request_->candidates[rank].item_id == world.item(item)->item.id.view()) {
      return rank;
    }
  }
  return -1;
}

bool prices_match(const PriceTable& prices, const World& world) {
  return prices.programs_version == world.programs().version &&
         prices.programs.size() == world.programs().programs.size();
}

void find_candidates(const RankRequest& request, const RankContext& context, Selection selection,
                     RankScratch::Parts& parts) {
  static const ViewerState kNobody;
  const World& world = context.world;
  const ViewerState& viewer = selection.personalized ? context.viewer : kNobody;
  const ViewerTaste taste(context.options, viewer, world, selection.personalized);
  const std::span<const Vector> interests = taste.interests();
  context.retriever.retrieve(interests, segments_of(request), world, context.options, context.seed,
                             parts.retrieved);
  add_listed(request, world, interests, parts);
  parts.candidates.clear();
  std::optional<Fatigue> fatigue;
  const bool tires =
      context.options.fatigue_item_slope > 0 || context.options.fatigue_creator_slope > 0;
  if (tires && selection.personalized && !context.insertions.empty()) {
    fatigue.emplace(viewer, context.insertions, world.catalogue(), request.now);
  }
  std::optional<ValueLearner::Page> learned =
      learned_values(request, context, viewer, selection.personalized);
  // What the value models compare with: vectors from text, whatever model serves.
  const Vector profile =
      learned ? encode_viewer(viewer, static_cast<float>(context.options.short_term_weight))
              : Vector{};
  for (size_t i = 0; i < parts.retrieved.size(); ++i) {
    constexpr size_t kAhead = 16;  // rates lie anywhere in memory
    if (i + kAhead < parts.retrieved.size()) {
      context.rates.prefetch(parts.retrieved[i + kAhead].item);
    }
    const ItemIndex index = parts.retrieved[i].item;
    BoostCandidate candidate;
    candidate.eligible = parts.eligibility.check(index, [&](ProgramIndex p) {
      return !selection.room || (world.program(p).room && world.program(p).room->max > 0);
    });
    if (candidate.eligible.program_count == 0) continue;
    candidate.item = index;
    candidate.similarity = parts.retrieved[i].similarity;
    candidate.segment_lift = parts.retrieved[i].segment_lift;
    candidate.organic_rank = parts.ranks.rank_of(index, world);
    const Listing& listing = world.listing(index);
    if (fatigue) candidate.fatigue = fatigue_of(*fatigue, context.options, listing, index);
    const ItemRates rates = context.rates.rates(index);
    score(context.options, taste, listing, rates, candidate);
    if (selection.tries_new) score_new(context.options, taste, listing, rates, candidate);
    if (learned) {
      const ItemContext item{listing.id_hash,
                             listing.creator_hash,
                             listing.category_hash,
                             listing.county_code,
                             listing.kind,
                             rates,
                             similarity_of({&profile, 1}, world.item(index)->vector)};
      take_learned(context.options, learned->values(item), candidate);
    }
    if (candidate.p_click < parts.eligibility.p_click_min(candidate.eligible)) continue;
    parts.candidates.push_back(candidate);
  }
  parts.retired = selection.tries_new ? retire(parts.candidates) : 0;
}

void make_items(const RankContext& context, RankScratch::Parts& parts) {
  parts.items.clear();
  for (const BoostCandidate& candidate : parts.candidates) {
    const Listing& entry = context.world.listing(candidate.item);
    AllocationItem item;
    item.value =
        candidate.organic_rank >= 0 ? parts.organic[candidate.organic_rank] : candidate.value_fen;
    item.rank = candidate.organic_rank;
    item.program_count = candidate.eligible.program_count;
    item.programs = candidate.eligible.programs;
    item.county = entry.county_code;
    item.creator = entry.creator_hash;
    item.category = entry.category_hash;
    const RankingOptions& options = context.options;
    item.county_max =
        std::min({kNoLimit, candidate.eligible.county_left, page_max(options.page_county_max)});
    item.creator_max =
        std::min({kNoLimit, candidate.eligible.creator_left, page_max(options.page_creator_max)});
    item.category_max = page_max(options.page_category_max);
    item.page_max = std::min(kNoLimit, candidate.eligible.page_left);
    price_item(candidate, context, item);
    place_item(candidate, context.world, item);
    parts.items.push_back(item);
  }
}

PageTerms make_terms(const RankRequest& request, const RankContext& context,
                     RankScratch::Parts& parts) {
  organic_values(context.options, request, context.organic_p_click, parts.organic);
  examination(context.options, request.count, parts.examine);
  discounts(context.options, request.count, parts.discount);
  PageTerms terms;
  terms.organic = parts.organic;
  terms.discount = parts.discount;
  terms.examine = parts.examine;
  terms.viewer_price = viewer_price(context.prices, context.options);
  terms.program_max = parts.eligibility.program_max();
  terms.insertions_max = std::clamp(context.options.insertions_max, 0, kInsertionsMax);
  terms.nodes_max = context.options.search_nodes_max;
  return terms;
}

SlateItem boosted_item(const RankContext& context, const BoostCandidate& candidate,
                       double examine) {
  SlateItem item;
  item.item_id = context.world.item(candidate.item)->item.id.str();
  item.index = candidate.item;
  item.source = ItemSource::kBoost;
  item.score = candidate.value_fen;
  item.p_viewable = examine;
  item.p_click = candidate.p_click;
  item.p_order = candidate.p_order;
  item.programs.assign(candidate.eligible.programs.begin(),
                       candidate.eligible.programs.begin() + candidate.eligible.program_count);
  return item;
}

void fill_slate(const RankRequest& request, const RankContext& context,
                std::span<const PlacedItem> placed, RankScratch::Parts& parts, Slate& slate) {
  const auto moved = [&](size_t rank) {
    return std::any_of(placed.begin(), placed.end(), [&](const PlacedItem& p) {
      return parts.items[p.item].rank == static_cast<int>(rank);
    });
  };
  const size_t room = static_cast<size_t>(request.count);
  slate.items.reserve(std::min(room, request.candidates.size() + placed.size()));
  size_t rank = 0, next = 0;
  while (slate.items.size() < room) {
    const int position = static_cast<int>(slate.items.size());
    if (next < placed.size() && placed[next].position == position) {
      const BoostCandidate& candidate = parts.candidates[placed[next++].item];
      slate.items.push_back(boosted_item(context, candidate, parts.examine[position]));
      continue;
    }
    while (rank < request.candidates.size() && moved(rank)) ++rank;
    if (rank == request.candidates.size()) break;
    SlateItem item;
    item.item_id = request.candidates[rank].item_id;
    item.index = request.candidates[rank].index;
    item.score = request.candidates[rank].score;
    item.p_viewable = parts.examine[position];
    slate.items.push_back(std::move(item));
    ++rank;
  }
}

}  // namespace shanhuo
