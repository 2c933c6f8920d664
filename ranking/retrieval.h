// Which boostable items this viewer might like: the first stage of the read walk.
//
// Five sources, in this order, each item once: items of small programs (a notice or a county's one
// good must be found whoever looks), items in turn (so that none is met by nobody), nearest items
// to each of the viewer's interests, newest items, popular items (of the viewer's city on this
// surface, of the surface, of all). The order is the order of the
// answer; when it is full, later sources lose. Eligibility is not checked here.
//
// Small programs have at most half of the places. Where their items are more, those of urgent
// programs come first and the others take turns.
//
// RetrievalIndex is an immutable snapshot, built aside for one World and swapped in. VectorIndex is
// rebuilt only when more than `delta_max_share` of the boostable items changed; until then changed
// items are scanned beside it.
#pragma once

#include <memory>
#include <vector>

#include "base/published.h"
#include "ranking/candidate.h"
#include "ranking/popular_lists.h"
#include "ranking/recall_watch.h"
#include "ranking/vector_index.h"
#include "ranking/world.h"

namespace shanhuo {

struct RetrievalOptions {
  VectorIndexOptions index;
  double delta_max_share = 0.05;  // of the boostable items; higher: rarer builds, longer scans
  int64_t delta_always_allowed = 2'000;  // changed items that never force a build
  int small_program_items = 16;          // programs up to this size are always candidates; 0: none
  int fresh_pool = 200;                  // newest and popular items kept for choosing from
  int popular_pool = 200;
  RecallWatchOptions watch;
};

class RetrievalIndex {
 public:
  // Pure but for time. `previous` may be nullptr; its vector index is taken over when it still
  // fits.
  static std::shared_ptr<const RetrievalIndex> build(std::shared_ptr<const World> world,
                                                     const ItemRatesReader& rates,
                                                     const RetrievalOptions& options,
                                                     const RetrievalIndex* previous,
                                                     const SegmentRates* segments = nullptr);

  const VectorIndex& vectors() const { return *vectors_; }
  const VectorModel* model() const { return model_.get(); }  // whose vectors; nullptr: from text
  const std::vector<ItemIndex>& fresh() const { return fresh_; }      // newest first
  const std::vector<ItemIndex>& popular() const { return popular_; }  // most clicks first
  const PopularLists& popular_of_segments() const { return segments_; }
  const std::vector<ItemIndex>& small_programs() const { return small_programs_; }
  size_t urgent() const { return urgent_; }  // of small_programs(), the first ones
  // The `k` nearest, best first; replaces `out`. `sharers`: see VectorIndex::search().
  void nearest(const Vector& query, size_t k, std::vector<VectorHit>& out, int sharers = 1) const;
  // The same by scanning every row, whatever the size.
  void nearest_exact(const Vector& query, size_t k, std::vector<VectorHit>& out) const;

 private:
  // `search(k, out)` asks vectors_.
  template <typename Search>
  void nearest_by(const Search& search, const Vector& query, size_t k,
                  std::vector<VectorHit>& out) const;
  void index_vectors(const World& world, const RetrievalOptions& options,
                     const RetrievalIndex* previous);
  void list_small_programs(const World& world, const RetrievalOptions& options);

  std::shared_ptr<const VectorModel> model_;
  std::shared_ptr<const VectorIndex> vectors_;  // as of its build
  std::vector<ItemIndex> stale_;                // ascending: in vectors_, but changed or gone since
  std::shared_ptr<const VectorIndex> changed_;  // new and changed items, scanned exactly
  std::vector<ItemIndex> fresh_, popular_, small_programs_;
  PopularLists segments_;
  size_t urgent_ = 0;
};

class IndexRetriever final : public Retriever {
 public:
  explicit IndexRetriever(RetrievalOptions options);

  // Called by one maintenance thread when the world or the rates changed. Builds, then swaps.
  // `segments` may be nullptr: no lists of their own.
  void refresh(std::shared_ptr<const World> world, const ItemRatesReader& rates,
               const SegmentRates* segments = nullptr);
  std::shared_ptr<const RetrievalIndex> current() const { return current_.get(); }
  // Of the requests sampled since the last call, with the index of now; by the same thread.
  RecallWatch::Recall watched_recall();

  void retrieve(std::span<const Vector> interests, const Segments& segments, const World& world,
                const RankingOptions& options, uint64_t turn, std::vector<Retrieved>& out) override;

 private:
  const RetrievalOptions options_;
  RecallWatch watch_;
  Published<RetrievalIndex> current_;
};

}  // namespace shanhuo
