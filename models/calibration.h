// From a caller's score to P(click): a monotone map per surface, learned from labelled impressions
// (contract 2.3).
//
// CalibrationLearner counts (score, clicked) pairs in bins; one writer (the fold), mutex-guarded.
// Calibration is the immutable map it publishes: isotonic regression (pool adjacent violators, Ayer
// et al. 1955) over the bins, linear between bin means. Before `labels_min` impressions of a
// surface a score in 0..1 stands as it is, and any other list counts `first_click_rate *
// position_decay^position`.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/published.h"
#include "features/interaction.h"
#include "features/state_machine.h"

namespace shanhuo {

enum class ScoreKind : uint8_t { kAny, kProbability };

struct CalibrationOptions {
  ScoreKind score_kind = ScoreKind::kAny;
  int64_t labels_min = 1'000;
  double first_click_rate = 0.1;
  double position_decay = 0.95;
};

class Calibration {
 public:
  struct Point {
    double score, click_rate;
  };
  std::array<std::vector<Point>, kSurfaces>
      points;  // ascending score, non-decreasing rate; empty: not learned yet

  // P(click) of an organic list, best first: out[i] for scores[i], made non-increasing. Same
  // length.
  void apply(std::span<const double> scores, Surface surface, const CalibrationOptions& options,
             std::span<double> out) const;
};

class CalibrationLearner final : public Checkpointed {
 public:
  explicit CalibrationLearner(CalibrationOptions options);

  // An organic impression of an item with this score. `clicked` comes as a second call with clicked
  // = true.
  void impression(Surface surface, double score);
  void click(Surface surface, double score);

  // Fits and publishes what has been learned so far; about 10 us a surface.
  void publish();
  std::shared_ptr<const Calibration> current() const { return published_.get(); }

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

  // Scores of any size share the bins: monotone in the score, 8 bins an octave of magnitude.
  static constexpr int kBins = 1'024;
  static int bin_of(double score);

 private:
  struct Bin {
    double score_sum = 0, impressions = 0, clicks = 0;
  };
  using Bins = std::vector<Bin>;  // kBins

  const CalibrationOptions options_;
  mutable std::mutex mutex_;
  std::array<Bins, kSurfaces> bins_;  // guarded by mutex_
  bool dirty_ = false;                // guarded by mutex_
  Published<Calibration> published_;
};

}  // namespace shanhuo
