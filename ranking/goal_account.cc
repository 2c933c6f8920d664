#include "ranking/goal_account.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "features/counts.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr int64_t kNoCap = 1'000'000;
constexpr double kAimShare = 0.004, kAimUnits = 2;  // above at_least, and at most half the slack
constexpr double kPriorViews = 20;     // expectations count as true until so many were checked;
constexpr double kPriorActions = 1;    // clicks and orders are guessed, and by a factor off
constexpr double kForgetUnits = 500;   // memory of the correction, in expected units
constexpr double kShareStep = 0.3;     // how far a share's price moves, of its range, ...
constexpr double kShareHorizon = 100;  // ... while so many insertions have none of its own
constexpr int64_t kAheadFollows = std::numeric_limits<int64_t>::min();  // in the bytes

double aim_of(const Goal& goal) {
  if (goal.at_least <= 0) return 0;
  const double margin = std::max(kAimUnits, kAimShare * goal.at_least);
  const double slack = goal.at_most > 0 ? (goal.at_most - goal.at_least) / 2 : margin;
  return goal.at_least + std::min(margin, std::floor(slack));
}

// The day that holds `now`; once the program has ended, its last one.
Millis day_of_program(Millis now, Millis end) { return day_start(std::min(now, end - Millis(1))); }

}  // namespace

GoalAccount::GoalAccount(const Program& program, const Goal& goal, const Rules& rules, Millis now)
    : rules_(rules) {
  hourly_price_.fill(-1);
  update(program, goal, now);
}

void GoalAccount::begin(const TrafficCurve& traffic, double delivered, double price, Millis now) {
  state.delivered = delivered;
  state.price = std::min(price, state.missed_value_fen);
  progress_ = state.curve_now = curve(traffic, now);
}

bool GoalAccount::update(const Program& program, const Goal& goal, Millis now) {
  const Millis start = period_start_, end = period_end_;
  goal_ = goal;
  start_ = program.start;
  end_ = program.end;
  state.target = is_share() ? goal.at_least : aim_of(goal);
  state.cap = goal.at_most;
  state.missed_value_fen = goal.missed_value_fen;
  state.price = std::min(state.price, goal.missed_value_fen);
  set_period(now);
  const bool another = start != period_start_ || end != period_end_;
  if (another) take_ahead();  // it is among what is told
  return another;
}

double GoalAccount::take_ahead() {
  const int64_t day = day_of(period_start_);
  const auto found = ahead_.find(day);
  const double units = found == ahead_.end() ? 0 : std::max(0.0, found->second);
  ahead_.erase(ahead_.begin(), ahead_.upper_bound(day));
  return units;
}

Millis GoalAccount::period_start_of(Millis now) const {
  return goal_.per == GoalPeriod::kTotal ? start_ : std::max(start_, day_of_program(now, end_));
}

void GoalAccount::set_period(Millis now) {
  period_start_ = period_start_of(now);
  period_end_ =
      goal_.per == GoalPeriod::kTotal ? end_ : std::min(end_, day_of_program(now, end_) + kDay);
}

GoalAccount::Bucket& GoalAccount::bucket(int64_t minute) {
  auto at = std::lower_bound(buckets_.begin(), buckets_.end(), minute,
                             [](const Bucket& bucket, int64_t m) { return bucket.minute < m; });
  if (at == buckets_.end() || at->minute != minute) at = buckets_.insert(at, {minute, 0, 0, 0});
  return *at;
}

void GoalAccount::expire(const Bucket& bucket) {
  const double keep = std::exp(-bucket.expected / kForgetUnits);
  expired_expected_ = keep * expired_expected_ + bucket.expected;
  expired_seen_ = keep * expired_seen_ + static_cast<double>(bucket.counted());
  open_expected_ -= bucket.expected;
  open_seen_ -= static_cast<double>(bucket.counted());
  state.outstanding -= bucket.count - bucket.counted();
}

double GoalAccount::truth() const {
  const double prior = goal_.unit == GoalUnit::kViewable ? kPriorViews : kPriorActions;
  return (expired_seen_ + prior) / (expired_expected_ + prior);
}

