#include "serving/day_run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/json_writer.h"
#include "features/counties.h"
#include "streaming/codec.h"

namespace shanhuo {
namespace {

constexpr int64_t kMinuteMs = 60'000;
constexpr size_t kWindowMinutes = 10;
constexpr size_t kEventsOfCall = 5'000;
constexpr int64_t kTailMs = 1'800'000;  // what is seen so long after the deadline is sent, too
constexpr int64_t kTimeoutMs = 10'000;  // a page is never late here
constexpr int64_t kSeenMsMax = 900'000;

constexpr int kOrganic = 30;
constexpr double kFirstClick = 0.2, kNextClick = 0.94;  // P(click) of the organic list
constexpr double kSeeFirst = 0.83, kSeeNext = 0.96;     // P(seen) of a place
constexpr double kOrder = 0.1;                          // P(order | click)
constexpr double kSeenMinutes = 2, kOrderMinutes = 5;   // on average

}  // namespace

double DayResult::worst(const std::vector<double>& counties) {
  double sum = 0;
  for (const double exposures : counties) sum += exposures;
  if (sum <= 0) return 0;
  return *std::ranges::min_element(counties) / (sum / static_cast<double>(counties.size()));
}

DayRun::DayRun(const DayPlan& plan, const std::vector<DayProgram>& programs,
               std::function<void(double)> progress)
    : plan_(plan),
      programs_(programs),
      progress_(std::move(progress)),
      random_(hash_combine(plan.seed, 0x646179)),
      now_ms_(kDayBegin.count()),
      minute_ms_(now_ms_) {
  const auto counties = counties_832();
  for (int c = 0; c < plan.counties; ++c) {
    for (int k = 0; k < plan.goods; ++k) {
      const std::string id = good_id(counties[static_cast<size_t>(c)], k);
      const double draw = Random::unit_interval(hash64(id, plan.seed));
      goods_.emplace(id, Good{c, 0.01 + 0.02 * draw});
    }
  }
  result_.viewable.assign(static_cast<size_t>(plan.counties), 0);
  inserted_at_.resize(static_cast<size_t>(plan.counties));
  schedule_page();
}

// A Poisson process by thinning, as in simulation_lane.cc.
void DayRun::schedule_page() {
  const double mean_ms = static_cast<double>(kDay.count()) / plan_.pages;
  do {
    now_ms_ += static_cast<int64_t>(random_.exponential(mean_ms / kDayTrafficMax)) + 1;
  } while (now_ms_ < kDayEnd.count() &&
           !random_.chance(day_traffic(plan_, Millis(now_ms_)) / kDayTrafficMax));
}

Result<DayResult> DayRun::run(DayEngine& engine) {
  engine_ = &engine;
  Status done;
  while (done.ok()) {
    while (done.ok() && minute_ms_ + kMinuteMs <= std::min(now_ms_, kDayEnd.count())) {
      done = end_minute();
    }
    if (now_ms_ >= kDayEnd.count() || !done.ok()) break;
    done = take_page();
    schedule_page();
  }
  if (done.ok()) done = post_events(kDayEnd.count() + kTailMs);
  if (!done.ok()) return done.error();
  return finish();
}

void DayRun::write_request(uint32_t viewer) {
  request_id_ = "page-" + std::to_string(result_.pages);
  Random random(hash_combine(plan_.seed, result_.pages));
  const double worth = std::exp(0.3 * (random.uniform() + random.uniform() - 1));
  request_.clear();
  JsonWriter json(request_);
  json.begin_object();
  json.field("request_id", request_id_);
  json.field("user_id", "viewer-" + std::to_string(viewer));
  json.field("surface", "feed");
  json.field("count", kDayPlaces);
  json.field("now_ms", now_ms_);
  json.field("timeout_ms", kTimeoutMs);
  json.key("context");
  json.begin_object();
  json.field("city", day_city(viewer));
  json.end_object();
  json.key("candidates");
  json.begin_array();
  double p_click = kFirstClick * worth;
  for (int rank = 0; rank < kOrganic; ++rank, p_click *= kNextClick) {
    const size_t first = random.below(static_cast<size_t>(plan_.videos - kOrganic));
    json.begin_object();
    json.field("item_id", video_id((static_cast<int>(first) / kOrganic) * kOrganic + rank));
    json.field("score", std::round(p_click * 1e6) / 1e6);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

Status DayRun::take_page() {
  const auto viewer = static_cast<uint32_t>(random_.below(static_cast<size_t>(plan_.viewers)));
  write_request(viewer);
  const Result<std::string> answer = engine_->call("POST", "/v1/rank", request_);
  if (!answer.ok()) return answer.error();
  const Result<json::Value> body = document_.parse(answer.value());
  if (!body.ok()) return body.error();
  ++result_.pages;
  result_.degraded += body.value().find("degraded").size() > 0 ? 1 : 0;
  if (minute_pages_.empty()) minute_pages_.push_back(0);
  ++minute_pages_.back();
  int position = -1;
  for (const json::Value shown : body.value().find("items").elements()) {
    ++position;
    Boost boost;
    boost.position = position;
    for (const json::Value program : shown.find("programs").elements()) {
      std::string_view id;
      if (program.get(id)) boost.programs.emplace_back(id);
    }
    if (boost.programs.empty()) continue;
    std::string_view item, token;
    shown.find("item_id").get(item);
    shown.find("token").get(token);
    boost.item = item;
    boost.token = token;
    ++result_.inserted;
    react(viewer, boost);
    judge(viewer, boost);
  }
  return {};
}

// What the viewer does with it, sent when it is over.
void DayRun::react(uint32_t viewer, const Boost& boost) {
  const Good& good = goods_.find(boost.item)->second;
  const auto place = static_cast<size_t>(boost.position);
  const uint64_t page = hash_combine(plan_.seed, result_.pages);
  Random random(hash_combine(page, hash64(boost.item)));
  inserted_at_[static_cast<size_t>(good.county)][place] += 1;
  placed_[place] += 1;
  if (!random.chance(kSeeFirst * std::pow(kSeeNext, boost.position))) return;
  seen_[place] += 1;
  result_.viewable[static_cast<size_t>(good.county)] += 1;
  Interaction event;
  const std::string user = "viewer-" + std::to_string(viewer);
  event.user_id = user;
  event.item_id = boost.item;
  event.surface = Surface::kFeed;
  event.request_id = request_id_;
  event.position = boost.position;
  event.token = boost.token;
  const auto emit = [&](EventType type, int64_t at_ms) {
    event.type = type;
    const std::string id = request_id_ + ":" + std::to_string(boost.position) + ":" +
                           std::string(event_type_name(type));
    event.event_id = id;
    event.ts = Millis(at_ms);
    std::string line;
    JsonWriter json(line);
    write_event_json(json, event);
    pending_.emplace(at_ms, line + "\n");
  };
  const auto wait = [&](double minutes) {
    return static_cast<int64_t>(random.exponential(minutes * static_cast<double>(kMinuteMs)));
  };
  int64_t at_ms = now_ms_ + std::min(wait(kSeenMinutes), kSeenMsMax);
  event.viewable_ms = 2'000 + static_cast<int64_t>(random.below(3'000));
  emit(EventType::kImpression, at_ms);
  event.viewable_ms = -1;
  Random liking(hash_combine(hash64(boost.item, plan_.seed), viewer));
  const double likes = std::exp(0.8 * (liking.uniform() + liking.uniform() - 1));
  if (!random.chance(good.p_click * likes)) return;
  emit(EventType::kClick, at_ms += 4'000);
  if (!random.chance(kOrder)) return;
  const std::string order = request_id_ + ":" + std::to_string(boost.position);
  event.order_id = order;
  event.quantity = 1;
  event.amount_fen = 1'000;
  emit(EventType::kOrder, at_ms + std::min(wait(kOrderMinutes), kSeenMsMax));
}

// The slow twin of eligibility.h: counts what the viewer was shown before, window by window.
void DayRun::judge(uint32_t viewer, const Boost& boost) {
  std::vector<Shown>& shown = shown_[viewer];
  shown.push_back({now_ms_, boost.item, boost.programs});
  for (const DayCap& cap : kDayCaps) {
    if (count_shown(shown, cap, boost) > static_cast<uint64_t>(cap.max)) ++result_.caps_exceeded;
  }
}

// Of a cap per program: of the program with most.
uint64_t DayRun::count_shown(const std::vector<Shown>& shown, const DayCap& cap,
                             const Boost& boost) const {
  const std::string_view scope = cap.scope;
  const int county = goods_.find(boost.item)->second.county;
  const auto count = [&](const auto& same) {
    return static_cast<uint64_t>(std::ranges::count_if(shown, [&](const Shown& other) {
      return other.at_ms > now_ms_ - cap.window.count() && same(other);
    }));
  };
  if (scope == "all") return count([](const Shown&) { return true; });
  if (scope == "item") return count([&](const Shown& other) { return other.item == boost.item; });
  if (scope == "county") {
    return count(
        [&](const Shown& other) { return goods_.find(other.item)->second.county == county; });
  }
  uint64_t most = 0;
  for (const std::string& program : boost.programs) {
    most = std::max(most, count([&](const Shown& other) {
                      return std::ranges::count(other.programs, program) > 0;
                    }));
  }
  return most;
}

Status DayRun::end_minute() {
  minute_ms_ += kMinuteMs;
  const Status posted = post_events(minute_ms_);
  if (!posted.ok()) return posted;
  if (minute_pages_.size() > kWindowMinutes) minute_pages_.erase(minute_pages_.begin());
  uint64_t pages = 0;
  for (const uint64_t of_minute : minute_pages_) pages += of_minute;
  if (pages >= kLossWindowPages) {
    const Result<double> loss = engine_->user_loss_ratio();
    if (!loss.ok()) return loss.error();
    ++result_.windows;
    result_.loss_worst = std::max(result_.loss_worst, loss.value());
  }
  minute_pages_.push_back(0);
  progress_(static_cast<double>(minute_ms_ - kDayBegin.count()) /
            static_cast<double>(kDay.count()));
  return {};
}

Status DayRun::post_events(int64_t until_ms) {
  while (!pending_.empty() && pending_.begin()->first <= until_ms) {
    std::string lines;
    size_t count = 0;
    while (count < kEventsOfCall && !pending_.empty() && pending_.begin()->first <= until_ms) {
      lines += pending_.begin()->second;
      pending_.erase(pending_.begin());
      ++count;
    }
    const Result<std::string> posted =
        engine_->call("POST", "/v1/events", lines, "application/x-ndjson");
    if (!posted.ok()) return posted.error();
    result_.events += count;
  }
  return engine_->folded(result_.events);
}

Result<DayResult> DayRun::finish() {
  const Result<std::string> answer = engine_->call("GET", "/v1/programs");
  if (!answer.ok()) return answer.error();
  const Result<json::Value> body = document_.parse(answer.value());
  if (!body.ok()) return body.error();
  std::map<std::string, DayResult::Goal> by_id;
  for (const json::Value program : body.value().find("programs").elements()) {
    std::string_view id;
    program.find("id").get(id);
    for (const json::Value goal : program.find("goals").elements()) {
      DayResult::Goal& found = by_id[std::string(id)];
      goal.find("target").get(found.target);
      goal.find("delivered").get(found.delivered);
    }
  }
  for (const DayProgram& program : programs_) result_.goals.push_back(by_id[program.id]);
  for (const auto& at : inserted_at_) {
    double weighted = 0;
    for (size_t p = 0; p < at.size(); ++p) {
      weighted += placed_[p] > 0 ? at[p] * seen_[p] / placed_[p] : 0;
    }
    result_.weighted.push_back(weighted);
  }
  return std::move(result_);
}

}  // namespace shanhuo
