// The idea: keep integers, and let decay touch only the scale that they share.
//
//   value = q * scale      decay: scale *= 2^(-dt / half-life)      add: q += delta / scale
//
// Untouched components keep their integers exactly; as the scale falls, additions grow in units of
// it until one leaves 10 bits, then the scale doubles and every q is halved. So the largest
// component stays between 1/4 and all of the range. What does not fit an integer is rounded down
// after adding u(n, i) = frac(n * phi + i * c), the golden-ratio sequence over events n: additions
// of a constant fraction f round up in f of all events, evenly spread, so their sum is right within
// O(log n) steps.
//
// The plain loops are over 64 components without branches. The other form does the same operations
// on eight components at a time, in registers from unpacking to packing; this file is built without
// contraction of a * b + c, so that neither the bits of the two nor those of two machines differ.
// Tested by tests/features_user_state_test.cc against double arithmetic without any packing, and
// the forms against each other.
#include "features/interest_vector.h"

#include <algorithm>
#include <cmath>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace shanhuo {
namespace {

constexpr float kComponentMax = 511;    // of 10 bits, two's complement
constexpr float kComponentSmall = 128;  // a smaller largest one wastes bits
constexpr float kFirstComponent = 256;  // the largest one of a vector's first addition
constexpr float kScaleMin = 1e-20F;     // below it a decayed value is nothing
constexpr uint32_t kGolden = 0x9E3779B9U;
constexpr float kDitherUnit = 1.0F / 8192;
constexpr int kPositive = 1'024;  // keeps sums positive and all digits of the dither exact
constexpr int kQuarter = kDims / 4;

// Where each component stands in the dither's period.
constexpr std::array<uint32_t, kDims> kPhases = [] {
  std::array<uint32_t, kDims> phases{};
  for (uint32_t i = 0; i < kDims; ++i) phases[i] = i * 0xC2B2AE35U;
  return phases;
}();

using Integers = std::array<int32_t, kDims>;

void unpack(const PackedVector& packed, Integers& q) {
  for (int part = 0; part < 4; ++part) {
    for (int i = 0; i < kQuarter; ++i) {
      const int low = (packed.low[i] >> (2 * part)) & 3;
      q[part * kQuarter + i] = packed.high[part * kQuarter + i] * 4 + low;
    }
  }
}

void pack(const Integers& q, PackedVector& packed) {
  for (int i = 0; i < kDims; ++i) packed.high[i] = static_cast<int8_t>(q[i] >> 2);
  for (int i = 0; i < kQuarter; ++i) {
    packed.low[i] =
        static_cast<uint8_t>((q[i] & 3) | (q[i + kQuarter] & 3) << 2 |
                             (q[i + 2 * kQuarter] & 3) << 4 | (q[i + 3 * kQuarter] & 3) << 6);
  }
}

// Rounds down after the dither of event `n`.
void round_dithered(const Vector& x, uint32_t n, Integers& q) {
  for (int i = 0; i < kDims; ++i) {
    const uint32_t u = (n * kGolden + kPhases[i]) >> 20;
    const float dither = static_cast<float>(static_cast<int32_t>(2 * u + 1)) * kDitherUnit;
    q[i] = static_cast<int32_t>(x[i] + (dither + kPositive)) - kPositive;
  }
}

// The power of two by which components, the largest of them `top`, are brought into range; the
// scale makes up for it.
float brought_into_range(float top, PackedVector& packed) {
  float shrink = 1;
  for (; top * shrink >= kComponentMax; shrink *= 0.5F) packed.scale *= 2;
  for (; top > 1 && top * shrink < kComponentSmall; shrink *= 2) packed.scale *= 0.5F;
  return shrink;
}

// packed += weight * direction. Requires: packed.scale > 0.
void add_plain(PackedVector& packed, float weight, const Vector& direction, uint32_t n) {
  Integers q;
  Vector x;
  unpack(packed, q);
  const float factor = weight / packed.scale;
  for (int i = 0; i < kDims; ++i) x[i] = static_cast<float>(q[i]) + factor * direction[i];
  const float shrink = brought_into_range(largest_component(x), packed);
  for (int i = 0; i < kDims; ++i) x[i] *= shrink;
  round_dithered(x, n, q);
  pack(q, packed);
}

#if defined(__x86_64__)
#define SHANHUO_AVX2 __attribute__((target("avx2")))
constexpr int kGroups = kDims / 8;  // of components; group g has those of part g / 2

template <typename T>
SHANHUO_AVX2 inline __m256i load_8_bytes(const T* from) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return std::is_signed_v<T> ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
}

SHANHUO_AVX2 inline float largest_lane(__m256 x) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}

SHANHUO_AVX2 inline __m256i round_group_dithered(__m256 x, __m256i phase, int group) {
  const auto* phases = reinterpret_cast<const __m256i*>(kPhases.data()) + group;
  const __m256i u = _mm256_add_epi32(phase, _mm256_loadu_si256(phases));
  const __m256i odd = _mm256_or_si256(_mm256_srli_epi32(u, 19), _mm256_set1_epi32(1));
  const __m256 dither = _mm256_mul_ps(_mm256_cvtepi32_ps(odd), _mm256_set1_ps(kDitherUnit));
  const __m256 sum = _mm256_add_ps(x, _mm256_add_ps(dither, _mm256_set1_ps(kPositive)));
  return _mm256_sub_epi32(_mm256_cvttps_epi32(sum), _mm256_set1_epi32(kPositive));
}

