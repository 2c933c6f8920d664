// The guaranteed-delivery data of `evaluate allocation-adx` (allocation.md 6): requests for which
// each contract has a quality, at most one contract a request, a capacity per contract.
//
//   pubN-ads.txt     advertiser: 1 rho: 0.0022          capacity = floor(rho * requests)
//   pubN-sample.txt  0,0,7041.5,0                       a request: a quality per contract, 0: none
//   pubN-types.txt   type: 1 prob: 0.0091 advertisers: [1, 6] mean: [..] cov: [..]
//                    the generator: log-normal qualities; upper triangle by columns
//
// Immutable after read() or draw(); thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ranking/prices.h"

namespace shanhuo {

struct AdxOffer {
  int contract = 0;
  double quality = 0;  // > 0
};

class AdxMarket {
 public:
  struct Type {
    double probability = 0;
    std::vector<int> contracts;
    std::vector<double> mean;    // of the logarithms
    std::vector<double> factor;  // Cholesky, row-major, lower
  };

  // Of publisher 1 or 3 in the folder. kIo, or kInvalid with file and line.
  static Result<AdxMarket> read(const std::string& folder, int publisher);
  static AdxMarket of(std::vector<double> rho, const std::vector<std::vector<AdxOffer>>& requests);

  // Another day of as many requests, from the generator.
  AdxMarket draw(uint64_t seed) const;

  size_t size() const { return begin_.size() - 1; }
  size_t contracts() const { return rho_.size(); }
  double capacity(size_t contract) const;
  std::span<const AdxOffer> offers(size_t request) const {
    return {offers_.data() + begin_[request], begin_[request + 1] - begin_[request]};
  }

 private:
  void add(std::span<const AdxOffer> offers);

  std::vector<double> rho_;
  std::vector<Type> types_;
  std::vector<AdxOffer> offers_;
  std::vector<size_t> begin_{0};
};

// The contract with the highest quality + price, if that is above 0; -1: none. `open`, unless
// empty, says which contracts may have it.
int best_offer(std::span<const AdxOffer> offers, std::span<const double> prices,
               std::span<const uint8_t> open);

// What hindsight reaches. Any prices w <= 0 certify an upper bound of the total quality:
//   sum over requests of max(0, quality + w) - sum w * capacity
// and any assignment within the capacities a lower one.
struct AdxHindsight {
  double upper = 0, lower = 0;
  std::vector<double> prices;     // w
  std::vector<double> delivered;  // per contract, by the assignment
  double gap() const { return upper > 0 ? (upper - lower) / upper : 0; }
};
// Coordinate descent: each price in turn takes the value at which its contract's demand is its
// capacity, which is exact for that coordinate.
AdxHindsight adx_hindsight(const AdxMarket& market, int sweeps);

// Past requests of a run, for a law: at most `size_max` of [0, end), evenly spread.
class AdxSample final : public RequestSample {
 public:
  AdxSample(const AdxMarket& market, size_t end, size_t size_max);
  size_t size() const override { return size_; }
  double replay(std::span<const double> prices, std::span<double> units) const override;

 private:
  const AdxMarket& market_;
  const size_t end_, stride_, size_;
};

}  // namespace shanhuo
