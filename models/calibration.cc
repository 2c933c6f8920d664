#include "models/calibration.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace shanhuo {
namespace {

constexpr double kScoreBound = 0x1p33;

struct Block {
  double score_sum, impressions, clicks;
  double rate() const { return clicks / impressions; }
};

// Pool adjacent violators: merge a block into the one before while that one's rate is higher.
std::vector<Calibration::Point> isotonic(const std::vector<Block>& bins) {
  std::vector<Block> blocks;
  for (const Block& bin : bins) {
    blocks.push_back(bin);
    while (blocks.size() > 1 && blocks[blocks.size() - 2].rate() >= blocks.back().rate()) {
      const Block last = blocks.back();
      blocks.pop_back();
      blocks.back().score_sum += last.score_sum;
      blocks.back().impressions += last.impressions;
      blocks.back().clicks += last.clicks;
    }
  }
  std::vector<Calibration::Point> points;
  for (const Block& block : blocks) {
    points.push_back({block.score_sum / block.impressions, block.rate()});
  }
  return points;
}

double interpolate(const std::vector<Calibration::Point>& points, double score) {
  const auto right = std::lower_bound(
      points.begin(), points.end(), score,
      [](const Calibration::Point& point, double value) { return point.score < value; });
  if (right == points.begin()) return points.front().click_rate;
  if (right == points.end()) return points.back().click_rate;
  const Calibration::Point left = *(right - 1);
  const double share = (score - left.score) / (right->score - left.score);
  return left.click_rate + share * (right->click_rate - left.click_rate);
}

}  // namespace

void Calibration::apply(std::span<const double> scores, Surface surface,
                        const CalibrationOptions& options, std::span<double> out) const {
  const std::vector<Point>& learned = points[static_cast<size_t>(surface)];
  const bool probabilities =
      std::all_of(scores.begin(), scores.end(), [](double s) { return s >= 0.0 && s <= 1.0; });
  double by_position = options.first_click_rate;
  for (size_t i = 0; i < scores.size(); ++i, by_position *= options.position_decay) {
    if (options.score_kind == ScoreKind::kProbability) {
      out[i] = scores[i];
    } else if (!learned.empty()) {
      out[i] = interpolate(learned, scores[i]);
    } else {
      out[i] = probabilities ? scores[i] : by_position;
    }
    if (i > 0) out[i] = std::min(out[i], out[i - 1]);
  }
}

CalibrationLearner::CalibrationLearner(CalibrationOptions options)
    : options_(options), published_(std::make_shared<const Calibration>()) {
  bins_.fill(Bins(kBins));
}

// The bits of a positive double grow with it: exponent and the top three bits of the mantissa name
// the bin. Magnitudes below 2^-32 or from 2^31 on share the outermost bins; negative scores mirror
// the positive ones.
int CalibrationLearner::bin_of(double score) {
  constexpr int kHalf = kBins / 2;
  constexpr int64_t kLowest = int64_t{1023 - 32} << 3;
  const int64_t top = static_cast<int64_t>(std::bit_cast<uint64_t>(std::abs(score)) >> 49);
  const int rank = static_cast<int>(std::clamp<int64_t>(top - kLowest, 0, kHalf - 1));
  return std::signbit(score) && score != 0 ? kHalf - 1 - rank : kHalf + rank;
}

void CalibrationLearner::impression(Surface surface, double score) {
  const std::lock_guard lock(mutex_);
  Bin& bin = bins_[static_cast<size_t>(surface)][static_cast<size_t>(bin_of(score))];
  // The outermost bins reach up to any double; their sums must not reach infinity.
  bin.score_sum += std::clamp(score, -kScoreBound, kScoreBound);
  bin.impressions += 1;
  dirty_ = true;
}

void CalibrationLearner::click(Surface surface, double score) {
  const std::lock_guard lock(mutex_);
  bins_[static_cast<size_t>(surface)][static_cast<size_t>(bin_of(score))].clicks += 1;
  dirty_ = true;
}

void CalibrationLearner::publish() {
  auto next = std::make_shared<Calibration>();
  {
    const std::lock_guard lock(mutex_);
    for (int surface = 0; surface < kSurfaces; ++surface) {
      std::vector<Block> blocks;
      double impressions = 0;
      for (const Bin& bin : bins_[static_cast<size_t>(surface)]) {
        if (bin.impressions == 0) continue;
        impressions += bin.impressions;
        // A click may be counted before its impression; a rate is never above one.
        blocks.push_back({bin.score_sum, bin.impressions, std::min(bin.clicks, bin.impressions)});
      }
      if (impressions >= static_cast<double>(options_.labels_min)) {
        next->points[static_cast<size_t>(surface)] = isotonic(blocks);
      }
    }
  }
  published_.set(std::move(next));
}

// Record: key "cl" + surface byte, value kBins x Bin, host byte order (a checkpoint stays on its
// machine's kind).
void CalibrationLearner::begin_checkpoint(StateWriter& writer) {
  const std::lock_guard lock(mutex_);
  if (!dirty_) return;
  for (int surface = 0; surface < kSurfaces; ++surface) {
    const Bins& bins = bins_[static_cast<size_t>(surface)];
    const std::string key = std::string("cl") + static_cast<char>(surface);
    writer.put(key, {reinterpret_cast<const char*>(bins.data()), bins.size() * sizeof(Bin)});
  }
  dirty_ = false;
}

bool CalibrationLearner::checkpoint_step(size_t /*records_max*/) { return true; }

Status CalibrationLearner::restore(const StateReader& reader) {
  const Status status =
      reader.scan("cl", [&](std::string_view key, std::string_view value) -> Status {
        const size_t surface = key.size() == 3 ? static_cast<unsigned char>(key[2]) : kSurfaces;
        if (surface >= kSurfaces || value.size() != kBins * sizeof(Bin)) {
          return Error{ErrorCode::kCorrupt, "calibration: a record of the wrong shape"};
        }
        const std::lock_guard lock(mutex_);
        std::memcpy(bins_[surface].data(), value.data(), value.size());
        return {};
      });
  publish();
  return status;
}

}  // namespace shanhuo
