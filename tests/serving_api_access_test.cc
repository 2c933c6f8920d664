// Every route of the API by every role, against the table of contract 2.10 as it stands here.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <set>

#include "base/clock.h"
#include "serving/http_api.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

// Who may, besides nobody else. Open routes: everybody, with any token or none.
enum Who { kFeed, kIngest, kCreator, kOperator, kAdmin, kNobody, kStranger };
constexpr Who kAll[] = {kFeed, kIngest, kCreator, kOperator, kAdmin, kNobody, kStranger};
constexpr std::string_view kNames[] = {"feed",  "ingest", "creator:farmer", "operator",
                                       "admin", "nobody", "stranger"};

const std::set<Who> kOpenToAll(std::begin(kAll), std::end(kAll));
const std::set<Who> kFeeds = {kFeed, kAdmin};
const std::set<Who> kIngests = {kIngest, kAdmin};
const std::set<Who> kLooks = {kCreator, kAdmin};
const std::set<Who> kOperates = {kOperator, kAdmin};
const std::set<Who> kAdministers = {kAdmin};
const std::set<Who> kKnown = {kFeed, kIngest, kCreator, kOperator, kAdmin};

const std::map<std::string, std::set<Who>> kTable = {
    {"POST /v1/rank", kFeeds},
    {"POST /v1/events", kIngests},
    {"PUT /v1/items", kIngests},
    {"GET /v1/items/{id}", kIngests},
    {"PATCH /v1/items/{id}", kIngests},
    {"DELETE /v1/items/{id}", kIngests},
    {"PUT /v1/creators", kIngests},
    {"GET /v1/creators/{id}", kIngests},
    {"GET /v1/creators/{id}/exposure", kLooks},
    {"PUT /v1/blocks/{kind}/{id}", kOperates},
    {"DELETE /v1/blocks/{kind}/{id}", kOperates},
    {"GET /v1/programs", kOperates},
    {"GET /v1/programs/{id}", kOperates},
    {"PUT /v1/programs/{id}", kOperates},
    {"PATCH /v1/programs/{id}", kOperates},
    {"DELETE /v1/programs/{id}", kOperates},
    {"POST /v1/programs:validate", kOperates},
    {"GET /v1/programs/{id}/forecast", kOperates},
    {"GET /v1/programs/{id}/board", kOperates},
    {"GET /v1/experiments", kOperates},
    {"POST /v1/experiments:why", kOperates},
    {"GET /v1/experiments/{id}", kOperates},
    {"PUT /v1/experiments/{id}", kOperates},
    {"PATCH /v1/experiments/{id}", kOperates},
    {"DELETE /v1/experiments/{id}", kOperates},
    {"GET /v1/experiments/{id}/history", kOperates},
    {"GET /v1/experiments/{id}/results", kOperates},
    {"POST /v1/experiments/{id}/revert", kOperates},
    {"POST /v1/experiments/{id}:approve", kOperates},
    {"POST /v1/experiments/{id}:dry_run", kOperates},
    {"POST /v1/programs/{id}:dry_run", kOperates},
    {"POST /v1/assign", kFeeds},
    {"GET /api/features/{client_key}", kOpenToAll},
    {"GET /v1/models", kOperates},
    {"PUT /v1/models/current", kOperates},
    {"GET /v1/audit", kOperates},
    {"GET /v1/boosting", kOperates},
    {"PUT /v1/boosting", kOperates},
    {"GET /v1/parameters", kOperates},
    {"GET /v1/stats", kOperates},
    {"GET /metrics", kOperates},
    {"GET /v1/impact", kOperates},
    {"GET /v1/causes", kOperates},
    {"POST /v1/causes/{id}/pledges", kOperates},
    {"GET /v1/ledger", kOperates},
    {"GET /v1/ledger/{entry}/proof", kOperates},
    {"GET /v1/users/{id}/points", kAdministers},
    {"GET /v1/users/{id}", kAdministers},
    {"DELETE /v1/users/{id}", kAdministers},
    {"POST /v1/backups", kAdministers},
    {"POST /v1/session", kOpenToAll},
    {"GET /v1/session", kKnown},
    {"DELETE /v1/session", kKnown},
    {"GET /healthz", kOpenToAll},
    {"GET /readyz", kOpenToAll},
    {"GET /version", kOpenToAll},
    {"GET /openapi.json", kOpenToAll},
    {"GET /", kOpenToAll},
    {"GET /creator", kOpenToAll},
    {"GET /operate", kOpenToAll},
    {"GET /impact", kOpenToAll},
    {"GET /sign-in", kOpenToAll},
    {"GET /static/*", kOpenToAll},
    {"GET /favicon.ico", kOpenToAll},
};

