// FAISS trains the coarse quantizer (k-means) and keeps the inverted lists; the scan is ours,
// because Debian's FAISS is built without SIMD and a scan is bound by bytes per vector, not by
// arithmetic:
//
//   1  inner products of the query with all centroids (512 x 64 floats stay in the second-level
//   cache) 2  the best `probes` lists, each a contiguous n x 64 block, through the same kernel 3
//   candidates above the running k-th best are kept, and pruned to k whenever 2k + one block are
//   there
//
// Cost at 1e5 x 64: about nlist + n * probes / nlist rows instead of n. Exact twin: search_exact(),
// which the tests and the choice of `probes` compare with.
#include "ranking/vector_index.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>

#include "base/check.h"
#include "base/hash.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace shanhuo {
namespace {

void inner_products_plain(const float* rows, size_t n, const float* query, float* out) {
  for (size_t i = 0; i < n; ++i) {
    float sum = 0;
    for (int j = 0; j < kDims; ++j) sum += rows[i * kDims + j] * query[j];
    out[i] = sum;
  }
}

#if defined(__x86_64__)
// The query stays in eight registers; each row is read once.
__attribute__((target("avx2,fma"))) void inner_products_avx2(const float* rows, size_t n,
                                                             const float* query, float* out) {
  __m256 q[kDims / 8];
  for (int j = 0; j < kDims / 8; ++j) q[j] = _mm256_loadu_ps(query + 8 * j);
  for (size_t i = 0; i < n; ++i) {
    const float* row = rows + i * kDims;
    __m256 a = _mm256_mul_ps(q[0], _mm256_loadu_ps(row));
    __m256 b = _mm256_mul_ps(q[1], _mm256_loadu_ps(row + 8));
    for (int j = 2; j < kDims / 8; j += 2) {
      a = _mm256_fmadd_ps(q[j], _mm256_loadu_ps(row + 8 * j), a);
      b = _mm256_fmadd_ps(q[j + 1], _mm256_loadu_ps(row + 8 * j + 8), b);
    }
    const __m256 both = _mm256_add_ps(a, b);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    four = _mm_add_ss(four, _mm_shuffle_ps(four, four, 1));
    out[i] = _mm_cvtss_f32(four);
  }
}
#endif

using Kernel = void (*)(const float*, size_t, const float*, float*);

Kernel choose_kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return inner_products_avx2;
#endif
  return inner_products_plain;
}

bool better(const VectorHit& a, const VectorHit& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.item < b.item;
}

// The k best of a stream of (id, score) blocks, kept in the caller's vector.
class TopK {
 public:
  TopK(size_t k, std::vector<VectorHit>& out) : k_(k), out_(out) {
    out_.clear();
    out_.reserve(2 * k + kBlock);
  }

  static constexpr size_t kBlock = 256;

  template <typename IdAt>
  void scan(const float* rows, size_t n, const float* query, const IdAt& id_at) {
    float scores[kBlock];
    for (size_t start = 0; start < n; start += kBlock) {
      const size_t count = std::min(kBlock, n - start);
      inner_products(rows + start * kDims, count, query, scores);
      for (size_t i = 0; i < count; ++i) {
        if (scores[i] >= threshold_) out_.push_back({id_at(start + i), scores[i]});
      }
      if (out_.size() >= 2 * k_) prune();
    }
  }

  void finish() {
    prune();
    std::sort(out_.begin(), out_.end(), better);
  }

 private:
  void prune() {
    if (out_.size() <= k_) return;
    std::nth_element(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(k_) - 1, out_.end(),
                     better);
    out_.resize(k_);
    threshold_ = out_.back().similarity;
  }

  const size_t k_;
  std::vector<VectorHit>& out_;
  float threshold_ = -INFINITY;
};

// Fewer rows make too few for k-means to learn lists from, and are scanned in 20 us.
constexpr int64_t kIvfRowsMin = 1'024;

