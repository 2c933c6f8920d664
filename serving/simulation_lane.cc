#include "serving/simulation_lane.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

// How old the oldest event of a batch may become, in simulated time, before the batch is sent.
constexpr int64_t kBatchAgeWallMs = 1'000;
constexpr int64_t kBatchAgeCallerMs = 30'000;
// A lane that has fallen behind real time by more lets arrivals go instead of queueing them.
constexpr int64_t kBehindMaxMs = 5'000;
// What happens later than this after the end (refunds) is not sent.
constexpr int64_t kTailMs = 600'000;
constexpr double kTrafficMax = 2.1;
// How long a page takes, about. Visits that are under way when real time begins.
constexpr double kPageSeconds = 45;

std::string request_prefix(const SimulationOptions& options, int64_t begin_ms) {
  return "sim" + std::to_string(options.seed) + "-" + std::to_string(begin_ms / 1000);
}

int64_t wall_ms() { return WallClock().now().count(); }

}  // namespace

void LaneBoard::reach(size_t lane, int64_t time_ms) {
  std::unique_lock lock(mutex_);
  reached_ms_[lane] = time_ms;
  if (reached_ms_.size() == 1) return;
  moved_.notify_all();
  if (time_ms == INT64_MAX) return;
  moved_.wait(lock, [&] { return stopped() || time_ms - kLaneSlackMs <= slowest(); });
}

int64_t LaneBoard::slowest() const { return *std::ranges::min_element(reached_ms_); }

void LaneBoard::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  moved_.notify_all();
}

SimulationLane::SimulationLane(const SimulatedWorld& world, const SimulationOptions& options,
                               int64_t begin_ms, int lane, ApiClient client, LaneBoard& board)
    : options_(options),
      begin_ms_(begin_ms),
      end_ms_(options.duration.count() == 0 ? INT64_MAX : begin_ms + options.duration.count()),
      lane_(lane),
      board_(board),
      client_(std::move(client)),
      viewers_(world, options.seed, options.viewers, lane, options.connections,
               request_prefix(options, begin_ms)),
      random_(hash_combine(options.seed, static_cast<uint64_t>(lane))),
      now_ms_(begin_ms),
      arrival_ms_(begin_ms) {
  schedule_arrival();
  if (!options.caller_clock) begin_amid_visits();
}

// Otherwise the first minutes of real time would be almost without pages.
void SimulationLane::begin_amid_visits() {
  const double under_way = options_.pages_per_s * kPageSeconds / options_.connections;
  for (int i = 0; i < static_cast<int>(under_way); ++i) {
    const auto at_ms = static_cast<int64_t>(random_.uniform() * kPageSeconds * 1000);
    visits_.emplace(begin_ms_ + at_ms, viewers_.begin_visit(random_));
  }
}

// Visits are a Poisson process whose rate follows the traffic curve: thinning (Lewis and Shedler
// 1979) of one at the curve's maximum.
void SimulationLane::schedule_arrival() {
  const double visits_per_ms =
      options_.pages_per_s / SimulatedViewers::pages_of_visit_mean() / options_.connections / 1000;
  const double peak = options_.caller_clock ? kTrafficMax : 1;
  double at = static_cast<double>(arrival_ms_);
  do {
    at += random_.exponential(1 / (visits_per_ms * peak));
  } while (options_.caller_clock && at < static_cast<double>(end_ms_) &&
           !random_.chance(traffic_at(Millis(static_cast<int64_t>(at))) / kTrafficMax));
  arrival_ms_ = static_cast<int64_t>(at);
}

Status SimulationLane::run() {
  Status done;
  while (done.ok() && !board_.stopped() && !interrupted()) {
    const int64_t next = next_ms();
    if (next >= end_ms_) break;
    if (advance_to(next)) done = step();
  }
  if (done.ok() && !board_.stopped()) done = drain();
  if (!done.ok()) board_.stop();
  board_.leave(static_cast<size_t>(lane_));
  summary_.retries = client_.retries();
  return done;
}

// When there is something to do: somebody arrives, asks for a page, or events are due.
int64_t SimulationLane::next_ms() const {
  int64_t next = arrival_ms_;
  if (!visits_.empty()) next = std::min(next, visits_.begin()->first);
  const int64_t age = options_.caller_clock ? kBatchAgeCallerMs : kBatchAgeWallMs;
  if (batch_events_ > 0) {
    next = std::min(next, batch_since_ms_ + age);
  } else if (!pending_.empty()) {
    next = std::min(next, pending_.begin()->first + age);
  }
  return std::max(next, now_ms_);
}

