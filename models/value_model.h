// P(label) of an example, learned from one labelled example at a time: hashed logistic regression
// with FTRL-Proximal (McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013,
// Algorithm 1), and on top of it the products of those features that ask for them: a factorisation
// machine (Rendle, ICDM 2010) whose factors learn by AdaGrad (Duchi, Hazan, Singer, JMLR 2011).
//
//   log-odds = sum_i w_i x_i  +  1/2 sum_k ((sum_f v_fk x_f)^2 - sum_f (v_fk x_f)^2)
//
// A feature is a 64-bit hash with a value; hashes share a table of fixed size, so memory is bounded
// whatever comes, and nothing is allocated per example. Sums of several features can be taken once
// and used for many examples (a viewer's part of 200 candidates): add() and log_odds().
//
// One writer (the fold) calls learn(); add() and log_odds() may be called from any thread meanwhile
// and see each weight as it was before or after an update. Deterministic: equal calls give equal
// bytes. No weight becomes infinite or NaN whatever the labels are: values are kept within
// +-kValueMax, steps are bounded, factors stay within +-kFactorMax.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "features/dirty_list.h"
#include "features/state_machine.h"

namespace shanhuo {

struct ValueModelOptions {
  int slots_log2 = 18;         // 8..24; 12 bytes each; more: fewer features share a weight
  int factor_slots_log2 = 14;  // 5..22; 64 bytes each
  float alpha = 0.02F;         // > 0; the learning rate of w
  float beta = 1;              // > 0; examples until it begins to fall
  float l1 = 0;                // keeps weights of little evidence at exactly 0
  float l2 = 1;
  float factor_rate = 0.02F;  // of v; 0: factors never change
  float factor_beta = 0.1F;   // > 0
  float factor_l2 = 1e-3F;
  float factor_start = 0.1F;  // width of the range of untrained factors
};

struct ModelFeature {
  uint64_t hash = 0;  // well mixed in all bits (base/hash.h)
  float value = 1;    // not NaN; counts as within +-ValueModel::kValueMax
};

// Features of one example. `crossed` ones have factors besides their weight.
struct ModelFeatures {
  std::span<const ModelFeature> plain, crossed;
};

class ValueModel final : public Checkpointed {
 public:
  static constexpr int kFactors = 8;
  static constexpr float kValueMax = 16, kFactorMax = 4, kLogOddsMax = 20;

  // Sums over features so far; add() in the same order gives the same bits.
  struct Sums {
    float linear = 0, squares = 0;
    std::array<float, kFactors> factors{};
  };

  // `name` tells the model's records from those of others in a checkpoint: "vm" + name + kind +
  // page (4 bytes, big-endian), kind 'w' or 'f', value the page's numbers in host byte order.
  // Requires: options in their ranges, equal for equal names.
  ValueModel(std::string name, const ValueModelOptions& options);

  void add(const ModelFeatures& features, Sums& sums) const;
  // Within +-kLogOddsMax.
  static float log_odds(const Sums& sums);
  float log_odds(const ModelFeatures& features) const;
  static float probability(float log_odds);

  // One step down the gradient of weight * logloss; gives the log-odds from before.
  // Requires: 0 <= weight <= 16.
  float learn(const ModelFeatures& features, bool label, float weight = 1);

  // For labels that come late: every example is learned as a negative at once (`positive` false),
  // and, when its label turns out to be true, a second time as a positive. Weighted so that the
  // model settles at P(label) and not at P / (1 + P): fake-negative weighting (Ktena et al.,
  // "Addressing delayed feedback for continuous training with neural networks in CTR prediction",
  // RecSys 2019, eq. 9). Features come in parts, as for add().
  float learn_delayed(std::span<const ModelFeatures> parts, bool positive);

  // Becomes a copy of another model of the same options, page by page, while add() goes on
  // elsewhere. Writer's thread of both.
  void take_over(const ValueModel& other);

  uint64_t examples() const { return examples_; }  // learned; the writer's thread
  size_t bytes() const;                            // of the tables; any thread

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  static constexpr size_t kPageSlots = 256, kPageRows = 32;  // 2 KiB each
  struct Gradients {
    float z = 0, n = 0;
  };
  struct alignas(64) Row {
    std::array<float, kFactors> v, n;
  };

  size_t slot_of(uint64_t hash) const { return hash >> (64 - options_.slots_log2); }
  size_t row_of(uint64_t hash) const { return hash & (factors_.size() - 1); }
  float weight_of(float z, float root) const;
  void step(const ModelFeatures& features, float gradient, const Sums& sums);
  void learn_weight(const ModelFeature& feature, float gradient);
  void learn_factors(const ModelFeature& feature, float gradient, const Sums& sums);
  void touch(uint32_t page);
  void save(uint32_t page);
  Status restore_page(std::string_view key, std::string_view value);

  const std::string name_;
  const ValueModelOptions options_;
  const float per_alpha_;
  std::vector<float> weights_;  // by slot; made of gradients_, so that readers load one number
  std::vector<Gradients> gradients_;  // by slot; the writer's
  std::vector<Row> factors_;
  uint64_t examples_ = 0;

  // Pages of weights come first, then those of factors. The writer's.
  std::vector<uint8_t> marks_;
  DirtyList<uint32_t> dirty_;
  StateWriter* writer_ = nullptr;
};

}  // namespace shanhuo
