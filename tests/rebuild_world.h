// What the tests of `shanhuo rebuild` share: an engine of this process, traffic of all that the API
// takes (pages, events with their tokens, repeats, late and bad ones, orders, items that change,
// viewers who leave), and what is compared of a state.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "serving/access.h"
#include "serving/http_api.h"
#include "serving/rebuild.h"
#include "streaming/json.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {

inline constexpr int64_t kStart = 1'790'000'000'000;
inline constexpr int64_t kDayMs = 86'400'000;
inline constexpr int64_t kRoundMs = 1'500'000;
inline constexpr int kRounds = 120;  // two days

class Waiting final : public ResponseSink {
 public:
  void respond(HttpResponse&& response) override { answer.set_value(std::move(response)); }
  std::promise<HttpResponse> answer;
};

// An engine of this process, asked as the HTTP server would.
class LiveEngine {
 public:
  LiveEngine(const EngineOptions& options, const std::string& config_dir) {
    auto opened = Engine::open(options, config_dir, clock_);
    CHECK(opened.ok());
    engine = std::move(opened).value();
    access_ = std::move(Access::open({}, clock_)).value();
    api_ = std::make_unique<HttpApi>(*engine, *access_);
  }

  HttpResponse ask(const std::string& method, const std::string& path, std::string body = "") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    for (size_t at = 1; at <= path.size();) {
      const size_t end = std::min(path.find('/', at), path.size());
      request.segments.push_back(path.substr(at, end - at));
      at = end + 1;
    }
    request.headers.add("host", "127.0.0.1:8080");
    request.headers.add("content-type", "application/json");
    request.content_type = "application/json";
    request.body = std::move(body);
    request.peer_is_loopback = true;
    request.received_ns = monotonic_ns();
    const auto sink = std::make_shared<Waiting>();
    api_->handle(std::move(request), Responder(sink));
    return sink->answer.get_future().get();
  }

 private:
  const WallClock clock_;

 public:
  std::unique_ptr<Engine> engine;  // after its clock, before what asks it

 private:
  std::unique_ptr<Access> access_;
  std::unique_ptr<HttpApi> api_;
};

inline std::string item_json(int n, const std::string& title) {
  return R"({"item_id":"good-)" + std::to_string(n) + R"(","kind":"farm_good","title":")" + title +
         R"(","creator_id":"farmer-)" + std::to_string(n % 3) +
         R"(","county":"433124","category":")" + (n % 2 == 0 ? "fruit" : "tea") + R"("})";
}

class Traffic {
 public:
  explicit Traffic(LiveEngine& live) : live_(live) {}

  void put_items(int first, int last, const std::string& title) {
    std::string body = R"({"items":[)";
    for (int n = first; n < last; ++n) body += (n > first ? "," : "") + item_json(n, title);
    ASSERT_EQ(live_.ask("PUT", "/v1/items", body + "]}").status, 200);
  }

  // A page for a viewer, what they did with it, and what else happens.
  void round(int n) {
    const int64_t now = kStart + n * kRoundMs;
    const std::string user = "viewer-" + std::to_string(n % 11), number = std::to_string(n);
    const HttpResponse page = live_.ask(
        "POST", "/v1/rank",
        R"({"request_id":"r)" + number + R"(","user_id":")" + user +
            R"(","surface":"feed","count":5,"candidates":[{"item_id":"good-1","score":0.1},)" +
            R"({"item_id":"stranger","score":0.05}],"now_ms":)" + std::to_string(now) + "}");
    ASSERT_EQ(page.status, 200) << page.body;
    json::Document document;
    const json::Value answer = document.parse(page.body).value();
    for (const json::Value item : answer.find("items").elements()) {
      std::string_view id, token;
      item.find("item_id").get(id);
      item.find("token").get(token);
      std::string proof = R"(,"request_id":"r)" + number + R"(","position":0)";
      if (!token.empty()) proof += R"(,"token":")" + std::string(token) + '"';
      add("impression", user, std::string(id), now + 1'000, proof + R"(,"viewable_ms":2500)");
      if (n % 3 == 0) add("click", user, std::string(id), now + 2'000, proof);
      boosted_ += token.empty() ? 0 : 1;
    }
    add("play", user, "good-2", now + 3'000, R"(,"watch_ms":4000)");
    if (n % 4 == 0) {
      add("order", user, "good-3", now + 4'000,
          R"(,"amount_fen":500,"order_id":"o)" + number + '"');
    }
    if (n % 8 == 0) {
      add("refund", user, "good-3", now + 5'000,
          R"(,"amount_fen":200,"order_id":"o)" + number + '"');
    }
    if (n % 5 == 0) batch_.push_back(batch_.front());                           // a duplicate
    if (n > 80) add("click", user, "good-4", now - 2 * kDayMs, "");             // late
    if (n % 7 == 0) add("click", user, "good-5", now, R"(,"token":"forged")");  // dead
    if (n % 6 == 0) add("like", user, "unknown-" + number, now, "");
    send();
    if (n % 25 == 24) {
      ASSERT_EQ(live_.ask("DELETE", "/v1/users/" + user).status, 204);
    }
    if (items_change && n % 20 == 10) put_items(n % 10, n % 10 + 2, "title " + number);
  }
  int boosted() const { return boosted_; }
  bool items_change = true;  // amid the events

 private:
  void add(const std::string& type, const std::string& user, const std::string& item, int64_t ts,
           const std::string& more) {
    batch_.push_back(R"({"event_id":"e)" + std::to_string(++events_) + R"(","type":")" + type +
                     R"(","user_id":")" + user + R"(","item_id":")" + item + R"(","ts_ms":)" +
                     std::to_string(ts) + more + "}");
  }
  void send() {
    std::string body = R"({"events":[)";
    for (size_t i = 0; i < batch_.size(); ++i) body += (i > 0 ? "," : "") + batch_[i];
    batch_.clear();
    const HttpResponse answer = live_.ask("POST", "/v1/events", body + "]}");
    ASSERT_EQ(answer.status, 202) << answer.body;
    ASSERT_THAT(answer.body, testing::HasSubstr(R"("rejected":[])"));
  }

  LiveEngine& live_;
  std::vector<std::string> batch_;
  int events_ = 0, boosted_ = 0;
};

