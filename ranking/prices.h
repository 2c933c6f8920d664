// Prices: what the controller tells the request path, and the interface of the laws that move them
// (allocation.md 2).
//
// A PriceTable is immutable; the request path reads one published table and nothing else. A
// PriceLaw has one writer at a time (PriceController guards it) and never reads a clock.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "features/state_machine.h"
#include "ranking/program.h"
#include "ranking/welfare.h"

namespace shanhuo {

struct ProgramPrice {
  // w_j, summed over the program's goals of each unit that still want exposure; < 0 pushes back.
  double fen_per_unit = 0;  // per viewable exposure
  double fen_per_click = 0;
  double fen_per_order = 0;
  // Insertions that the goals' hard caps leave now; 0 when exhausted, huge without a cap.
  int64_t insertions_left = 1'000'000;
  bool exhausted =
      false;  // delivered + outstanding has reached a cap: nothing more may be inserted
  // w^alpha of a program that treats counties fairly and wants exposure; multiplies the county's
  // price. 0: the county's exposure is worth nothing to it.
  double fairness = 0;
};

struct PriceTable {
  uint64_t version = 0;
  double viewer_price = 0;             // nu: price of viewers' loss, >= 0
  double user_loss_budget = 0;         // eps that nu belongs to; an arm with another eps scales nu
  std::vector<ProgramPrice> programs;  // same order and length as the ProgramSet it was made for
  std::string programs_version;        // ProgramSet::version it was made for
  std::shared_ptr<const CountyPrices> counties;  // v_c; nullptr: no welfare term
  bool tries_new = true;  // false while the account of new items (exploration.h) is low

  // v_c of one exposure of the county, to a program with fairness 1.
  double county_fen(int32_t county) const { return counties ? counties->fen(county) : 0; }
};

// nu of a table while the account of viewers' losses is empty: what costs a viewer anything stays
// out, what viewers gain by may still be inserted.
inline constexpr double kLosslessPrice = 1e6;

// What one goal of one program has seen so far; the input of a law.
struct GoalState {
  double target = 0;     // at_least in units for the present period
  double cap = 0;        // 0: none
  double delivered = 0;  // y_j of the present period
  double in_flight = 0;  // sum of P(viewable) of outstanding insertions
  int64_t outstanding = 0;
  double curve_now = 0;          // F_j(now): share of the period's traffic that is over, 0..1
  double inserted_expected = 0;  // a_j: expected units inserted since the last step
  double missed_value_fen = 0;
  double price = 0;  // w_j, updated in place

  double weight = 1;         // omega: its fair share relative to the other goals; > 0
  double requests_left = 0;  // expected ones that may still ask for it; 0: unknown
  // What a law keeps of this goal from step to step: zeros at first, never stored.
  std::array<double, 8> memory{};
};

// Past requests that can be answered again at other prices, for laws that solve their problem on
// them (allocation.md 2).
class RequestSample {
 public:
  virtual ~RequestSample() = default;
  virtual size_t size() const = 0;
  // units[j] := what goal j would have got of a request, on average, at these prices. Returns
  // viewers' loss as a share of the organic value. Requires: spans of one length, one per goal.
  virtual double replay(std::span<const double> prices, std::span<double> units) const = 0;
};

// What all goals of a step have in common.
struct LawStep {
  const RequestSample* sample = nullptr;  // goals in the order of settle(); nullptr: none
  double requests = 0;                    // seen so far
  double loss_share = 0;                  // viewers' loss / organic value since the last step
  double loss_budget = 0;                 // eps; 0: none
  double page_rate = 1;                   // of the page to come, for laws that move by page
};

// A law that moves prices each step. Pure: no state beyond GoalState.
class PriceLaw {
 public:
  virtual ~PriceLaw() = default;
  // One goal alone. `curve_before` is F_j at the start of the step. Writes goal.price.
  virtual void step(GoalState& goal, double curve_before) const = 0;
  // All goals that run, after step() of each: for laws that look at them together.
  virtual void settle(std::span<GoalState* const> /*goals*/, const LawStep& /*step*/) const {}
  // Whether the controller may move its prices towards re-solved ones (resolve.h) between steps.
  virtual bool may_resolve() const { return false; }
  virtual std::string_view name() const = 0;
};

}  // namespace shanhuo
