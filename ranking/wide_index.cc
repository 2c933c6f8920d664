#include "ranking/wide_index.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace shanhuo {
namespace {

size_t lists_for(size_t rows) {
  const auto wanted = static_cast<size_t>(1.6 * std::sqrt(static_cast<double>(rows)));
  return std::clamp<size_t>(wanted, 1, 4'096);
}

}  // namespace

struct WideIndex::Lists {
  Lists(size_t width, size_t count)
      : centroids(static_cast<int64_t>(width)),
        index(&centroids, width, count, faiss::METRIC_INNER_PRODUCT) {}

  faiss::IndexFlatIP centroids;
  faiss::IndexIVFFlat index;
};

WideIndex::WideIndex(ConstMatrixView rows, const WideIndexOptions& options) {
  CHECK(rows.rows > 0 && options.probed_share > 0 && options.probed_share <= 1);
  omp_set_num_threads(1);
  const size_t count = lists_for(rows.rows);
  lists_ = std::make_unique<Lists>(rows.columns, count);
  faiss::IndexIVFFlat& index = lists_->index;
  index.cp.seed = options.seed;
  index.cp.niter = 10;
  index.cp.spherical = true;
  index.cp.min_points_per_centroid = 1;
  index.cp.max_points_per_centroid = 64;
  index.train(static_cast<int64_t>(rows.rows), rows.data);
  index.add(static_cast<int64_t>(rows.rows), rows.data);
  index.nprobe = static_cast<size_t>(std::ceil(options.probed_share * static_cast<double>(count)));
}

WideIndex::~WideIndex() = default;

void WideIndex::search(std::span<const float> query, size_t k, std::vector<uint32_t>& out) const {
  CHECK(k > 0 && static_cast<int64_t>(query.size()) == lists_->index.d);
  std::vector<float> similarities(k);
  std::vector<faiss::Index::idx_t> found(k);
  lists_->index.search(1, query.data(), static_cast<int64_t>(k), similarities.data(), found.data());
  out.clear();
  for (const auto row : found) {
    if (row >= 0) out.push_back(static_cast<uint32_t>(row));
  }
}

}  // namespace shanhuo