void GoalAccount::estimate_in_flight() {
  state.in_flight = std::clamp(truth() * open_expected_ - open_seen_, 0.0,
                               static_cast<double>(state.outstanding));
}

bool GoalAccount::open(int64_t minute) const {
  return Millis(minute * kMinute.count()) + rules_.reservation > expired_to_;
}

void GoalAccount::advance(Millis now, bool keep_buckets) {
  bool expired = false;
  if (!keep_buckets) expired_to_ = std::max(expired_to_, now);
  while (!buckets_.empty() && !open(buckets_.front().minute)) {
    expire(buckets_.front());
    buckets_.pop_front();
    expired = true;
  }
  if (expired) estimate_in_flight();
  if (goal_.per != GoalPeriod::kDay || day_of_program(now, end_) <= day_start(period_start_)) {
    return;
  }
  set_period(now);
  progress_ = 0;
  surface_inserted_ = 0;
  state.delivered = take_ahead();
  const float yesterday = hourly_price_[day_hour(now)];
  if (yesterday > 0) state.price = std::min<double>(yesterday, state.missed_value_fen);
}

void GoalAccount::reserve(double expected, Millis now, bool fresh) {
  if (fresh) state.inserted_expected += truth() * expected;
  const int64_t minute = window_of(now, kMinute);
  if (!open(minute)) return;
  Bucket& at = bucket(minute);
  open_seen_ -= static_cast<double>(at.counted());
  state.outstanding -= at.count - at.counted();
  at.expected += expected;
  at.count += 1;
  open_expected_ += expected;
  open_seen_ += static_cast<double>(at.counted());
  state.outstanding += at.count - at.counted();
  estimate_in_flight();
}

void GoalAccount::deliver(Millis ts, Millis issued_at, double units) {
  const bool whole_span = goal_.per == GoalPeriod::kTotal;
  if (whole_span || (period_start_ <= ts && ts < period_end_)) {
    state.delivered = std::max(0.0, state.delivered + units);
  } else if (period_end_ <= ts && ts < end_) {
    ahead_[day_of(ts)] += units;
  }
  const int64_t minute = window_of(issued_at, kMinute);
  if (units < 0 || !open(minute)) return;
  Bucket& at = bucket(minute);
  at.seen += 1;
  if (at.seen > at.count) return;
  open_seen_ += 1;
  state.outstanding -= 1;
  estimate_in_flight();
}

void GoalAccount::share_inserted(double all, double named) {
  surface_inserted_ += all;
  step_surface_ += all;
  state.delivered += named;
  step_named_ += named;
}

// What is due of the insertions since the last step: the share, and part of what is missing so far.
void GoalAccount::step_share() {
  const double missing = state.target * surface_inserted_ - state.delivered;
  const double catch_up = missing * step_surface_ / (step_surface_ + kShareHorizon);
  const double due = std::clamp(state.target * step_surface_ + catch_up, 0.0, step_surface_);
  const double scale = std::max(1.0, state.target * kShareHorizon);
  const double move = std::clamp(kShareStep * (due - step_named_) / scale, -1.0, 1.0);
  state.price =
      std::clamp(state.price + move * state.missed_value_fen, 0.0, state.missed_value_fen);
  step_surface_ = step_named_ = 0;
}

void GoalAccount::step(const PriceLaw& law, const TrafficCurve& traffic, double requests,
                       Millis now) {
  advance(now);
  if (is_share()) {
    step_share();
  } else if (requests > 0) {
    const double rest = traffic.between(now, pacing_end());
    const double before = progress_;
    progress_ += (1 - before) * requests / (requests + rest);
    state.curve_now = progress_;
    state.requests_left = rest;
    law.step(state, before);
  }
}

void GoalAccount::stepped(Millis now) {
  state.inserted_expected = 0;
  hourly_price_[day_hour(now)] = static_cast<float>(state.price);
}

