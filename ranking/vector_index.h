// Nearest items by inner product: "which boostable items would this viewer like". The only includer
// of FAISS.
//
// An index is immutable: built aside, swapped in whole. search() is thread-safe and takes no lock.
// Ids are ours (ItemIndex); eligibility is checked by the caller again after every search.
//
// Up to `exact_below` rows every row is scanned, and the answer is exact. Above, an inverted file
// of 8-bit codes with exact re-ranking, whose number of probed lists is chosen when it is built:
// the smallest that finds `recall_target` of the exact top `recall_k` on sample queries, so that a
// change of the data cannot silently lose items. measured_recall() says what it got.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "features/catalogue.h"
#include "ranking/vector_kernels.h"

namespace shanhuo {

struct VectorIndexOptions {
  int64_t exact_below = 8'000;   // rows, at least 1'024 count; a scan costs about 20 ns a row
  double recall_target = 0.995;  // higher probes more lists
  int recall_k = 100;
  int recall_queries = 128;  // each is one exact scan while building
  uint64_t seed = 1;
};

struct VectorHit {
  ItemIndex item = kNoItem;
  float similarity = 0;  // inner product; cosine when both are of unit length
};

class VectorIndex {
 public:
  // `rows`: row-major, ids.size() x kDims, finite.
  static std::shared_ptr<const VectorIndex> build(std::vector<ItemIndex> ids,
                                                  std::vector<float> rows,
                                                  const VectorIndexOptions& options);
  ~VectorIndex();

  // The `k` best, best first (fewer when there are fewer rows), ties by ascending id; replaces
  // `out`. So many `sharers` together cost what one search does: each probes fewer lists, and finds
  // less of what is far.
  void search(const Vector& query, size_t k, std::vector<VectorHit>& out, int sharers = 1) const;
  // The same by scanning every row, whatever the size.
  void search_exact(const Vector& query, size_t k, std::vector<VectorHit>& out) const;

  size_t size() const { return ids_.size(); }
  double measured_recall() const { return measured_recall_; }
  int probes() const { return probes_; }                   // 0: exact
  std::span<const ItemIndex> ids() const { return ids_; }  // as given to build()
  const float* row(size_t i) const { return rows_.data() + i * kDims; }

 private:
  struct Ivf;
  VectorIndex(std::vector<ItemIndex> ids, std::vector<float> rows);
  void build_ivf(const VectorIndexOptions& options);
  void choose_probes(const VectorIndexOptions& options);
  void search_ivf(const Vector& query, size_t k, int probes, std::vector<VectorHit>& out) const;

  std::vector<ItemIndex> ids_;
  std::vector<float> rows_;   // n x kDims
  std::unique_ptr<Ivf> ivf_;  // null: exact
  int probes_ = 0;
  double measured_recall_ = 1;
};

}  // namespace shanhuo
