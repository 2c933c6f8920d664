#include "ranking/vector_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace shanhuo {
namespace {

float largest(const float* values) {
  float most = 0;
  for (int j = 0; j < kDims; ++j) most = std::max(most, std::fabs(values[j]));
  return most;
}

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

__attribute__((target("avx2"))) inline __m256i products_of_16(const int8_t* code, __m256i q) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code));
  return _mm256_madd_epi16(_mm256_cvtepi8_epi16(bytes), q);
}

// Eight partial sums of one row. A pair of products is at most 2 * 127 * 32,767, a row's 64 of them
// fit 32 bits.
__attribute__((target("avx2"))) inline __m256i partial_sums(const int8_t* code, __m256i q0,
                                                            __m256i q1, __m256i q2, __m256i q3) {
  return _mm256_add_epi32(
      _mm256_add_epi32(products_of_16(code, q0), products_of_16(code + 16, q1)),
      _mm256_add_epi32(products_of_16(code + 32, q2), products_of_16(code + 48, q3)));
}

// Four rows at a time share the sums across lanes.
__attribute__((target("avx2"))) void coded_products_avx2(const int8_t* codes, const float* scales,
                                                         size_t n, const CodedQuery& query,
                                                         float* out) {
  static_assert(kDims == 64 && kCodeGroup == 4);
  const auto* parts = reinterpret_cast<const __m256i*>(query.data());
  const __m256i q0 = _mm256_loadu_si256(parts), q1 = _mm256_loadu_si256(parts + 1),
                q2 = _mm256_loadu_si256(parts + 2), q3 = _mm256_loadu_si256(parts + 3);
  for (size_t i = 0; i < n; i += kCodeGroup) {
    const int8_t* code = codes + i * kDims;
    const __m256i low = _mm256_hadd_epi32(partial_sums(code, q0, q1, q2, q3),
                                          partial_sums(code + kDims, q0, q1, q2, q3));
    const __m256i high = _mm256_hadd_epi32(partial_sums(code + 2 * kDims, q0, q1, q2, q3),
                                           partial_sums(code + 3 * kDims, q0, q1, q2, q3));
    const __m256i both = _mm256_hadd_epi32(low, high);
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    _mm_storeu_ps(out + i, _mm_mul_ps(_mm_cvtepi32_ps(four), _mm_loadu_ps(scales + i)));
  }
}

__attribute__((target("avx2"))) size_t at_least_avx2(const float* scores, size_t n, float threshold,
                                                     uint32_t* out) {
  const __m256 wanted = _mm256_set1_ps(threshold);
  size_t count = 0;
  for (size_t i = 0; i < n; i += 8) {
    const __m256 above = _mm256_cmp_ps(_mm256_loadu_ps(scores + i), wanted, _CMP_GE_OQ);
    auto mask = static_cast<unsigned>(_mm256_movemask_ps(above));
    if (n - i < 8) mask &= (1U << (n - i)) - 1;
    for (; mask != 0; mask &= mask - 1) {
      out[count++] = static_cast<uint32_t>(i) + static_cast<uint32_t>(std::countr_zero(mask));
    }
  }
  return count;
}
#endif

size_t at_least_plain(const float* scores, size_t n, float threshold, uint32_t* out) {
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    if (scores[i] >= threshold) out[count++] = static_cast<uint32_t>(i);
  }
  return count;
}

bool has_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

}  // namespace

void inner_products(const float* rows, size_t n, const float* query, float* out) {
#if defined(__x86_64__)
  static const bool kFast = has_avx2();
  if (kFast) return inner_products_avx2(rows, n, query, out);
#endif
  inner_products_plain(rows, n, query, out);
}

float encode_row(const float* row, int8_t* code) {
  const float scale = largest(row) / 127;
  for (int j = 0; j < kDims; ++j) {
    code[j] = scale > 0 ? static_cast<int8_t>(std::lrint(row[j] / scale)) : int8_t{0};
  }
  return scale;
}

CodedQuery encode_query(const Vector& query) {
  CodedQuery coded{};
  const float scale = largest(query.data()) / 32'767;
  if (!(scale > 0)) return coded;
  for (int j = 0; j < kDims; ++j) coded[j] = static_cast<int16_t>(std::lrint(query[j] / scale));
  return coded;
}

void coded_products_plain(const int8_t* codes, const float* scales, size_t n,
                          const CodedQuery& query, float* out) {
  for (size_t i = 0; i < n; ++i) {
    int32_t sum = 0;
    for (int j = 0; j < kDims; ++j) sum += int32_t{codes[i * kDims + j]} * query[j];
    out[i] = static_cast<float>(sum) * scales[i];
  }
}

void coded_products(const int8_t* codes, const float* scales, size_t n, const CodedQuery& query,
                    float* out) {
#if defined(__x86_64__)
  static const bool kFast = has_avx2();
  if (kFast) return coded_products_avx2(codes, scales, n, query, out);
#endif
  coded_products_plain(codes, scales, n, query, out);
}

size_t at_least(const float* scores, size_t n, float threshold, uint32_t* out) {
#if defined(__x86_64__)
  static const bool kFast = has_avx2();
  if (kFast) return at_least_avx2(scores, n, threshold, out);
#endif
  return at_least_plain(scores, n, threshold, out);
}

}  // namespace shanhuo
