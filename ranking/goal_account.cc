#include "ranking/goal_account.h"

#include <algorithm>
#include <cmath>

namespace shanhuo {
namespace {

constexpr int64_t kUtc8Ms = 8 * 3'600'000;
constexpr int64_t kNoCap = 1'000'000;
constexpr double kAimShare = 0.004, kAimUnits = 2;  // above at_least, and at most half the slack
constexpr double kPriorUnits = 20;    // expectations count as true until so many were checked
constexpr double kForgetUnits = 500;  // memory of the correction, in expected units

double aim_of(const Goal& goal) {
  if (goal.at_least <= 0) return 0;
  const double margin = std::max(kAimUnits, kAimShare * goal.at_least);
  const double slack = goal.at_most > 0 ? (goal.at_most - goal.at_least) / 2 : margin;
  return goal.at_least + std::min(margin, std::floor(slack));
}

}  // namespace

TrafficCurve::TrafficCurve(const std::array<double, 24>& hourly) {
  double sum = 0;
  for (const double weight : hourly) sum += weight;
  for (int h = 0; h < 24; ++h) {
    cumulative_[h + 1] = cumulative_[h] + (sum > 0 ? hourly[h] / sum : 1.0 / 24);
  }
}

double TrafficCurve::until(Millis t) const {
  const Millis local = t + Millis(kUtc8Ms);
  const int64_t day = window_of(local, kDay);
  const int64_t in_day = local.count() - day * kDay.count();
  const int64_t hour = in_day / kHour.count();
  const double part = static_cast<double>(in_day % kHour.count()) / 3'600'000.0;
  return static_cast<double>(day) + cumulative_[hour] +
         part * (cumulative_[hour + 1] - cumulative_[hour]);
}

double TrafficCurve::between(Millis from, Millis to) const { return until(to) - until(from); }

Millis day_start(Millis t) {
  return Millis(window_of(t + Millis(kUtc8Ms), kDay) * kDay.count() - kUtc8Ms);
}

GoalAccount::GoalAccount(const Program& program, const Goal& goal, const Rules& rules)
    : rules_(rules) {
  update(program, goal);
  set_period(program.start);
}

void GoalAccount::update(const Program& program, const Goal& goal) {
  goal_ = goal;
  start_ = program.start;
  end_ = program.end;
  state.target = goal.share_of == Surface::kNone ? aim_of(goal) : goal.at_least;
  state.cap = goal.at_most;
  state.missed_value_fen = goal.missed_value_fen;
  state.price = std::min(state.price, goal.missed_value_fen);
  if (goal_.per == GoalPeriod::kTotal) {
    period_start_ = start_;
    period_end_ = end_;
  }
}

void GoalAccount::set_period(Millis now) {
  period_start_ = start_;
  period_end_ = end_;
  if (goal_.per == GoalPeriod::kTotal) return;
  const Millis today = day_start(now);
  period_start_ = std::max(start_, today);
  period_end_ = std::min(end_, today + kDay);
}

void GoalAccount::expire(const Bucket& bucket) {
  const double keep = std::exp(-bucket.expected / kForgetUnits);
  expired_expected_ = keep * expired_expected_ + bucket.expected;
  expired_seen_ = keep * expired_seen_ + static_cast<double>(bucket.seen);
  open_expected_ -= bucket.expected;
  open_seen_ -= static_cast<double>(bucket.seen);
  state.outstanding -= bucket.count - bucket.seen;
}

double GoalAccount::truth() const {
  return (expired_seen_ + kPriorUnits) / (expired_expected_ + kPriorUnits);
}

void GoalAccount::estimate_in_flight() {
  state.in_flight = std::clamp(truth() * open_expected_ - open_seen_, 0.0,
                               static_cast<double>(state.outstanding));
}

void GoalAccount::advance(Millis now) {
  bool expired = false;
  while (!buckets_.empty() &&
         Millis(buckets_.front().minute * kMinute.count()) + rules_.reservation <= now) {
    expire(buckets_.front());
    buckets_.pop_front();
    expired = true;
  }
  if (expired) estimate_in_flight();
  if (goal_.per == GoalPeriod::kDay && day_start(now) > day_start(period_start_)) {
    set_period(now);
    state.delivered = 0;
    curve_before = 0;
  }
}

void GoalAccount::reserve(double expected, Millis now, bool fresh) {
  if (fresh) state.inserted_expected += truth() * expected;
  const int64_t minute = window_of(now, kMinute);
  auto at = std::lower_bound(buckets_.begin(), buckets_.end(), minute,
                             [](const Bucket& bucket, int64_t m) { return bucket.minute < m; });
  if (at == buckets_.end() || at->minute != minute) at = buckets_.insert(at, {minute, 0, 0, 0});
  at->expected += expected;
  at->count += 1;
  open_expected_ += expected;
  state.outstanding += 1;
  estimate_in_flight();
}

void GoalAccount::deliver(Millis ts, Millis issued_at, double units) {
  const bool whole_span = goal_.per == GoalPeriod::kTotal;
  if (whole_span || (period_start_ <= ts && ts < period_end_)) {
    state.delivered = std::max(0.0, state.delivered + units);
  }
  if (units < 0) return;
  const int64_t minute = window_of(issued_at, kMinute);
  const auto at =
      std::lower_bound(buckets_.begin(), buckets_.end(), minute,
                       [](const Bucket& bucket, int64_t m) { return bucket.minute < m; });
  if (at == buckets_.end() || at->minute != minute || at->seen == at->count) return;
  at->seen += 1;
  open_seen_ += 1;
  state.outstanding -= 1;
  estimate_in_flight();
}

double GoalAccount::curve(const TrafficCurve& traffic, Millis now) const {
  const Millis span = period_end_ - period_start_;
  const auto most =
      static_cast<int64_t>(static_cast<double>(span.count()) * rules_.finish_early_share);
  const Millis end = period_end_ - std::min(rules_.finish_early, Millis(most));
  if (now <= period_start_) return 0;
  if (now >= end) return 1;
  const double whole = traffic.between(period_start_, end);
  return whole > 0 ? std::clamp(traffic.between(period_start_, now) / whole, 0.0, 1.0) : 1;
}

int64_t GoalAccount::insertions_left() const {
  if (state.cap <= 0) return kNoCap;
  double open = static_cast<double>(state.outstanding);
  if (goal_.unit != GoalUnit::kViewable) {
    open = state.in_flight + 3 * std::sqrt(std::max(0.0, state.in_flight));
    return state.delivered + open + 1 <= state.cap ? kNoCap : 0;
  }
  const double left = std::floor(state.cap - state.delivered - open);
  return std::clamp(static_cast<int64_t>(left), int64_t{0}, kNoCap);
}

}  // namespace shanhuo