class Sink final : public ResponseSink {
 public:
  void respond(HttpResponse&& response) override { answer.set_value(std::move(response)); }
  std::promise<HttpResponse> answer;
};

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> segments;
  for (size_t at = 1; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    segments.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return segments;
}

class ApiAccess : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("shanhuo_access_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "config" / "programs");
    std::ofstream tokens(folder_ / "tokens");
    for (const Who who : {kFeed, kIngest, kCreator, kOperator, kAdmin}) {
      const std::string_view name = kNames[who];
      const auto made = make_token(name, {});
      ASSERT_TRUE(made.ok()) << made.error().message;
      tokens << made.value().line << "\n";
      bearer_[who] = "Bearer " + made.value().token;
    }
    tokens.close();
    bearer_[kStranger] = "Bearer of-another-engine";

    EngineOptions options;
    options.data_dir = folder_ / "data";
    auto engine = Engine::open(options, folder_ / "config", clock_);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = std::move(engine).value();
    AccessOptions access;
    access.token_file = folder_ / "tokens";
    auto opened = Access::open(access, clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    access_ = std::move(opened).value();
    api_ = std::make_unique<HttpApi>(*engine_, *access_);
  }
  void TearDown() override {
    api_.reset();
    engine_.reset();
    fs::remove_all(folder_);
  }

  HttpResponse ask(Who who, std::string_view method, std::string path, std::string body = "{}") {
    HttpRequest request;
    request.method = method;
    request.segments = segments_of(path);
    request.path = std::move(path);
    if (!bearer_[who].empty()) request.headers.add("authorization", bearer_[who]);
    if (method != "GET" && method != "DELETE") {
      request.content_type = "application/json";
      request.body = std::move(body);
    }
    const auto sink = std::make_shared<Sink>();
    std::future<HttpResponse> answer = sink->answer.get_future();
    api_->handle(std::move(request), Responder(sink));
    EXPECT_EQ(answer.wait_for(std::chrono::seconds(30)), std::future_status::ready);
    return answer.get();
  }

  const WallClock clock_;
  fs::path folder_;
  std::map<Who, std::string> bearer_;  // kNobody: none
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<HttpApi> api_;
};

std::string filled(std::string_view pattern) {
  std::string path(pattern);
  for (const auto& [hole, value] : {std::pair<std::string_view, std::string_view>{"{id}", "farmer"},
                                    {"{kind}", "item"},
                                    {"{client_key}", "sdk"},
                                    {"*", "page.js"}}) {
    if (const size_t at = path.find(hole); at != path.npos) path.replace(at, hole.size(), value);
  }
  return path;
}

TEST(ApiAccessTable, NamesEveryRouteOfTheApiAndNoOther) {
  std::set<std::string> routes, rows;
  for (const HttpApi::Route& route : HttpApi::routes()) {
    routes.insert(std::string(route.method) + " " + std::string(route.path));
  }
  for (const auto& [route, allowed] : kTable) rows.insert(route);
  EXPECT_EQ(routes, rows);
}

