#include "serving/day_engine.h"

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "base/durable_file.h"
#include "configs/program_store.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::microseconds kLook{200};
constexpr int64_t kPatienceNs = 60'000'000'000;
constexpr size_t kItemsOfCall = 2'000;

class Waiting final : public ResponseSink {
 public:
  void respond(HttpResponse&& response) override {
    const std::lock_guard lock(mutex_);
    if (response_) return;
    response_ = std::move(response);
    there_.notify_all();
  }
  HttpResponse wait() {
    std::unique_lock lock(mutex_);
    there_.wait(lock, [this] { return response_.has_value(); });
    return std::move(*response_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable there_;
  std::optional<HttpResponse> response_;  // guarded by mutex_
};

}  // namespace

Result<std::unique_ptr<DayEngine>> DayEngine::open(
    EngineOptions options, const std::vector<std::pair<std::string, std::string>>& programs,
    const std::string& catalogue) {
  Result<TempFolder> folder = TempFolder::make("shanhuo-day");
  if (!folder.ok()) return folder.error();
  std::unique_ptr<DayEngine> day(new DayEngine(std::move(folder).value()));
  const std::string& at = day->folder_.path();
  std::error_code error;
  fs::create_directories(at + "/programs", error);
  for (const auto& [name, yaml] : programs) {
    const std::string path = std::string(at).append("/programs/").append(name);
    const Status written = replace_file(path, yaml);
    if (!written.ok()) return written.error();
  }
  options.data_dir = at + "/data";
  auto access = Access::open({}, day->clock_);
  if (!access.ok()) return access.error();
  day->access_ = std::move(access).value();
  if (const Status first = day->start(options); !first.ok()) return first.error();
  if (const Status put = day->put_items(catalogue); !put.ok()) return put.error();
  day->api_.reset();
  day->engine_->stop();
  day->engine_.reset();
  if (const Status again = day->start(options); !again.ok()) return again.error();
  return day;
}

Status DayEngine::start(const EngineOptions& options) {
  auto engine = Engine::open(options, folder_.path(), clock_);
  if (!engine.ok()) return engine.error();
  engine_ = std::move(engine).value();
  api_ = std::make_unique<HttpApi>(*engine_, *access_);
  const int64_t began = monotonic_ns();
  Result<std::string> ready = call("GET", "/readyz");
  while (!ready.ok() && monotonic_ns() - began < kPatienceNs) {
    std::this_thread::sleep_for(kLook);
    ready = call("GET", "/readyz");
  }
  return ready.ok() ? Status() : Status(ready.error());
}

Status DayEngine::put_items(const std::string& catalogue) {
  std::string body;
  size_t items = 0;
  for (size_t at = 0; at < catalogue.size();) {
    const size_t end = std::min(catalogue.find('\n', at), catalogue.size());
    body.append(items == 0 ? "{\"items\":[" : ",").append(catalogue, at, end - at);
    at = end + 1;
    if (++items < kItemsOfCall && at < catalogue.size()) continue;
    const Result<std::string> put = call("PUT", "/v1/items", body + "]}");
    if (!put.ok()) return put.error();
    body.clear();
    items = 0;
  }
  return {};
}

DayEngine::~DayEngine() {
  api_.reset();
  if (engine_) engine_->drop();
}

Result<std::string> DayEngine::call(std::string_view method, std::string_view target,
                                    std::string_view body, std::string_view content_type) {
  HttpRequest request;
  request.method = method;
  if (const Status parsed = parse_target(target, request); !parsed.ok()) return parsed.error();
  request.headers.add("host", "127.0.0.1");
  request.content_type = content_type;
  request.body = body;
  request.peer_is_loopback = true;
  request.received_ns = monotonic_ns();
  const auto sink = std::make_shared<Waiting>();
  api_->handle(std::move(request), Responder(sink));
  HttpResponse response = sink->wait();
  if (response.status >= 200 && response.status < 300) return std::move(response.body);
  return Error{ErrorCode::kInvalid, std::string(method) + " " + std::string(target) + ": " +
                                        std::to_string(response.status) + " " + response.body};
}

Result<json::Value> DayEngine::stats() {
  const Result<std::string> answer = call("GET", "/v1/stats");
  if (!answer.ok()) return answer.error();
  return document_.parse(answer.value());
}

Result<double> DayEngine::user_loss_ratio() {
  const Result<json::Value> now = stats();
  if (!now.ok()) return now.error();
  double ratio = 0;
  now.value().find("user_loss_ratio").get(ratio);
  return ratio;
}

Status DayEngine::folded(uint64_t accepted) {
  for (const int64_t began = monotonic_ns(); monotonic_ns() - began < kPatienceNs;) {
    const Result<json::Value> now = stats();
    if (!now.ok()) return now.error();
    const json::Value events = now.value().find("events");
    uint64_t ended = 0;
    for (const char* end : {"applied", "duplicate", "late", "dead"}) {
      uint64_t count = 0;
      events.find(end).get(count);
      ended += count;
    }
    if (ended >= accepted) return {};
    std::this_thread::sleep_for(kLook);
  }
  return Error{ErrorCode::kUnavailable, "the engine does not fold what it has accepted"};
}

}  // namespace shanhuo