// The packing instructions work within halves of a register; what they leave is put in order.
SHANHUO_AVX2 inline __m256i in_order(__m256i packed) {
  return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

SHANHUO_AVX2 inline void pack_groups(const __m256i (&q)[kGroups], PackedVector& packed) {
  __m256i low[2];
  for (int half = 0; half < 2; ++half) {
    const __m256i* of = q + 4 * half;
    const __m256i first =
        _mm256_packs_epi32(_mm256_srai_epi32(of[0], 2), _mm256_srai_epi32(of[1], 2));
    const __m256i second =
        _mm256_packs_epi32(_mm256_srai_epi32(of[2], 2), _mm256_srai_epi32(of[3], 2));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(packed.high + 32 * half),
                        in_order(_mm256_packs_epi16(first, second)));
    low[half] = _mm256_setzero_si256();
    for (int part = 0; part < 4; ++part) {
      const __m256i bits = _mm256_and_si256(q[2 * part + half], _mm256_set1_epi32(3));
      low[half] = _mm256_or_si256(low[half], _mm256_slli_epi32(bits, 2 * part));
    }
  }
  const __m256i words = _mm256_packus_epi32(low[0], low[1]);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(packed.low),
                   _mm256_castsi256_si128(in_order(_mm256_packus_epi16(words, words))));
}

SHANHUO_AVX2 void add_avx2(PackedVector& packed, float weight, const Vector& direction,
                           uint32_t n) {
  static_assert(kDims == 64);
  const __m256i low[2] = {load_8_bytes(packed.low), load_8_bytes(packed.low + 8)};
  const __m256 factor = _mm256_set1_ps(weight / packed.scale);
  __m256 x[kGroups], top = _mm256_setzero_ps();
  for (int g = 0; g < kGroups; ++g) {
    const __m256i high = _mm256_slli_epi32(load_8_bytes(packed.high + 8 * g), 2);
    const __m256i bits =
        _mm256_and_si256(_mm256_srli_epi32(low[g % 2], g / 2 * 2), _mm256_set1_epi32(3));
    x[g] = _mm256_add_ps(_mm256_cvtepi32_ps(_mm256_or_si256(high, bits)),
                         _mm256_mul_ps(factor, _mm256_loadu_ps(direction.data() + 8 * g)));
    top = _mm256_max_ps(_mm256_andnot_ps(_mm256_set1_ps(-0.0F), x[g]), top);
  }
  const __m256 shrink = _mm256_set1_ps(brought_into_range(largest_lane(top), packed));
  const __m256i phase = _mm256_set1_epi32(static_cast<int>(n * kGolden));
  __m256i q[kGroups];
  for (int g = 0; g < kGroups; ++g) {
    q[g] = round_group_dithered(_mm256_mul_ps(x[g], shrink), phase, g);
  }
  pack_groups(q, packed);
}
#undef SHANHUO_AVX2
#endif

using Add = void (*)(PackedVector& packed, float weight, const Vector& direction, uint32_t n);

Add fastest_add() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return add_avx2;
#endif
  return add_plain;
}

// Decay, and whether there is anything to add; then packed.scale > 0.
bool made_ready(PackedVector& packed, float decay, float weight, float direction_top) {
  packed.scale *= decay;
  if (packed.scale < kScaleMin) packed = PackedVector{};
  const float reach = std::fabs(weight) * direction_top;
  if (!(reach > 0)) return false;
  if (packed.scale == 0) packed.scale = std::max(reach / kFirstComponent, kScaleMin);
  return true;
}

}  // namespace

void add_to_interest(PackedVector& packed, float decay, float weight, const Vector& direction,
                     float direction_top, uint32_t n) {
  static const Add kAdd = fastest_add();
  if (made_ready(packed, decay, weight, direction_top)) kAdd(packed, weight, direction, n);
}

void add_to_interest_plain(PackedVector& packed, float decay, float weight, const Vector& direction,
                           float direction_top, uint32_t n) {
  if (made_ready(packed, decay, weight, direction_top)) add_plain(packed, weight, direction, n);
}

float largest_component(const Vector& vector) {
  std::array<float, 16> top{};  // sixteen lanes, because a float maximum in order is slow
  for (int i = 0; i < kDims; i += 16) {
    for (int lane = 0; lane < 16; ++lane) {
      const float a = std::fabs(vector[i + lane]);
      top[lane] = a > top[lane] ? a : top[lane];
    }
  }
  float all = 0;
  for (const float lane : top) all = lane > all ? lane : all;
  return all;
}

void unpack_interest(const PackedVector& packed, Vector& out) {
  Integers q;
  unpack(packed, q);
  for (int i = 0; i < kDims; ++i) out[i] = static_cast<float>(q[i]) * packed.scale;
}

}  // namespace shanhuo
