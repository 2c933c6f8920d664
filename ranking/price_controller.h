// The one writer of prices: counts what was inserted and what arrived, and every step publishes the
// next PriceTable (allocation.md 2).
//
// Per goal it keeps y (delivered in the present period), the outstanding insertions of the last
// expiry window in buckets of a minute, and the price w (goal_account.h); of the stream, the curve
// of its traffic (traffic.h); of viewers, what answers cost them (loss_window.h); of counties, what
// they were given (welfare.h). All time is engine time, passed in, and never goes back (an older
// `now` counts as the latest one seen).
//
// Thread-safe. reserve() and observe() take one short lock; table() takes the lock of Published.
// Hard caps: delivered + outstanding <= at_most holds at every moment, each outstanding insertion
// counting as one whole unit (click and order goals: as its expectation plus three deviations,
// since whole units would let nothing through). What is seen after its reservation has expired is
// counted and may pass the cap by so much. A cap that is a share of a surface's insertions holds up
// to one insertion. Viewers' loss: as LossAccount promises.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/published.h"
#include "ranking/goal_status.h"
#include "ranking/loss_window.h"
#include "ranking/pacing_books.h"
#include "ranking/price_law.h"
#include "ranking/prices.h"
#include "ranking/resolve.h"
#include "ranking/welfare.h"

namespace shanhuo {

struct PriceControllerOptions {
  Millis step{1'000};               // engine time between two steps; longer reacts later
  Millis reservation{1'800'000};    // an insertion not seen by then no longer counts as outstanding
  Millis finish_early{3'600'000};   // pacing aims to be done so long before the deadline, ...
  double finish_early_share = 0.1;  // ... but never more than this share of the period; 0..0.5
  double user_loss_budget = 0.02;   // eps
  double explore_new_budget = 0.002;  // the same of new items alone, within eps
  double viewer_price_step = 0.2;     // eta_nu
  double viewer_price_max = 100;      // nu never passes this; reaching it is a sign of wrong values
  Millis loss_window{600'000};        // over which viewers' loss is held below eps
  // Share of a day's traffic by hour (UTC+8), any positive scale, until it is learned.
  std::array<double, 24> hourly_traffic = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                           1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  // Days with another traffic, as read_festivals() reads them. Requires: it does.
  std::string festivals;
  double first_price_share = 0.1;  // of p_j: where a price starts that has no past; 0..1
  WelfareOptions welfare;
  ResolveOptions resolve;
};

struct ProgramStatus {
  std::string id;
  std::vector<GoalStatus> goals;
  Shortfall counts;
};

class PriceController final : public Checkpointed {
 public:
  PriceController(const PriceControllerOptions& options, std::unique_ptr<PriceLaw> law);
  ~PriceController() override;

  // Takes over a new set; goals that stay the same keep their state, others are seeded from
  // `delivered`. Publishes a table for the new set.
  void set_programs(std::shared_ptr<const ProgramSet> programs, const DeliveredReader& delivered,
                    Millis now);

  std::shared_ptr<const PriceTable> table() const { return published_.get(); }

  // Reserves all of an answer's insertions, or none. False: a cap would be passed, viewers' loss,
  // or the budget of new items; a table that says so is published before the return, so that
  // ranking again avoids it. Counts the request, the page's loss and `missed` only when it returns
  // true.
  [[nodiscard]] bool reserve(std::span<const Reservation> insertions, const PageLoss& page,
                             std::span<const MissedProgram> missed, Millis now);

  // Counts an answer of before a restart, read from the decision log, as outstanding again. Checks
  // no cap: those insertions are out there.
  void replay(std::span<const Reservation> insertions, Millis issued_at);

  // One unit arrived with a valid token that was issued at `issued_at`. ts is event time.
  void observe(uint32_t program, GoalUnit unit, Millis ts, Millis issued_at);
  // One unit was taken back: it was invalid traffic. Refunds take no order back
  // (docs/decisions.md).
  void withdraw(uint32_t program, GoalUnit unit, Millis ts);

  // Takes snapshots of requests, from any thread.
  Resolver& resolver() { return resolver_; }
  // Moves the prices towards those that are best on the snapshots, if that is due and there are
  // enough; call it as often as step(). The search runs outside the lock. True: published.
  bool resolve(Millis now);

  // Moves the prices if a step is due; call at least once per step of engine time. True: published.
  bool step(Millis now);

  std::vector<ProgramStatus> status(Millis now) const;
  // Viewers' loss / organic value over the loss window.
  double user_loss_ratio() const;

  // Keys "pr", so that a restart has no jump in prices, in flight or curves:
  //   "prv" := nu f64 | loss account 2 f64 | engine time i64      "prt" := the TrafficLearner
  //   "prn" := account of new items 2 f64    "prw" := the CountyWelfare      "prj", "prp":
  //   pacing_books.h
  // restore() before set_programs(). Until the first step() after it, decisions are replayed.
  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  struct State;
  void publish();  // Requires: mutex_ is held

  mutable std::mutex mutex_;
  std::unique_ptr<State> state_;  // guarded by mutex_
  Published<PriceTable> published_;
  Resolver resolver_;
};

}  // namespace shanhuo
