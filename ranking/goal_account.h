// The books of one goal of one program, used by price_controller.cc under its mutex: what was
// delivered in the present period, what is outstanding by minute of issue, how far the traffic of
// the period has come, and the price. Pure arithmetic over times passed in.
//
// In flight is what is still to be expected: of each open bucket, the expectation of its
// insertions, corrected by how expectations came true in buckets that have expired, less what was
// already seen. So delivered + in flight does not drift while views come in. What was seen and what
// was inserted may be told in any order: after a restart the checkpoint knows the one and the
// decision log the other.
//
// The aim lies a little above at_least, within the slack that at_most leaves, because the last
// views of a period are a matter of chance.
//
// A goal that is a share of a surface counts insertions: its own (state.delivered) of all those on
// the surface (surface_inserted()) while its program ran, in the present period.
//
// A goal of a day keeps what was seen on days that have not begun for the account: a viewer's clock
// may be ahead, and after a restart views are read again before the time that they came at is
// known.
//
// Progress is measured in requests that came, not in time: a step in which n came while R more are
// expected before the end moves it by n / (n + R) of what is left. An outage moves nothing, a burst
// as much as it is worth, and what the curve learns meanwhile cannot make it jump.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "ranking/prices.h"
#include "ranking/program.h"
#include "ranking/traffic.h"

namespace shanhuo {

class GoalAccount {
 public:
  struct Rules {
    Millis reservation;
    Millis finish_early;
    double finish_early_share = 0;
  };

  GoalAccount(const Program& program, const Goal& goal, const Rules& rules, Millis now);
  // Sets out in mid-period.
  void begin(const TrafficCurve& traffic, double delivered, double price, Millis now);

  // Takes the goal as it now stands in the program; price and outstanding stay. True: the period is
  // another one, and what was delivered in it must be told anew.
  bool update(const Program& program, const Goal& goal, Millis now);
  // Starts the period that holds `now` (a new day has delivered 0 and begins at the price that
  // yesterday ended this hour with), empties expired buckets. `keep_buckets`: not these, because
  // what they stand for is still being read from the decision log.
  void advance(Millis now, bool keep_buckets = false);

  // One insertion, of which `expected` units may come. `fresh`: the law has not seen it yet.
  void reserve(double expected, Millis now, bool fresh);
  void deliver(Millis ts, Millis issued_at, double units);

  // Moves the price by `law` after `requests` that came since the last step. stepped(): after the
  // law has settled with all goals.
  void step(const PriceLaw& law, const TrafficCurve& traffic, double requests, Millis now);
  void stepped(Millis now);

  // Share of the period's traffic that is over at `now`, scaled so that pacing ends early.
  double curve(const TrafficCurve& traffic, Millis now) const;
  // Whole insertions that the cap still allows; huge without a cap. Of a share: in an answer that
  // inserts nothing else.
  int64_t insertions_left() const { return insertions_left(1); }
  // Same, in an answer with `all` insertions on the goal's surface.
  int64_t insertions_left(int64_t all) const;
  // False once delivered + in flight meets the aim (state.target); of a share, while it holds.
  bool wants() const;

  // What is left of the aim, in expected units to insert.
  double remaining_expected() const {
    return (state.target - state.delivered - state.in_flight) / truth();
  }

  // Goals of shares: insertions on the surface, of which `named` name the program.
  void share_inserted(double all, double named);
  double surface_inserted() const { return surface_inserted_; }
  bool is_share() const { return goal_.share_of != Surface::kNone; }

  const Goal& goal() const { return goal_; }
  Millis period_start() const { return period_start_; }
  Millis period_end() const { return period_end_; }
  Millis pacing_end() const;  // when pacing aims to be done

  // value := price f64 | progress f64 | expired expected f64 | expired seen f64 | surface f64 |
  //          delivered f64 (of a share, else 0) | period start i64 | expired to i64 |
  //          prices by hour 24 f32 | { minute signed | seen varint }* |
  //          [ minimum of a signed | { day signed | units f64 }* ]
  std::string encode() const;
  // What was delivered comes from the totals, but for shares and days to come; progress only of
  // the same period.
  // Requires: after begin(). False: the bytes do not hold.
  bool decode(std::string_view in);

  GoalState state;

 private:
  struct Bucket {
    int64_t minute = 0;
    double expected = 0;
    int64_t count = 0;  // insertions
    int64_t seen = 0;   // units that arrived from them
    int64_t counted() const { return seen < count ? seen : count; }
  };
  Bucket& bucket(int64_t minute);
  bool open(int64_t minute) const;  // not expired
  double truth() const;             // how much of what was expected came true
  void expire(const Bucket& bucket);
  void estimate_in_flight();
  void step_share();
  Millis period_start_of(Millis now) const;
  void set_period(Millis now);
  bool decode_ahead(std::string_view in);
  double take_ahead();  // what was seen of the present period before it began

  Goal goal_;
  Millis start_, end_;  // of the program
  const Rules rules_;
  Millis period_start_, period_end_;
  double progress_ = 0;                             // of the period's traffic, as steps saw it
  double surface_inserted_ = 0;                     // shares: of the period
  double step_surface_ = 0, step_named_ = 0;        // shares: since the last step
  double open_expected_ = 0, open_seen_ = 0;        // sums over buckets_
  double expired_expected_ = 0, expired_seen_ = 0;  // decayed sums over expired ones
  std::array<float, kDayHours> hourly_price_;       // at the end of each hour; < 0: not yet
  Millis expired_to_{INT64_MIN};                    // buckets that ended by then are gone
  std::map<int64_t, double> ahead_;  // units by day, of days after the present period
  std::deque<Bucket> buckets_;       // ascending by minute; at most reservation / 1 min + 1
};

}  // namespace shanhuo
