// FAISS learns the lists (k-means); the scan is ours, because Debian's FAISS is built without SIMD
// and a scan is bound by bytes per vector, not by arithmetic:
//
//   1  inner products of the query with all centroids (they stay in the second-level cache)
//   2  the best `probes` lists, each a contiguous block of 8-bit codes; the best k + k/4 + 32 are
//   kept 3  these again with the rows as they were given: exact similarities, exact order
//
// A code errs by about 0.001 of a unit vector's product: what step 2 loses lies at the very end of
// the k, and choose_probes() counts it. Cost at 1e5 x 64: about nlist rows of 256 bytes,
// n * probes / nlist of 64, and some more than k of 256.
// Exact twin: search_exact(), which the tests and the choice of `probes` compare with.
#include "ranking/vector_index.h"

#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/check.h"
#include "base/hash.h"

namespace shanhuo {
namespace {

constexpr size_t kBlock = 256;  // rows whose products are looked at together
static_assert(kBlock % kCodeGroup == 0);

// A hit of the coded scan.
struct Candidate {
  ItemIndex item;
  float similarity;
  uint32_t row;
};

struct Better {
  template <typename Hit>
  bool operator()(const Hit& a, const Hit& b) const {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.item < b.item;
  }
};

// Leaves the k best of `hits`, in no order.
template <typename Hit>
void select_best(size_t k, std::vector<Hit>& hits) {
  if (hits.size() <= k) return;
  std::nth_element(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(k) - 1, hits.end(),
                   Better());
  hits.resize(k);
}

// The k best of blocks of scores, kept in the caller's vector: what is above the running k-th best
// is appended, and pruned to k whenever there are twice as many.
template <typename Hit>
class TopK {
 public:
  TopK(size_t k, std::vector<Hit>& out) : k_(k), out_(out) {
    out_.clear();
    out_.reserve(2 * k + kBlock);
  }

  // Requires: n <= kBlock, room for kBlock scores. `hit_at(i)` makes the hit of scores[i].
  template <typename HitAt>
  void take(const float* scores, size_t n, const HitAt& hit_at) {
    uint32_t places[kBlock];
    const size_t count = at_least(scores, n, threshold_, places);
    for (size_t i = 0; i < count; ++i) out_.push_back(hit_at(places[i]));
    if (out_.size() >= 2 * k_) prune();
  }

  void prune() {
    if (out_.size() <= k_) return;
    select_best(k_, out_);
    threshold_ = out_.back().similarity;
  }

 private:
  const size_t k_;
  std::vector<Hit>& out_;
  float threshold_ = -INFINITY;
};

// The k best rows by float products, best first.
template <typename IdAt>
void scan_rows(const float* rows, size_t n, const Vector& query, size_t k, const IdAt& id_at,
               std::vector<VectorHit>& out) {
  TopK<VectorHit> top(k, out);
  float scores[kBlock];
  for (size_t start = 0; start < n; start += kBlock) {
    const size_t count = std::min(kBlock, n - start);
    inner_products(rows + start * kDims, count, query.data(), scores);
    top.take(scores, count, [&](size_t i) { return VectorHit{id_at(start + i), scores[i]}; });
  }
  select_best(k, out);
  std::sort(out.begin(), out.end(), Better());
}

// Fewer rows make too few for k-means to learn lists from, and are scanned in 20 us.
constexpr int64_t kIvfRowsMin = 1'024;

// What a viewer's vector looks like: a mixture of items, of few or of many.
Vector sample_query(const std::vector<float>& rows, size_t n, int parts, uint64_t& state) {
  Vector query{};
  for (int part = 0; part < parts; ++part) {
    state = mix64(state + 0x9e3779b97f4a7c15ULL);
    const float* row = rows.data() + (state % n) * kDims;
    for (int j = 0; j < kDims; ++j) query[j] += row[j];
  }
  return query;
}

}  // namespace

// Rows by list, in the order of the lists, as codes.
struct VectorIndex::Ivf {
  std::vector<float> centroids;  // lists x kDims
  std::vector<uint32_t> begins;  // of each list; one more at the end
  std::vector<uint32_t> rows;    // row numbers
  std::vector<int8_t> codes;     // x kDims; a group more than there are rows, and so the scales
  std::vector<float> scales;