TEST_F(ApiAccess, LetsEachRoleDoItsOwnAndRefusesTheRest) {
  ASSERT_EQ(ask(kAdmin, "PUT", "/v1/creators",
                R"({"creators":[{"creator_id":"farmer","name":"f","groups":[]}]})")
                .status,
            200);
  for (const auto& [route, allowed] : kTable) {
    const size_t blank = route.find(' ');
    for (const Who who : kAll) {
      const HttpResponse answer = ask(who, route.substr(0, blank), filled(route.substr(blank + 1)));
      SCOPED_TRACE(route + " by " + std::string(kNames[who]) + ": " + answer.body);
      if (allowed.contains(who)) {
        EXPECT_NE(answer.status, 401);
        EXPECT_NE(answer.status, 403);
        EXPECT_LT(answer.status, 500);
      } else if (who == kNobody || who == kStranger) {
        EXPECT_EQ(answer.status, 401);
        EXPECT_EQ(answer.header("www-authenticate").substr(0, 6), "Bearer");
      } else {
        EXPECT_EQ(answer.status, 403);
      }
    }
  }
}

TEST_F(ApiAccess, ShowsACreatorItsOwnExposureAndNoHintOfOthers) {
  ASSERT_EQ(ask(kAdmin, "PUT", "/v1/creators",
                R"({"creators":[{"creator_id":"farmer","name":"f","groups":[]},)"
                R"({"creator_id":"neighbour","name":"n","groups":[]}]})")
                .status,
            200);
  EXPECT_EQ(ask(kCreator, "GET", "/v1/creators/farmer/exposure").status, 200);
  EXPECT_EQ(ask(kAdmin, "GET", "/v1/creators/neighbour/exposure").status, 200);
  const HttpResponse known = ask(kCreator, "GET", "/v1/creators/neighbour/exposure");
  const HttpResponse unknown = ask(kCreator, "GET", "/v1/creators/nobody/exposure");
  EXPECT_EQ(known.status, 404);
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(known.body, unknown.body);
}

TEST_F(ApiAccess, ShowsACreatorNoHourOfAFewViewers) {
  const std::string items =
      R"({"items":[{"item_id":"i","kind":"farm_good","title":"t","creator_id":"farmer"}]})";
  ASSERT_EQ(ask(kAdmin, "PUT", "/v1/items", items).status, 200);
  const int64_t now = clock_.now().count();
  for (const int64_t ts : {now, now - 7'200'000}) {
    const std::string event = R"({"events":[{"event_id":"e","type":"impression","item_id":"i",)"
                              R"("viewable_ms":3000,"user_id":"u)" +
                              std::to_string(ts) + R"(","ts_ms":)" + std::to_string(ts) + "}]}";
    ASSERT_EQ(ask(kAdmin, "POST", "/v1/events", event).status, 202);
  }
  const auto points = [&](Who who, size_t& totals) {
    const std::string body = ask(who, "GET", "/v1/creators/farmer/exposure").body;
    totals = body.find(R"("totals":{"served":2,)");
    size_t count = 0;
    for (size_t at = 0; (at = body.find("ts_ms", at)) != body.npos; ++at) ++count;
    return count;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  size_t totals = std::string::npos, shown = 0;
  while (totals == std::string::npos && std::chrono::steady_clock::now() < deadline) {
    shown = points(kAdmin, totals);
  }
  EXPECT_EQ(shown, 2u);
  EXPECT_EQ(points(kCreator, totals), 1u);
  EXPECT_NE(totals, std::string::npos);
}

TEST_F(ApiAccess, RefusesBeforeItReadsAndChangesNothing) {
  const std::string items =
      R"({"items":[{"item_id":"i","kind":"video","title":"t","creator_id":"c"}]})";
  EXPECT_EQ(ask(kFeed, "PUT", "/v1/items", items).status, 403);
  EXPECT_EQ(ask(kNobody, "PUT", "/v1/items", items).status, 401);
  EXPECT_EQ(ask(kFeed, "PUT", "/v1/items", "{not json").status, 403);
  EXPECT_EQ(ask(kOperator, "DELETE", "/v1/users/u").status, 403);
  EXPECT_EQ(ask(kIngest, "GET", "/v1/items/i").status, 404);
  EXPECT_EQ(ask(kIngest, "PUT", "/v1/items", items).status, 200);
  EXPECT_EQ(ask(kIngest, "GET", "/v1/items/i").status, 200);
}

}  // namespace
}  // namespace shanhuo