// What a viewer's vector looks like: a mixture of a few items.
Vector sample_query(const std::vector<float>& rows, size_t n, uint64_t& state) {
  Vector query{};
  for (int part = 0; part < 3; ++part) {
    state = mix64(state + 0x9e3779b97f4a7c15ULL);
    const float* row = rows.data() + (state % n) * kDims;
    for (int j = 0; j < kDims; ++j) query[j] += row[j];
  }
  return query;
}

}  // namespace

void inner_products(const float* rows, size_t n, const float* query, float* out) {
  static const Kernel kernel = choose_kernel();
  kernel(rows, n, query, out);
}

struct VectorIndex::Ivf {
  explicit Ivf(int64_t lists)
      : quantizer(kDims),
        index(&quantizer, kDims, static_cast<size_t>(lists), faiss::METRIC_INNER_PRODUCT) {}
  const float* centroids() const { return quantizer.get_xb(); }

  faiss::IndexFlatIP quantizer;
  faiss::IndexIVFFlat index;  // ids are row numbers
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
  // About as many rows to compare with centroids as in the probed lists.
  const int64_t lists =
      std::clamp<int64_t>(static_cast<int64_t>(1.6 * std::sqrt(static_cast<double>(n))), 16, 4096);
  ivf_ = std::make_unique<Ivf>(lists);
  ivf_->index.cp.seed = static_cast<int>(options.seed);
  ivf_->index.cp.niter = 10;
  ivf_->index.cp.min_points_per_centroid = 1;  // quiet: choose_probes() sees what it found
  ivf_->index.cp.max_points_per_centroid = 64;
  ivf_->index.train(n, rows_.data());
  ivf_->index.add(n, rows_.data());
}

void VectorIndex::choose_probes(const VectorIndexOptions& options) {
  const auto k = std::min(static_cast<size_t>(options.recall_k), size());
  const auto lists = static_cast<int>(ivf_->index.nlist);
  std::vector<VectorHit> exact, found;
  for (probes_ = 4;; probes_ = std::min(probes_ + std::max(1, probes_ / 4), lists)) {
    uint64_t state = options.seed;
    size_t hits = 0;
    for (int i = 0; i < options.recall_queries; ++i) {
      const Vector query = sample_query(rows_, size(), state);
      search_exact(query, k, exact);
      search_ivf(query, k, probes_, found);
      std::unordered_set<ItemIndex> wanted;
      for (const VectorHit& hit : exact) wanted.insert(hit.item);
      for (const VectorHit& hit : found) hits += wanted.count(hit.item);
    }
    measured_recall_ =
        static_cast<double>(hits) / (static_cast<double>(k) * options.recall_queries);
    if (measured_recall_ >= options.recall_target || probes_ == lists) return;
  }
}

void VectorIndex::search(const Vector& query, size_t k, std::vector<VectorHit>& out) const {
  if (ivf_ == nullptr) {
    search_exact(query, k, out);
  } else {
    search_ivf(query, k, probes_, out);
  }
}

void VectorIndex::search_exact(const Vector& query, size_t k, std::vector<VectorHit>& out) const {
  out.clear();
  if (k == 0) return;
  TopK top(k, out);
  top.scan(rows_.data(), size(), query.data(), [&](size_t row) { return ids_[row]; });
  top.finish();
}

void VectorIndex::search_ivf(const Vector& query, size_t k, int probes,
                             std::vector<VectorHit>& out) const {
  out.clear();
  if (k == 0) return;
  const faiss::InvertedLists& lists = *ivf_->index.invlists;
  TopK nearest(static_cast<size_t>(probes), out);
  nearest.scan(ivf_->centroids(), lists.nlist, query.data(),
               [](size_t list) { return static_cast<ItemIndex>(list); });
  nearest.finish();
  const std::vector<VectorHit> probed = out;

  TopK top(k, out);
  for (const VectorHit& list : probed) {
    faiss::InvertedLists::ScopedCodes codes(&lists, list.item);
    faiss::InvertedLists::ScopedIds rows(&lists, list.item);
    top.scan(reinterpret_cast<const float*>(codes.get()), lists.list_size(list.item), query.data(),
             [&](size_t i) { return ids_[static_cast<size_t>(rows[i])]; });
  }
  top.finish();
}

}  // namespace shanhuo