  size_t lists() const { return begins.size() - 1; }
};

VectorIndex::VectorIndex(std::vector<ItemIndex> ids, std::vector<float> rows)
    : ids_(std::move(ids)), rows_(std::move(rows)) {
  CHECK(rows_.size() == ids_.size() * kDims);
}

VectorIndex::~VectorIndex() = default;

std::shared_ptr<const VectorIndex> VectorIndex::build(std::vector<ItemIndex> ids,
                                                      std::vector<float> rows,
                                                      const VectorIndexOptions& options) {
  std::shared_ptr<VectorIndex> index(new VectorIndex(std::move(ids), std::move(rows)));
  if (static_cast<int64_t>(index->size()) >= std::max(options.exact_below, kIvfRowsMin)) {
    index->build_ivf(options);
    index->choose_probes(options);
  }
  return index;
}

void VectorIndex::build_ivf(const VectorIndexOptions& options) {
  omp_set_num_threads(1);  // the building thread only; requests keep the other cores
  const auto n = static_cast<int64_t>(size());
  const int64_t lists =
      std::clamp<int64_t>(static_cast<int64_t>(1.6 * std::sqrt(static_cast<double>(n))), 16, 4096);
  faiss::ClusteringParameters parameters;
  parameters.seed = static_cast<int>(options.seed);
  parameters.niter = 10;
  parameters.spherical = true;
  parameters.min_points_per_centroid = 1;  // quiet: choose_probes() sees what it found
  parameters.max_points_per_centroid = 64;
  faiss::Clustering clustering(kDims, static_cast<int>(lists), parameters);
  faiss::IndexFlatIP quantizer(kDims);
  clustering.train(n, rows_.data(), quantizer);
  std::vector<faiss::Index::idx_t> list_of(size());
  quantizer.assign(n, rows_.data(), list_of.data());

  ivf_ = std::make_unique<Ivf>();
  ivf_->centroids = std::move(clustering.centroids);
  ivf_->begins.assign(static_cast<size_t>(lists) + 1, 0);
  for (const auto list : list_of) {
    CHECK(list >= 0 && list < lists);
    ++ivf_->begins[static_cast<size_t>(list) + 1];
  }
  for (size_t l = 1; l < ivf_->begins.size(); ++l) ivf_->begins[l] += ivf_->begins[l - 1];
  ivf_->rows.resize(size());
  ivf_->codes.resize((size() + kCodeGroup) * kDims);
  ivf_->scales.resize(size() + kCodeGroup);
  std::vector<uint32_t> next = ivf_->begins;
  for (size_t row = 0; row < size(); ++row) {
    const uint32_t place = next[static_cast<size_t>(list_of[row])]++;
    ivf_->rows[place] = static_cast<uint32_t>(row);
    ivf_->scales[place] = encode_row(this->row(row), ivf_->codes.data() + size_t{place} * kDims);
  }
}

void VectorIndex::choose_probes(const VectorIndexOptions& options) {
  constexpr int kPartsMax = 12;
  const auto k = std::min(static_cast<size_t>(options.recall_k), size());
  const auto lists = static_cast<int>(ivf_->lists());
  std::vector<Vector> queries;
  std::vector<std::unordered_set<ItemIndex>> wanted;
  std::vector<VectorHit> found;
  uint64_t state = options.seed;
  for (int i = 0; i < options.recall_queries; ++i) {
    queries.push_back(sample_query(rows_, size(), 1 + i % kPartsMax, state));
    search_exact(queries.back(), k, found);
    wanted.emplace_back();
    for (const VectorHit& hit : found) wanted.back().insert(hit.item);
  }
  for (probes_ = 4;; probes_ = std::min(probes_ + std::max(1, probes_ / 8), lists)) {
    size_t hits = 0;
    for (size_t i = 0; i < queries.size(); ++i) {
      search_ivf(queries[i], k, probes_, found);
      for (const VectorHit& hit : found) hits += wanted[i].count(hit.item);
    }
    measured_recall_ =
        static_cast<double>(hits) / (static_cast<double>(k) * options.recall_queries);
    if (measured_recall_ >= options.recall_target || probes_ == lists) return;
  }
}

void VectorIndex::search(const Vector& query, size_t k, std::vector<VectorHit>& out,
                         int sharers) const {
  if (ivf_ == nullptr) {
    search_exact(query, k, out);
  } else {
    search_ivf(query, k, std::max(1, probes_ / sharers), out);
  }
}

void VectorIndex::search_exact(const Vector& query, size_t k, std::vector<VectorHit>& out) const {
  out.clear();
  if (k == 0) return;
  scan_rows(
      rows_.data(), size(), query, k, [&](size_t row) { return ids_[row]; }, out);
}

void VectorIndex::search_ivf(const Vector& query, size_t k, int probes,
                             std::vector<VectorHit>& out) const {
  out.clear();
  if (k == 0) return;
  scan_rows(
      ivf_->centroids.data(), ivf_->lists(), query, static_cast<size_t>(probes),
      [](size_t list) { return static_cast<ItemIndex>(list); }, out);

  std::vector<Candidate> candidates;
  TopK<Candidate> top(k + k / 4 + 32, candidates);
  const CodedQuery coded = encode_query(query);
  float scores[kBlock];
  for (const VectorHit& list : out) {
    const size_t end = ivf_->begins[list.item + 1];
    for (size_t start = ivf_->begins[list.item]; start < end; start += kBlock) {
      const size_t count = std::min(kBlock, end - start);
      coded_products(ivf_->codes.data() + start * kDims, ivf_->scales.data() + start, count, coded,
                     scores);
      top.take(scores, count, [&](size_t i) {
        const uint32_t row = ivf_->rows[start + i];
        return Candidate{ids_[row], scores[i], row};
      });
    }
  }
  top.prune();

  for (const Candidate& candidate : candidates) {
    const float* values = row(candidate.row);
    for (int j = 0; j < kDims; j += 16) __builtin_prefetch(values + j);
  }
  out.clear();
  for (const Candidate& candidate : candidates) {
    VectorHit& hit = out.emplace_back(VectorHit{candidate.item, 0});
    inner_products(row(candidate.row), 1, query.data(), &hit.similarity);
  }
  select_best(k, out);
  std::sort(out.begin(), out.end(), Better());
}

}  // namespace shanhuo
