// The member's thread polls the group and looks at its claim every 100 ms, and does everything that
// takes long: claiming, opening, giving up. Requests see its engine under a shared lock, or none.
// Tested by tests/kafka_members_test.py.
#include "serving/member.h"

#include <chrono>
#include <cstdio>
#include <utility>

#include "base/clock.h"

namespace shanhuo {
namespace {

constexpr int kPollMs = 100;
constexpr int64_t kJoinAgainNs = 1'000'000'000;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int kRefusalTimeoutMs = 5'000;

}  // namespace

struct Member::Led {
  StateClaim claim;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<HttpApi> api;  // dies first
};

Member::Member(const EngineOptions& options, MemberParts parts)
    : options_(options), parts_(std::move(parts)) {}
Member::~Member() { stop(); }

void Member::start(const std::string& address) {
  address_ = address;
  thread_ = std::thread([this] { run(); });
}

void Member::stop() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
}

void Member::run() {
  while (!stopping_.load()) turn();
  if (led_ != nullptr) give_up(End::kHandedOver);
  group_.reset();
}

void Member::turn() {
  if (!join()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
    return;
  }
  const KafkaGroup::Role role = group_->poll(kPollMs);
  if (led_ != nullptr) {
    watch(role);
    return;
  }
  look_around(role == KafkaGroup::Role::kUnknown ? group_->last_error() : "");
  if (role == KafkaGroup::Role::kLead) take_over();
}

bool Member::join() {
  if (group_ != nullptr) return true;
  if (monotonic_ns() < join_at_ns_) return false;
  auto joined = KafkaGroup::join(options_.kafka, parts_.clock->now());
  if (joined.ok()) {
    group_ = std::move(joined).value();
    return true;
  }
  fail(joined.error().message);
  return false;
}

void Member::take_over() {
  Result<StateClaim> claim = StateClaim::take(options_.data_dir);
  if (!claim.ok()) return fail(claim.error().message);
  say("claims " + claim.value().folder());
  look_around("");
  const Status opened = open(claim.value());
  if (opened.ok()) return;
  claim.value().give_back();
  fail(claim.value().folder() + ": " + opened.error().message);
}

Status Member::open(const StateClaim& claim) {
  const Status filled = claim.fill(address_);
  if (!filled.ok()) return filled;
  auto engine = parts_.open_engine(claim.folder(), claim.folder() + "/" + std::string(kCounterFile),
                                   [claim] { return claim.holds(); });
  if (!engine.ok()) return engine.error();
  engine.value()->metrics().read_member = [this] { return metric(); };
  auto api = std::make_unique<HttpApi>(*engine.value(), *parts_.access);
  tidied_ = false;
  epoch_.store(claim.epoch());
  led_count_.fetch_add(1);
  {
    const std::lock_guard lock(standing_mutex_);
    why_.clear();
  }
  {
    const std::lock_guard lock(led_mutex_);
    led_ = std::make_unique<Led>(Led{claim, std::move(engine).value(), std::move(api)});
  }
  // While it was opening somebody else may have been told to lead.
  if (claim.holds().ok()) looked_ns_.store(monotonic_ns());
  serving_.store(true);
  say("leads with " + claim.folder());
  return {};
}

void Member::watch(KafkaGroup::Role role) {
  const Status held = led_->claim.holds();
  if (held.ok()) {
    looked_ns_.store(monotonic_ns());
  } else if (held.error().code == ErrorCode::kConflict) {
    return give_up(End::kFenced);
  }
  if (role == KafkaGroup::Role::kStandBy) return give_up(End::kHandedOver);
  if (tidied_ || led_->engine->pipeline().stats().checkpoints == 0) return;
  led_->claim.remove_older();
  tidied_ = true;
}