Millis GoalAccount::pacing_end() const {
  const Millis span = period_end_ - period_start_;
  const auto most =
      static_cast<int64_t>(static_cast<double>(span.count()) * rules_.finish_early_share);
  return period_end_ - std::min(rules_.finish_early, Millis(most));
}

double GoalAccount::curve(const TrafficCurve& traffic, Millis now) const {
  const Millis end = pacing_end();
  if (now <= period_start_) return 0;
  if (now >= end) return 1;
  const double whole = traffic.between(period_start_, end);
  return whole > 0 ? std::clamp(traffic.between(period_start_, now) / whole, 0.0, 1.0) : 1;
}

bool GoalAccount::wants() const {
  return is_share() ? state.target > 0 : state.delivered + state.in_flight < state.target;
}

int64_t GoalAccount::insertions_left(int64_t all) const {
  if (state.cap <= 0) return kNoCap;
  const auto whole = [](double left) {
    return static_cast<int64_t>(std::clamp(std::floor(left), 0.0, static_cast<double>(kNoCap)));
  };
  if (is_share()) {
    const double surface = surface_inserted_ + static_cast<double>(all);
    return whole(state.cap * surface + 1 - state.delivered);
  }
  if (goal_.unit == GoalUnit::kViewable) {
    return whole(state.cap - state.delivered - static_cast<double>(state.outstanding));
  }
  const double open = state.in_flight + 3 * std::sqrt(std::max(0.0, state.in_flight));
  return state.delivered + open + 1 <= state.cap ? kNoCap : 0;
}

std::string GoalAccount::encode() const {
  std::string out;
  for (const double value : {state.price, progress_, expired_expected_, expired_seen_,
                             surface_inserted_, is_share() ? state.delivered : 0}) {
    put_fixed(&out, value);
  }
  put_fixed(&out, period_start_.count());
  put_fixed(&out, expired_to_.count());
  for (const float price : hourly_price_) put_fixed(&out, price);
  for (const Bucket& bucket : buckets_) {
    if (bucket.seen == 0) continue;
    put_signed(&out, bucket.minute);
    put_varint(&out, static_cast<uint64_t>(bucket.seen));
  }
  if (!ahead_.empty()) put_signed(&out, kAheadFollows);
  for (const auto& [day, units] : ahead_) {
    put_signed(&out, day);
    put_fixed(&out, units);
  }
  return out;
}

// Of another period only what outlives periods is taken over.
bool GoalAccount::decode(std::string_view in) {
  std::array<double, 6> values{};
  int64_t period = 0, expired_to = 0;
  bool good = true;
  for (double& value : values) good = good && take_fixed(&in, &value) && std::isfinite(value);
  good = good && take_fixed(&in, &period) && take_fixed(&in, &expired_to);
  for (float& price : hourly_price_) {
    good = good && take_fixed(&in, &price) && std::isfinite(price);
  }
  if (!good) return false;
  state.price = std::min(values[0], state.missed_value_fen);
  expired_expected_ = std::max(0.0, values[2]);
  expired_seen_ = std::max(0.0, values[3]);
  expired_to_ = Millis(expired_to);
  if (period == period_start_.count()) {
    progress_ = state.curve_now = std::clamp(values[1], 0.0, 1.0);
    surface_inserted_ = values[4];
    if (is_share()) state.delivered = values[5];
  }
  while (!in.empty()) {
    int64_t minute = 0;
    uint64_t seen = 0;
    if (!take_signed(&in, &minute)) return false;
    if (minute == kAheadFollows) return decode_ahead(in);
    if (!take_varint(&in, &seen) || seen > INT32_MAX) return false;
    bucket(minute).seen = static_cast<int64_t>(seen);
  }
  return true;
}

bool GoalAccount::decode_ahead(std::string_view in) {
  while (!in.empty()) {
    int64_t day = 0;
    double units = 0;
    if (!take_signed(&in, &day) || !take_fixed(&in, &units) || !std::isfinite(units)) return false;
    if (period_end_ <= start_of_day(day)) ahead_[day] = units;
  }
  return true;
}

}  // namespace shanhuo
