// A member's upper 10 bits name a register, which keeps the largest "1 + leading zeros" of the
// lower 22 bits (23 when they are all zero): about log2 of how many different members it has seen.
// Ertl's estimator weighs the histogram of the 1,024 values,
//
//   n = m^2 / (2 ln 2) / (m sigma(C[0] / m) + sum over k = 1..22 of C[k] / 2^k + m tau(1 - C[23] /
//   m) / 2^22)
//
// where sigma and tau are what empty and full registers say. It is the same formula from one member
// to the billions, and 1.04 / sqrt(m) = 3.25 % is its standard error in all of that range.
//
// Tested by tests/features_sketch_test.cc: error and bias over many seeds and sizes.
#include "features/sketch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr size_t kWordsMin = 16;  // a cache line
constexpr int kRankBits = 22;
constexpr uint32_t kRankMax = kRankBits + 1;
constexpr uint16_t kDenseMarker = 0xFFFF;

// The first of `count` ascending members that is not below `member`, or the place behind them.
// Without a branch on what is compared: it would be guessed wrong every other time.
size_t place_of(const uint32_t* members, size_t count, uint32_t member) {
  size_t first = 0;
  while (count > 1) {
    const size_t half = count / 2;
    first += members[first + half - 1] < member ? half : 0;
    count -= half;
  }
  return first + (count == 1 && members[first] < member ? 1 : 0);
}

double sigma(double x) {
  if (x == 1) return INFINITY;
  double y = 1, z = x, before = -1;
  while (z != before) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1, z = 1 - x, before = -1;
  while (z != before) {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

}  // namespace

bool UniqueSketch::add(uint64_t hash) {
  const auto member = static_cast<uint32_t>(hash >> 32);
  return exact() ? add_member(member) : add_dense(member);
}

void UniqueSketch::prefetch(uint64_t hash) const {
  const size_t middle = words_.size() / 2;
  const size_t bit = (hash >> 32 >> kRankBits) * kRegisterBits;
  __builtin_prefetch(words_.data() + (exact() ? middle : bit / 32), 1);
}

bool UniqueSketch::add_member(uint32_t member) {
  const size_t at = place_of(words_.data(), words_.size(), member);
  if (at < words_.size() && words_[at] == member) return false;
  if (words_.size() == kExactMax) {
    make_dense();
    add_dense(member);
    return true;
  }
  if (words_.size() == words_.capacity()) words_.reserve(std::max(kWordsMin, 2 * words_.size()));
  words_.insert(words_.begin() + static_cast<ptrdiff_t>(at), member);
  return true;
}

bool UniqueSketch::add_dense(uint32_t member) {
  const uint32_t low = member << (32 - kRankBits);
  const uint32_t rank = low == 0 ? kRankMax : 1 + static_cast<uint32_t>(__builtin_clz(low));
  return raise_register(member >> kRankBits, rank);
}

void UniqueSketch::make_dense() {
  std::pmr::vector<uint32_t> members(kDenseWords, 0, words_.get_allocator());
  members.swap(words_);
  for (const uint32_t member : members) add_dense(member);
}

// Register i is bits 5 i .. 5 i + 4 of the words, taken as one long number.
uint32_t UniqueSketch::register_at(size_t index) const {
  const size_t bit = index * kRegisterBits, word = bit / 32, shift = bit % 32;
  uint64_t both = words_[word];
  if (shift > 32 - kRegisterBits) both |= static_cast<uint64_t>(words_[word + 1]) << 32;
  return both >> shift & 31;
}

bool UniqueSketch::raise_register(size_t index, uint32_t value) {
  const uint32_t present = register_at(index);
  if (value <= present) return false;
  const size_t bit = index * kRegisterBits, word = bit / 32, shift = bit % 32;
  const uint64_t change = static_cast<uint64_t>(present ^ value) << shift;
  words_[word] ^= static_cast<uint32_t>(change);
  if (change >> 32 != 0) words_[word + 1] ^= static_cast<uint32_t>(change >> 32);
  return true;
}

void UniqueSketch::merge(const UniqueSketch& other) {
  if (other.exact()) {
    for (const uint32_t member : other.words_) exact() ? add_member(member) : add_dense(member);
    return;
  }
  if (exact()) make_dense();
  for (size_t i = 0; i < kRegisters; ++i) raise_register(i, other.register_at(i));
}

int64_t UniqueSketch::estimate() const {
  if (exact()) return static_cast<int64_t>(words_.size());
  std::array<int, kRankMax + 1> histogram{};
  for (size_t i = 0; i < kRegisters; ++i) ++histogram[register_at(i)];
  constexpr double m = kRegisters;
  double z = m * tau(1 - histogram[kRankMax] / m);
  for (int k = kRankBits; k >= 1; --k) z = 0.5 * (z + histogram[k]);
  z += m * sigma(histogram[0] / m);
  return std::llround(m * m / (2 * std::numbers::ln2) / z);
}

void UniqueSketch::append_to(std::string* out) const {
  put_fixed(out, exact() ? static_cast<uint16_t>(words_.size()) : kDenseMarker);
  for (const uint32_t word : words_) put_fixed(out, word);
}

Result<UniqueSketch> UniqueSketch::take_from(std::string_view* bytes) {
  const Error corrupt{ErrorCode::kCorrupt, "viewer sketch: malformed"};
  uint16_t count = 0;
  if (!take_fixed(bytes, &count) || (count > kExactMax && count != kDenseMarker)) return corrupt;
  UniqueSketch sketch;
  sketch.words_.resize(count == kDenseMarker ? kDenseWords : count);
  for (uint32_t& word : sketch.words_) {
    if (!take_fixed(bytes, &word)) return corrupt;
  }
  if (sketch.exact()) {
    const auto not_ascending = [](uint32_t a, uint32_t b) { return a >= b; };
    const auto& words = sketch.words_;
    if (std::adjacent_find(words.begin(), words.end(), not_ascending) != words.end()) {
      return corrupt;
    }
    return sketch;
  }
  for (size_t i = 0; i < kRegisters; ++i) {
    if (sketch.register_at(i) > kRankMax) return corrupt;
  }
  return sketch;
}

}  // namespace shanhuo
