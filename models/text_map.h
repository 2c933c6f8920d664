// A learned map from text into the space of other vectors: what a new item, which nobody has seen,
// would have as a vector if its words mean what they meant for the items that have one.
//
// Text becomes hashed character n-grams (1 to 3 code points; Weinberger et al. 2009), each weighted
// by how rare it is in the texts learned from. A line that begins with kKeyMark is a key, such as a
// category or a creator: it counts as a whole and not by its characters. With vectors of characters
// (char_vectors.h) the text's direction by them counts too. N-grams together, keys together and
// that direction are of the lengths 1, key_weight and character_weight, and then all of unit
// length. The map is linear, fitted by ridge regression: the least sum of |W^T x - y|^2 + ridge
// |W|^2, by conjugate gradients (Hestenes and Stiefel 1952), which for sparse x needs only sums
// over its entries.
//
// Immutable after it is learned; thread-safe; deterministic.
//
// Its bytes, all numbers little endian:
//   map   := "shtmap1\n" | dims u32 | bits u32 | ridge f64 | steps u32 | key_weight f64
//            | character_weight f64 | used u32 | entry{used}
//            | characters? of char_vectors.h and f32{width x dims}
//   entry := bucket u32, ascending | rareness f32, above 0 | weight f32{dims}
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "models/char_vectors.h"

namespace shanhuo {

struct TextMapOptions {
  int bits = 15;          // 2^bits buckets of n-grams, 8..20; 4 bytes x dims each
  double ridge = 1;       // above 0; higher trusts single n-grams less
  int steps = 50;         // of conjugate gradients, 1..1,000
  double key_weight = 2;  // 0..100; what keys say against what n-grams say
  std::shared_ptr<const CharVectors> characters = nullptr;  // none
  double character_weight = 1;                              // 0..100
};

class TextMap {
 public:
  static constexpr char kKeyMark = '\x1f';
  static constexpr size_t kDimsMax = 1'024;
  static constexpr size_t kBytesMax = 2u << 30;

  // `targets`: row-major, texts.size() x dims. `weights`: how often each text counts, 0 or more;
  // empty: each once. kInvalid when an option is out of its range, there is no text, or a target or
  // a weight is no number. Requires: dims in 1..kDimsMax.
  static Result<TextMap> learn(std::span<const std::string> texts, std::span<const float> targets,
                               size_t dims, const TextMapOptions& options,
                               std::span<const float> weights = {});

  // Replaces `out` with its bytes.
  void to_bytes(std::string& out) const;
  // kCorrupt: other bytes, too few or too many of them, a number that cannot be.
  static Result<TextMap> from_bytes(std::string_view bytes);

  // Requires: out.size() == dims. Zeros for a text without any n-gram that was learned from.
  void apply(std::string_view text, std::span<float> out) const;

  size_t dims() const { return dims_; }

 private:
  using Features = std::vector<std::pair<uint32_t, float>>;  // bucket, weight; distinct

  TextMap(size_t dims, const TextMapOptions& options) : options_(options), dims_(dims) {}
  static Status check(const TextMapOptions& options);
  size_t rows() const;  // of weights_
  Status take_entries(std::string_view& bytes, uint32_t used);
  Status take_characters(std::string_view& bytes);
  uint32_t bucket_of(std::string_view feature, uint64_t seed) const;
  // Ascending, repeats kept.
  std::vector<uint32_t> ngram_buckets(std::string_view text) const;
  std::vector<uint32_t> key_buckets(std::string_view text) const;
  void add_characters(std::string_view text, Features& features) const;
  void add_features(const std::vector<uint32_t>& buckets, float length, Features& features) const;
  void weigh_rareness(std::span<const std::string> texts);
  Features features_of(std::string_view text) const;
  void fit(const std::vector<Features>& rows, std::span<const float> targets);

  TextMapOptions options_;
  size_t dims_;
  std::vector<float> rareness_;  // by bucket; 0: never met
  std::vector<float> weights_;   // (buckets, and behind them characters->width()) x dims
};

}  // namespace shanhuo