// False: it is not that late yet (a slice of real time was slept), or the lane was stopped.
bool SimulationLane::advance_to(int64_t time_ms) {
  if (options_.caller_clock) {
    board_.reach(static_cast<size_t>(lane_), time_ms);
    if (board_.stopped()) return false;
    now_ms_ = time_ms;
  } else {
    const int64_t wall = wall_ms();
    if (wall < time_ms) {
      sleep_unless_interrupted(Millis(std::min<int64_t>(time_ms - wall, 200)));
      return false;
    }
    now_ms_ = wall;
  }
  if (lane_ == 0) board_.time_ms = now_ms_;
  return true;
}

Status SimulationLane::step() {
  const Status sent = send_due_events();
  if (!sent.ok()) return sent;
  if (arrival_ms_ <= now_ms_) {
    visits_.emplace(now_ms_, viewers_.begin_visit(random_));
    if (!options_.caller_clock) arrival_ms_ = std::max(arrival_ms_, now_ms_ - kBehindMaxMs);
    schedule_arrival();
  }
  if (visits_.empty() || visits_.begin()->first > now_ms_) return {};
  const Visit visit = visits_.begin()->second;
  visits_.erase(visits_.begin());
  return take_page(visit);
}

Status SimulationLane::take_page(Visit visit) {
  viewers_.write_request(visit, Millis(now_ms_), options_.caller_clock, request_);
  const int64_t asked_ns = monotonic_ns();
  const Result<std::string> answer =
      client_.call_patiently("POST", "/v1/rank", request_, kJsonType, options_.patience);
  if (!answer.ok()) return answer.error().within("POST /v1/rank");
  summary_.rank.add_ns(monotonic_ns() - asked_ns);
  const Result<json::Value> body = document_.parse(answer.value());
  if (!body.ok()) return body.error().within("the engine's answer to /v1/rank");
  const Result<PageOutcome> seen = viewers_.react(body.value(), Millis(now_ms_), pending_);
  if (!seen.ok()) return seen.error();
  const PageOutcome& outcome = seen.value();
  ++summary_.pages;
  board_.pages.fetch_add(1, std::memory_order_relaxed);
  summary_.inserted += outcome.inserted;
  summary_.unknown_items += outcome.unknown_items;
  summary_.orders += outcome.orders;
  summary_.organic_value += outcome.organic_value;
  summary_.value += outcome.value;
  for (const std::string& program : outcome.programs) {
    summary_.programs[program].organic_value += outcome.organic_value;
    summary_.programs[program].value += outcome.value;
  }
  if (std::exchange(visit.opening, false)) ++visit.pages_left;
  if (--visit.pages_left > 0) visits_.emplace(outcome.left_ms + 1'000, visit);
  return {};
}

Status SimulationLane::send_due_events() {
  while (!pending_.empty() && pending_.begin()->first <= now_ms_) {
    if (batch_events_ == 0) batch_since_ms_ = pending_.begin()->first;
    batch_ += pending_.begin()->second;
    ++batch_events_;
    pending_.erase(pending_.begin());
    if (batch_events_ < options_.batch_events) continue;
    const Status posted = post();
    if (!posted.ok()) return posted;
  }
  const int64_t age = options_.caller_clock ? kBatchAgeCallerMs : kBatchAgeWallMs;
  if (batch_events_ > 0 && batch_since_ms_ + age <= now_ms_) return post();
  return {};
}

Status SimulationLane::post() {
  const Result<std::string> answer =
      client_.call_patiently("POST", "/v1/events", batch_, kNdjsonType, options_.patience);
  if (!answer.ok()) return answer.error().within("POST /v1/events");
  const Result<json::Value> body = document_.parse(answer.value());
  uint64_t accepted = 0;
  if (!body.ok() || !body.value().find("accepted").get(accepted)) {
    return Error{ErrorCode::kInvalid, "the engine's answer to /v1/events has no 'accepted'"};
  }
  summary_.events += batch_events_;
  summary_.accepted += accepted;
  for (const json::Value rejected : body.value().find("rejected").elements()) {
    std::string_view reason;
    rejected.find("reason").get(reason);
    ++summary_.rejected;
    ++summary_.reasons[std::string(reason)];
  }
  batch_.clear();
  batch_events_ = 0;
  return {};
}

// What has happened by now is sent; with the caller's clock also what is still going on at the end.
Status SimulationLane::drain() {
  if (options_.caller_clock && !interrupted()) now_ms_ = end_ms_ + kTailMs;
  Status sent = send_due_events();
  if (sent.ok() && batch_events_ > 0) sent = post();
  return sent;
}

}  // namespace shanhuo