// Requires: it leads. Nobody is in a handler of the engine when it ends; what its log has yet to
// answer is answered before it is gone.
void Member::give_up(End end) {
  serving_.store(false);
  std::unique_ptr<Led> led;
  {
    const std::lock_guard lock(led_mutex_);
    led = std::move(led_);
  }
  const std::string folder = led->claim.folder();
  if (end == End::kFenced) {
    fenced_.fetch_add(1);
    say(folder + " is led by somebody newer");
    // The fold learns of it as it would by itself: its next checkpoint is refused, which ends it.
    static_cast<void>(led->engine->pipeline().checkpoint_now(kRefusalTimeoutMs));
    led->engine->drop();
  } else {
    say("gives " + folder + " up");
    led->engine->stop();
  }
  const PipelineStats stats = led->engine->pipeline().stats();
  if (stats.fenced) {
    writes_refused_.fetch_add(1);
    say("checkpoint refused: " + stats.failure);
  }
  led->api.reset();
  led->engine.reset();
  say("stands by");
  if (end == End::kFenced) group_.reset();  // to come back as the youngest
}

bool Member::fresh() const {
  return monotonic_ns() - looked_ns_.load() < options_.kafka.session_timeout_ms * kNsPerMs / 2;
}

void Member::handle(HttpRequest&& request, Responder respond) {
  if (serving_.load() && fresh()) {
    const std::shared_lock lock(led_mutex_);
    if (led_ != nullptr) {
      led_->api->handle(std::move(request), std::move(respond));
      return;
    }
  }
  stand_by(request, respond);
}

void Member::with_engine(const std::function<void(Engine&)>& use) {
  if (!serving_.load()) return;
  const std::shared_lock lock(led_mutex_);
  if (led_ != nullptr) use(*led_->engine);
}

MemberMetric Member::metric() const {
  return {serving_.load() && fresh(), epoch_.load(), led_count_.load(), fenced_.load(),
          writes_refused_.load()};
}

void Member::stand_by(const HttpRequest& request, const Responder& respond) {
  Principal principal;
  const bool open = request.path == "/healthz" || request.path == "/readyz";
  const RouteClass route = open ? RouteClass::kOpen : RouteClass::kOperate;
  if (open || request.path == "/metrics") {
    if (auto refused = parts_.access->admit(request, route, principal)) {
      respond(std::move(*refused));
      return;
    }
  }
  HttpResponse answer;
  answer.content_type = "text/plain; charset=utf-8";
  if (request.path == "/healthz") {
    answer.body = "ok\n";
  } else if (request.path == "/readyz") {
    answer.status = 503;
    answer.body = standing() + "\n";
  } else if (request.path == "/metrics") {
    answer.content_type = kMetricsContentType;
    answer.body = Metrics::render(metric());
  } else {
    answer = problem(503, "", standing()).with("retry-after", "1");
  }
  respond(std::move(answer));
}

std::string Member::standing() const {
  const std::lock_guard lock(standing_mutex_);
  return "standing by; " + (why_.empty() ? leader_ : "could not lead: " + why_);
}

// Who leads, for standing(); and what keeps this one from joining.
void Member::look_around(const std::string& trouble) {
  const Result<NewestClaim> newest = newest_claim(options_.data_dir);
  std::string leader = "nobody leads yet";
  if (!newest.ok()) {
    leader = newest.error().message;
  } else if (newest.value().epoch > 0) {
    leader = newest.value().leader.empty() ? "somebody is taking over"
                                           : newest.value().leader + " leads";
    leader += " (epoch " + std::to_string(newest.value().epoch) + ")";
  }
  if (!trouble.empty()) leader += "; cannot join the group yet: " + trouble;
  const std::lock_guard lock(standing_mutex_);
  leader_ = std::move(leader);
}

void Member::fail(const std::string& why) {
  {
    const std::lock_guard lock(standing_mutex_);
    if (why_ != why) say("cannot lead: " + why);
    why_ = why;
  }
  group_.reset();
  join_at_ns_ = monotonic_ns() + kJoinAgainNs;
}

void Member::say(const std::string& what) const {
  std::fprintf(stderr, "member %s: %s\n", address_.c_str(), what.c_str());
}

}  // namespace shanhuo
