// The idea. A would-be exposure is a page on which a program's best item would stand if the program
// paid its whole missed_value_fen and nothing else were in the way. What is in the way is looked
// for in the order of the stages, and each finding is checked by taking it away:
//
//   nothing was retrieved for it                                  no_inventory
//   a cap, stock, season or block forbids its item: would the item stand without that?
//       yes                                                       that cause
//       no                                                        what the next lines say of it
//   alone on the page, at the price of now, it would stand        conflict
//   ... at its whole missed value                                 paced: it was held back to keep
//                                                                 its curve, which is no shortfall
//   ... with a price of viewers' loss of zero                     user_budget
//   no legal slot                                                 no_slot
//   none of these                                                 below_relevance
//
// Tested by: tests/ranking_missed_test.cc, a page for each line; its twin there ranks the page
// again with the cause removed.
#include "ranking/missed.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "ranking/scoring.h"

namespace shanhuo {
namespace {

// Fen per viewable exposure that the program would pay more, were its prices at their bounds.
double full_price_more(const RankContext& context, ProgramIndex program,
                       const BoostCandidate& candidate) {
  double full = 0;
  for (const Goal& goal : context.world.program(program).goals) {
    full += goal.missed_value_fen * (goal.unit == GoalUnit::kViewable ? 1
                                     : goal.unit == GoalUnit::kClick  ? candidate.p_click
                                                                      : candidate.p_order);
  }
  if (!prices_match(context.prices, context.world)) return full;
  const ProgramPrice& price = context.prices.programs[program];
  const double now = price.fen_per_unit + price.fen_per_click * candidate.p_click +
                     price.fen_per_order * candidate.p_order;
  return std::max(0.0, full - now);
}

class Missed {
 public:
  Missed(const RankRequest& request, const PageTerms& terms, const RankContext& context,
         RankScratch::Parts& parts)
      : request_(request), terms_(terms), context_(context), parts_(parts) {}

  // Of a program whose items were looked at.
  MissedProgram judge(const MissedProgram& seen) {
    MissedProgram missed = seen;
    const auto program = static_cast<ProgramIndex>(seen.program);
    if (seen.cause == Cause::kNone) {
      const std::optional<size_t> best = best_of(program);
      missed.cause = best ? of_candidate(program, *best) : Cause::kBelowRelevance;
    } else {
      const Cause otherwise = without(program, seen.item);
      if (otherwise != Cause::kPaced && otherwise != Cause::kConflict) missed.cause = otherwise;
    }
    missed.viewable = viewable(program);
    return missed;
  }

  // What the exposure would have been worth in viewable units: at its first slot.
  float viewable(ProgramIndex program) const {
    const auto slot = static_cast<size_t>(context_.world.program(program).placement.first_slot);
    return slot < terms_.examine.size() ? static_cast<float>(terms_.examine[slot]) : 0;
  }

 private:
  // The most valuable of its eligible items.
  std::optional<size_t> best_of(ProgramIndex program) const {
    std::optional<size_t> best;
    for (size_t i = 0; i < parts_.items.size(); ++i) {
      const AllocationItem& item = parts_.items[i];
      const auto end = item.programs.begin() + item.program_count;
      if (std::find(item.programs.begin(), end, program) == end) continue;
      if (!best ||
          item.value + item.bonus > parts_.items[*best].value + parts_.items[*best].bonus) {
        best = i;
      }
    }
    return best;
  }

  Cause of_candidate(ProgramIndex program, size_t index) {
    AllocationItem item = parts_.items[index];
    const Cause now = why_not_placed(terms_, item, parts_.allocation);
    if (now == Cause::kConflict) return now;
    item.bonus += full_price_more(context_, program, parts_.candidates[index]);
    const Cause at_most = why_not_placed(terms_, item, parts_.allocation);
    return at_most == Cause::kConflict ? Cause::kPaced : at_most;
  }

  // Of an item that was not let in, had it been: kPaced when it could have stood.
  Cause without(ProgramIndex program, ItemIndex index) {
    const Program& asking = context_.world.program(program);
    if (index == kNoItem || context_.world.item(index) == nullptr) return Cause::kPaced;
    static const ViewerState kNobody;
    if (!taste_) {
      taste_.emplace(context_.options, request_.personalized ? context_.viewer : kNobody,
                     context_.world, request_.personalized);
    }
    BoostCandidate candidate;
    candidate.item = index;
    candidate.organic_rank = parts_.ranks.rank_of(index, context_.world);
    candidate.similarity = similarity_of(taste_->interests(), context_.world.candidate(index));
    score(context_.options, *taste_, context_.world.listing(index), context_.rates.rates(index),
          candidate);
    AllocationItem item;
    item.rank = candidate.organic_rank;
    item.value =
        item.rank >= 0 ? parts_.organic[static_cast<size_t>(item.rank)] : candidate.value_fen;
    item.bonus = full_price_more(context_, program, candidate);
    if (prices_match(context_.prices, context_.world)) {
      const ProgramPrice& price = context_.prices.programs[program];
      item.bonus += price.fen_per_unit + price.fen_per_click * candidate.p_click +
                    price.fen_per_order * candidate.p_order;
    }
    item.first_slot = asking.placement.first_slot;
    item.last_slot = asking.placement.last_slot;
    const Cause cause = why_not_placed(terms_, item, parts_.allocation);
    return cause == Cause::kConflict ? Cause::kPaced : cause;
  }

  const RankRequest& request_;
  const PageTerms& terms_;
  const RankContext& context_;
  RankScratch::Parts& parts_;
  std::optional<ViewerTaste> taste_;
};

}  // namespace

void note_missed(const RankRequest& request, const PageTerms& terms, const RankContext& context,
                 RankScratch::Parts& parts, Slate& slate) {
  constexpr size_t kProgramsLooked = 256;  // with more programs, those without a candidate stay out
  const size_t programs = context.world.programs().programs.size();
  std::vector<uint8_t>& state = parts.programs;  // 1 seen, 2 on the page
  state.assign(programs, 0);
  slate.missed.reserve(std::min(programs, kProgramsLooked));
  for (const SlateItem& item : slate.items) {
    for (const int p : item.programs) state[p] = 2;
  }
  Missed missed(request, terms, context, parts);
  for (const MissedProgram& seen : parts.eligibility.seen()) {
    if (state[seen.program] == 2) continue;
    state[seen.program] = 1;
    slate.missed.push_back(missed.judge(seen));
  }
  if (programs > kProgramsLooked) return;
  for (size_t p = 0; p < programs; ++p) {
    const auto program = static_cast<ProgramIndex>(p);
    if (state[p] != 0 || parts.eligibility.program(program) != Cause::kNone) continue;
    slate.missed.push_back(
        {static_cast<int>(p), Cause::kNoInventory, kNoItem, missed.viewable(program)});
  }
  std::sort(slate.missed.begin(), slate.missed.end(),
            [](const MissedProgram& a, const MissedProgram& b) { return a.program < b.program; });
}

}  // namespace shanhuo
