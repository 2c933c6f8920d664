// Latencies of any number of calls in 20 kB: 64 buckets to each doubling, so that a quantile is at
// most 1.6 % too high. One thread; merge() joins those of several.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace shanhuo {

class LatencyHistogram {
 public:
  void add_ns(int64_t ns) {
    ++buckets_[bucket_of(static_cast<uint64_t>(std::max<int64_t>(ns, 0)))];
    ++count_;
  }
  void merge(const LatencyHistogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
  }
  uint64_t count() const { return count_; }

  // Upper bound, in ms, of the bucket that holds the q-quantile (0..1); 0 when empty.
  double quantile_ms(double q) const {
    uint64_t left = static_cast<uint64_t>(q * static_cast<double>(count_));
    for (size_t i = 0; i < kBuckets; ++i) {
      if (left < buckets_[i]) return static_cast<double>(lower_bound_of(i + 1)) * 1e-6;
      left -= buckets_[i];
    }
    return count_ == 0 ? 0 : static_cast<double>(lower_bound_of(kBuckets)) * 1e-6;
  }

 private:
  static constexpr int kStepBits = 6;
  static constexpr int kShift = 10;  // buckets below 128 us are 1 us wide
  static constexpr size_t kBuckets = 40 << kStepBits;

  static size_t bucket_of(uint64_t ns) {
    const uint64_t us = ns >> kShift;
    const int octave = std::max(static_cast<int>(std::bit_width(us)) - kStepBits - 1, 0);
    const size_t bucket = (static_cast<size_t>(octave) << kStepBits) + (us >> octave);
    return std::min(bucket, kBuckets - 1);
  }
  static uint64_t lower_bound_of(size_t bucket) {
    const size_t octave = bucket >> kStepBits;
    if (octave <= 1) return static_cast<uint64_t>(bucket) << kShift;
    const uint64_t mantissa = (bucket & ((1U << kStepBits) - 1)) + (1U << kStepBits);
    return mantissa << (octave - 1 + kShift);
  }

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
};

}  // namespace shanhuo