// An entry of "fr": at i64 | request u64 | item u32 | programs 4 u32, after a version byte.
inline constexpr size_t kInsertionBytes = 36;
inline constexpr size_t kSourceBytes = 21;  // of a manifest

inline int64_t time_of(std::string_view insertion) {
  int64_t at = 0;
  std::memcpy(&at, insertion.data(), sizeof at);
  return at;
}

// Without the insertions before `from`.
inline std::string since(const std::string& value, int64_t from) {
  std::string kept;
  for (size_t at = 1; at + kInsertionBytes <= value.size(); at += kInsertionBytes) {
    const std::string insertion = value.substr(at, kInsertionBytes);
    if (time_of(insertion) >= from) kept += insertion;
  }
  return kept;
}

// What is compared of a state folder. Left out or made comparable, because it is no function of the
// log (docs/decisions.md, "The state is a function of the log"):
//   pr  prices       steps of a control loop that the clock drives, not the events
//   cl  calibration  labels need the scores of a request, which live in memory and in no log
//   de  decisions    where a restart reads on, by the minutes that checkpoints fell into
//   fr  frequency    what no cap looks at any more is swept at leisure: the last day is compared
//   !manifest        its sequence counts checkpoints, and its last source says from where a restart
//                    looks for dead letters; the positions of the fold are compared
//   dd  repeats      each checkpoint writes what came since the last as chunks; joined by bucket
inline std::map<std::string, std::string> state_of(const std::string& folder, int64_t last_ms) {
  const auto store = Store::open(folder, {});
  CHECK(store.ok());
  std::map<std::string, std::string> records;
  const Status read =
      store.value()->scan("", [&](std::string_view key, std::string_view value) -> Status {
        const std::string_view part = key.substr(0, 2);
        if (part == "pr" || part == "cl" || part == "de") return {};
        if (key == "!manifest") {
          records["!manifest"] = value.substr(12, value.size() - 16 - kSourceBytes);
        } else if (part == "dd" && key.find(':') + 1 < key.size()) {
          records[std::string(key.substr(0, key.size() - 4))].append(value);
        } else if (part == "fr") {
          const std::string fresh = since(std::string(value), last_ms - kDayMs);
          if (!fresh.empty()) records[std::string(key)] = fresh;
        } else {
          records[std::string(key)] = value;
        }
        return {};
      });
  CHECK(read.ok());
  return records;
}

// They learn within the fold, so that their weights are compared, too.
inline ValueLearnerOptions small_value_models() {
  ValueLearnerOptions options;
  options.enabled = true;
  options.slots_log2 = options.impressions_log2 = options.clicks_log2 = 10;
  options.factor_slots_log2 = 6;
  return options;
}

// Programs, and an experiment that everybody is in.
inline void write_program(const std::string& folder) {
  std::filesystem::create_directories(folder + "/experiments");
  std::ofstream(folder + "/experiments/try.yaml")
      << "id: try\nlayer: ranking\n"
         "variations: [{key: control, weight: 0.5}, {key: same, weight: 0.5}]\n";
  std::filesystem::create_directories(folder + "/programs");
  std::ofstream(folder + "/programs/goods.yaml")
      << "id: goods\nname: {zh-CN: 山货, en: Farm goods}\nitems: {kind: farm_good}\n"
         "surfaces: [feed]\n"
         "schedule: {start: 2020-01-01T00:00:00+08:00, end: 2040-01-01T00:00:00+08:00}\n"
         "goals: [{unit: viewable, at_least: 1000000, at_most: 2000000, missed_value_fen: 1000}]\n"
         "placement: {first_slot: 0, last_slot: 19, per_request_max: 1, min_gap: 1}\n"
         "frequency: [{scope: item, window_s: 86400, max: 200}]\n"
         "label: {kind: public_good, zh-CN: 助农好物, en: Farm good}\n";
}

// Every record of `before` in `after` and no other, and the parts that were looked at.
inline void expect_equal_states(const std::map<std::string, std::string>& before,
                                const std::map<std::string, std::string>& after) {
  std::map<std::string, int> compared;
  for (const auto& [key, value] : before) {
    ++compared[key.substr(0, 2)];
    const auto found = after.find(key);
    ASSERT_NE(found, after.end()) << key;
    EXPECT_EQ(found->second, value) << key;
  }
  EXPECT_EQ(after.size(), before.size());
  for (const char* part :
       {"vp", "fr", "it", "ex", "dd", "pg", "in", "ci", "lg", "pl", "vm", "pm", "im", "xr"}) {
    EXPECT_GT(compared[part], 0) << part;
  }
}

}  // namespace shanhuo
