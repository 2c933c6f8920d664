// The re-ranking data of `evaluate allocation-steam` (allocation.md 6): requests with scored
// candidates, each of a group (a provider). The page is the best ten; what counts is how far its
// DCG is from the ideal one, and how the scores on all pages spread over groups.
//
//   scores.tsv      request  item  score     sorted by request; some (request, item) occur twice
//   item_group.tsv  item  group
//
// Immutable after read(); thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ranking/prices.h"

namespace shanhuo {

inline constexpr int kSteamPage = 10;

struct SteamCandidate {
  int group = 0;
  double score = 0;    // s_i, >= 0
  double counted = 0;  // the score to four decimals: what the group is given
};

// How often the file lists an item for a request: the published figures add the scores up.
enum class SteamRepeats { kSum, kFirst };

// By what a page is filled; w_g is the group's price. kPerItem: s + w. kPerScore: s (1 + w).
// kPerShare: s (a / ideal DCG + w), a the mean ideal DCG of pages so far: what viewers lose is
// counted as a share of what their page could be.
enum class SteamRule { kPerItem, kPerScore, kPerShare };

struct SteamPrices {
  SteamRule rule = SteamRule::kPerScore;
  std::span<const double> group;  // w_g
  double viewer = 0;              // nu: divides w_g by 1 + nu
  double mean_ideal = 1;          // a, of kPerShare
};

// Indices into a request's candidates, ascending, so best score first.
using SteamPage = std::vector<int>;

class SteamPages {
 public:
  // The folder holds both files. kIo when one cannot be read, kInvalid with its line when a row
  // is not as above.
  static Result<SteamPages> read(const std::string& folder, SteamRepeats repeats);
  // Of candidates made elsewhere, for tests. Each request: at least one candidate.
  static SteamPages of(std::vector<std::vector<SteamCandidate>> requests, int groups);

  size_t size() const { return begin_.size() - 1; }
  int groups() const { return groups_; }
  uint64_t repeats() const { return repeats_; }  // rows whose pair stood there before

  // Best score first.
  std::span<const SteamCandidate> candidates(size_t request) const {
    return {&candidates_[begin_[request]], begin_[request + 1] - begin_[request]};
  }
  double ideal(size_t request) const { return ideal_[request]; }  // DCG of the best page, > 0
  double ndcg(size_t request, const SteamPage& page) const;
  // The page of the price rule. Ties: the better score, then the earlier candidate.
  void choose(size_t request, const SteamPrices& prices, SteamPage& page) const;
  // The page that maximises NDCG + sum of group[g] * counted, exactly: dynamic program over the
  // candidates by score, since a page's order is that of its scores. Returns the maximum.
  double choose_exactly(size_t request, std::span<const double> group, SteamPage& page) const;

 private:
  void add(std::vector<SteamCandidate> candidates);

  std::vector<SteamCandidate> candidates_;
  std::vector<size_t> begin_{0};
  std::vector<double> ideal_;
  int groups_ = 0;
  uint64_t repeats_ = 0;
};

// The published measures, over the pages of a run.
class SteamScore {
 public:
  explicit SteamScore(int groups) : given_(groups) {}
  void add(const SteamPages& pages, size_t request, const SteamPage& page);

  const std::vector<double>& given() const { return given_; }  // V_g
  double ndcg() const { return pages_ > 0 ? ndcg_ / static_cast<double>(pages_) : 0; }
  double worst() const;
  double mmf() const;  // share of the lower half of the groups (21 of 43)
  double gini() const;

 private:
  std::vector<double> given_;
  double ndcg_ = 0;
  size_t pages_ = 0;
};

// Past requests of a run, for a law: at most `size_max` of [begin, end), evenly spread.
class SteamSample final : public RequestSample {
 public:
  SteamSample(const SteamPages& pages, size_t begin, size_t end, size_t size_max,
              const SteamPrices& terms, bool count_items);
  size_t size() const override { return size_; }
  double replay(std::span<const double> prices, std::span<double> units) const override;

 private:
  const SteamPages& pages_;
  const size_t begin_, end_, stride_, size_;
  const SteamPrices terms_;  // its group is replaced
  const bool count_items_;
};

// ManifoldRank's rate of a page: by entropy and skewness of its scores (arXiv 2604.25577).
double manifold_rate(std::span<const SteamCandidate> candidates);

}  // namespace shanhuo
