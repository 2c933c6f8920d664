// Fair exposure between counties (allocation.md 1 and 2): the alpha-fair price v_c of one more
// exposure of a county, v_c = lambda * (max(Y_c, Y_min) / omega_c)^-alpha.
//
// Y_c: expected viewable exposures that boosts gave to the county per 1,000 requests, over the last
// half-lives of engine time. omega_c: its weight times the mean of all counties, so that lambda is
// the worth of an exposure to a county that has its share, whatever the traffic. alpha = 0 treats
// all alike, 1 is proportional fairness, large ones care for the worst county alone. The table
// holds v_c for weight 1; a program with `fairness` weight w multiplies its items' by w^alpha.
//
// CountyWelfare has one writer at a time (PriceController guards it); CountyPrices is immutable.
// Bounded: counties past kCountiesMax are refused and counted. 16 bytes each in a table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"

namespace shanhuo {

struct WelfareOptions {
  double alpha = 1;                 // 0..10
  double lambda_fen = 0.02;         // worth of an exposure at Y_c = omega_c; 0: no welfare term
  double share_min = 0.05;          // Y_min, of the mean; > 0
  Millis half_life{6 * 3'600'000};  // memory of Y_c
};

// v_c by county code, for weight 1.
class CountyPrices {
 public:
  CountyPrices(const std::vector<std::pair<int32_t, float>>& prices, float others);
  // 0 for the county 0 (none); the price of Y_min for counties without any exposure.
  double fen(int32_t county) const {
    if (county == 0) return 0;
    for (size_t slot = first_slot(county);; slot = (slot + 1) & mask_) {
      if (table_[slot].first == county) return table_[slot].second;
      if (table_[slot].first == 0) return others_;
    }
  }

 private:
  size_t first_slot(int32_t county) const {
    return (static_cast<uint32_t>(county) * 2'654'435'769U >> 16) & mask_;
  }
  std::vector<std::pair<int32_t, float>> table_;  // open addressing, half empty; 0: free
  size_t mask_ = 0;
  float others_ = 0;
};

class CountyWelfare {
 public:
  static constexpr size_t kCountiesMax = 8'000;  // there are about 3,000

  explicit CountyWelfare(const WelfareOptions& options) : options_(options) {}

  void request(Millis now);
  void expose(int32_t county, double expected, Millis now);  // county 0: ignored
  // Y_c, per 1,000 requests.
  double exposure(int32_t county) const;
  uint64_t refused() const { return refused_; }
  // What a program's weight multiplies v_c with.
  double factor(double weight) const;

  // nullptr when lambda is 0.
  std::shared_ptr<const CountyPrices> table() const;

  void encode(std::string* out) const;
  bool decode(std::string_view* in);

 private:
  double worth(Millis now);  // of one unit now, in the growing unit of the sums

  const WelfareOptions options_;
  std::unordered_map<int32_t, double> exposures_;  // growing units
  double requests_ = 0;
  Millis since_{INT64_MIN};  // when the growing unit is 1
  uint64_t refused_ = 0;
};

}  // namespace shanhuo
