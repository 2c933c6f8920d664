// Who gets which variation: the hashes and ranges of experiments, exactly as GrowthBook's SDKs
// compute them (SDK specification 0.8.0), so that an app with such an SDK agrees with the engine.
//
// Pure functions, thread-safe. Nothing here allocates but the two that return a vector. Buckets are
// numbers in [0, 1); a range holds its lower end and not its upper one. The SDKs disagree on texts
// that are not ASCII; here they are hashed as UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shanhuo {

struct BucketRange {
  double low = 0, high = 0;

  bool contains(double bucket) const { return bucket >= low && bucket < high; }
  bool operator==(const BucketRange&) const = default;
};

// Experiments of one namespace whose ranges do not meet never share a viewer.
struct BucketNamespace {
  std::string id;
  BucketRange range;
};

// FNV-1a, 32 bits. Version 2: h(decimal(h(seed value))) % 10,000 / 10,000. Version 1, kept for
// payloads of others: h(value seed) % 1,000 / 1,000, whose seeds are not independent of each other.
// Other versions have no buckets. The seed is hashed once.
class BucketHash {
 public:
  BucketHash() : BucketHash({}, 2) {}
  BucketHash(std::string seed, int version);

  std::optional<double> bucket(std::string_view value) const;

 private:
  std::string seed_;
  int version_;
  uint32_t seeded_;  // the hash so far, behind the seed
};

bool in_namespace(std::string_view value, const BucketNamespace& space);

// The first range that holds the bucket, or -1.
int choose_variation(double bucket, std::span<const BucketRange> ranges);

// `variations` times 1 / variations; none below 1.
std::vector<double> equal_weights(int variations);

// One range each: they begin where the weights before them end, and `coverage` (clamped to 0..1)
// shrinks each from its upper end, so that raising it moves nobody to another variation. Weights
// that are not as many as the variations, or do not add up to 1 within 0.01, count as equal.
std::vector<BucketRange> bucket_ranges(int variations, double coverage,
                                       std::span<const double> weights);

// What `key=` has in the query of a URL, when that is the index of a variation: how a tester forces
// one.
std::optional<int> query_override(std::string_view key, std::string_view url, int variations);

}  // namespace shanhuo
