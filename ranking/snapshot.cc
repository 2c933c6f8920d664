#include "ranking/snapshot.h"

#include <algorithm>

namespace shanhuo {
namespace {

constexpr size_t kCandidatesMax = 24;

// What the viewer loses if everything from a position on slides down by one.
std::vector<double> slides(const PageTerms& terms) {
  const size_t positions = terms.discount.size();
  std::vector<double> slide(positions + 1, 0);
  for (size_t p = positions; p-- > 0;) {
    const double value = p < terms.organic.size() ? terms.organic[p] : 0;
    const double next = p + 1 < positions ? terms.discount[p + 1] : 0;
    slide[p] = slide[p + 1] + value * (terms.discount[p] - next);
  }
  return slide;
}

}  // namespace

RequestSnapshot snapshot_of(const RankRequest& request, const RankContext& context,
                            const PageTerms& terms, const RankScratch::Parts& parts) {
  RequestSnapshot snapshot;
  snapshot.surface = request.surface;
  snapshot.insertions_max = terms.insertions_max;
  std::vector<int> best;
  for (size_t i = 0; i < parts.items.size(); ++i) {
    if (parts.items[i].rank < 0) best.push_back(static_cast<int>(i));
  }
  const size_t most = std::min(best.size(), kCandidatesMax);
  std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(most), best.end(),
                    [&](int a, int b) {
                      const double left = parts.items[a].value + parts.items[a].bonus;
                      const double right = parts.items[b].value + parts.items[b].bonus;
                      return left != right ? left > right : a < b;
                    });
  best.resize(most);
  const std::vector<double> slide = slides(terms);
  const int end = static_cast<int>(terms.discount.size()) - 1;
  for (const int i : best) {
    const AllocationItem& item = parts.items[i];
    const BoostCandidate& candidate = parts.candidates[i];
    SnapshotOption option;
    option.candidate = i;
    option.p_click = static_cast<float>(candidate.p_click);
    option.p_order = static_cast<float>(candidate.p_order);
    double fairness = 0;
    for (int k = 0; k < item.program_count; ++k) {
      const Program& program = context.world.program(item.programs[k]);
      option.programs[k] = program_hash(program.id.view());
      if (prices_match(context.prices, context.world)) {
        fairness = std::max(fairness, context.prices.programs[item.programs[k]].fairness);
      }
    }
    option.extra_fen = static_cast<float>(fairness * context.prices.county_fen(item.county));
    const int first = item.first_slot, last = std::min(item.last_slot, end);
    for (int step = 0, before = -1; step <= 2 && first <= last; ++step) {
      const int p = first + (last - first) * step / 2;
      if (p == before) continue;
      before = p;
      option.viewer_fen = static_cast<float>(item.value * terms.discount[p] - slide[p]);
      option.examine = static_cast<float>(terms.examine[p]);
      snapshot.options.push_back(option);
    }
  }
  return snapshot;
}

}  // namespace shanhuo
