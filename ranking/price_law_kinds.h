// What the files of the price laws share (price_law*.cc); nobody else includes it.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "ranking/price_law.h"

namespace shanhuo {

// A law of one kind: its options and its name.
template <PriceLawKind kKind>
class LawOf : public PriceLaw {
 public:
  explicit LawOf(const PriceLawOptions& options) : options_(options) {}
  std::string_view name() const override { return kPriceLawNames[static_cast<size_t>(kKind)]; }

 protected:
  const PriceLawOptions options_;
};

// Within the bounds of the options; 0 for what is no number.
void set_price(GoalState& goal, double price, const PriceLawOptions& options);
// Units still to insert.
double remaining_units(const GoalState& goal);

// `plain` moves the prices while there is no sample.
std::unique_ptr<PriceLaw> make_resolving_law(const PriceLawOptions& options,
                                             std::unique_ptr<PriceLaw> plain);
std::unique_ptr<PriceLaw> make_plan_law(const PriceLawOptions& options);
std::unique_ptr<PriceLaw> make_fair_law(const PriceLawOptions& options);

}  // namespace shanhuo
