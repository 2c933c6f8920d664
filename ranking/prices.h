// Prices: what the controller tells the request path, and the interface of the laws that move them
// (allocation.md 2).
//
// A PriceTable is immutable; the request path reads one published table and nothing else. A
// PriceLaw has one writer at a time (PriceController guards it) and never reads a clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "features/state_machine.h"
#include "ranking/program.h"

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
};

struct PriceTable {
  uint64_t version = 0;
  double viewer_price = 0;             // nu: price of viewers' loss, >= 0
  double user_loss_budget = 0;         // eps that nu belongs to; an arm with another eps scales nu
  std::vector<ProgramPrice> programs;  // same order and length as the ProgramSet it was made for
  std::string programs_version;        // ProgramSet::version it was made for
};

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
};

// A law that moves the price of a goal each step. Pure: no state beyond GoalState.
class PriceLaw {
 public:
  virtual ~PriceLaw() = default;
  // `curve_before` is F_j at the start of the step. Writes goal.price.
  virtual void step(GoalState& goal, double curve_before) const = 0;
  virtual std::string_view name() const = 0;
};

}  // namespace shanhuo
