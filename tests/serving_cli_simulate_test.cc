#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "serving/simulation.h"
#include "streaming/json.h"
#include "tests/fake_engine.h"

namespace shanhuo {
namespace {

using testing::FakeEngine;
using testing::json_response;

std::string catalogue() {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += R"({"item_id":"vid-)" + std::to_string(i) + R"(","kind":"video","title":"t",)" +
            R"("creator_id":"c","category":"cat)" + std::to_string(i % 7) +
            R"(","duration_ms":30000})" + "\n";
  }
  for (int i = 0; i < 8; ++i) {
    text += R"({"item_id":"good-)" + std::to_string(i) + R"(","kind":"farm_good","title":"t",)" +
            R"("creator_id":"farmer","county":"433124","category":"fruit","price_fen":5990})" +
            "\n";
  }
  return text + R"({"item_id":"room","kind":"live_room","title":"t","creator_id":"farmer",)"
                R"("county":"433124"})"
                "\n";
}

SimulatedWorld world(uint64_t seed) {
  std::istringstream in(catalogue());
  return SimulatedWorld::load(in, seed).value();
}

std::string text_of(json::Value object, std::string_view name) {
  std::string_view text;
  object.find(name).get(text);
  return std::string(text);
}

// A page of the organic list with one boosted good at position 3, as the engine might answer.
std::string rank_answer(const std::string& body) {
  json::Document document;
  const json::Value request = document.parse(body).value();
  std::vector<std::string> ids;
  for (const json::Value candidate : request.find("candidates").elements()) {
    if (ids.size() < 10) ids.push_back(text_of(candidate, "item_id"));
  }
  for (const json::Value good : request.find("room").find("lineup").elements()) {
    std::string_view id;
    good.get(id);
    ids.emplace_back(id);
  }
  if (ids.size() > 3) ids[3] = "good-7";
  std::string out = R"({"request_id":")" + text_of(request, "request_id") + R"(","items":[)";
  for (size_t i = 0; i < ids.size(); ++i) {
    out += std::string(i == 0 ? "" : ",") + R"({"item_id":")" + ids[i] + R"(","position":)" +
           std::to_string(i) +
           (i == 3 ? R"(,"source":"boost","token":"tok-)" + text_of(request, "request_id") + "\"}"
                   : R"(,"source":"organic"})");
  }
  return out + "]}";
}

HttpResponse answer(const FakeEngine::Request& request) {
  if (request.path == "/v1/rank") return json_response(rank_answer(request.body));
  const auto lines = std::ranges::count(request.body, '\n');
  return json_response("{\"accepted\":" + std::to_string(lines) + ",\"rejected\":[]}", 202);
}

SimulationOptions an_hour(int connections) {
  SimulationOptions options;
  options.seed = 7;
  options.viewers = 50;
  options.pages_per_s = 0.1;
  options.caller_clock = true;
  options.start = Millis(1'794'326'400'000 + 20 * kHour.count());
  options.duration = kHour;
  options.connections = connections;
  return options;
}

struct Sent {
  SimulationSummary summary;
  std::vector<FakeEngine::Request> requests;
};
Sent run(const SimulationOptions& options) {
  FakeEngine engine(answer);
  const SimulatedWorld simulated = world(options.seed);
  Sent sent;
  sent.summary = simulate(simulated, options, engine.arguments()).value();
  sent.requests = engine.requests();
  return sent;
}

TEST(Simulate, SendsTheSameBytesForTheSameSeed) {
  const Sent first = run(an_hour(1)), second = run(an_hour(1));
  EXPECT_GT(first.summary.pages, 300u);
  EXPECT_EQ(first.requests.size(), second.requests.size());
  EXPECT_TRUE(first.requests == second.requests);
  SimulationOptions other = an_hour(1);
  other.seed = 8;
  EXPECT_FALSE(first.requests == run(other).requests);
}

TEST(Simulate, TellsWhatViewersDidWithRequestPositionAndToken) {
  const Sent done = run(an_hour(1));
  std::map<std::string, json::Document> requests;
  std::set<std::string> event_ids, types, surfaces;
  uint64_t events = 0, with_token = 0, openings = 0;
  int64_t ranked_until = 0;
  json::Document document;
  for (const FakeEngine::Request& request : done.requests) {
    if (request.path == "/v1/rank") {
      const json::Value body = document.parse(request.body).value();
      int64_t now_ms = 0;
      ASSERT_TRUE(body.find("now_ms").get(now_ms));
      EXPECT_GE(now_ms, ranked_until);
      ranked_until = now_ms;
      const bool opening = text_of(body, "surface") == "open_screen";
      openings += opening ? 1 : 0;
      EXPECT_TRUE(body.find("candidates").size() == (opening ? 0 : 30) ||
                  body.find("room").is_object());
      EXPECT_NE(text_of(body.find("context"), "city"), "");
      EXPECT_TRUE(body.find("context").find("place").find("lat").present());
      surfaces.insert(text_of(body, "surface"));
      continue;
    }
    std::istringstream lines(request.body);
    for (std::string line; std::getline(lines, line); ++events) {
      const json::Value event = document.parse(line).value();
      EXPECT_TRUE(event_ids.insert(text_of(event, "event_id")).second) << line;
      types.insert(text_of(event, "type"));
      int64_t position = -1;
      event.find("position").get(position);
      EXPECT_EQ(event.find("token").present(), position == 3) << line;
      if (position == 3) {
        ++with_token;
        EXPECT_EQ(text_of(event, "item_id"), "good-7");
        EXPECT_EQ(text_of(event, "token"), "tok-" + text_of(event, "request_id"));
      }
      if (text_of(event, "type") == "order") {
        EXPECT_NE(text_of(event, "order_id"), "");
        EXPECT_TRUE(event.find("amount_fen").present());
      }
    }
  }
  EXPECT_EQ(events, done.summary.events);
  EXPECT_EQ(events, done.summary.accepted);
  EXPECT_GT(events, 10 * done.summary.pages);
  EXPECT_GT(with_token, done.summary.pages / 2);
  for (const char* type : {"impression", "play", "click", "like", "order"}) {
    EXPECT_TRUE(types.contains(type)) << type;
  }
  EXPECT_EQ(surfaces, (std::set<std::string>{"feed", "festival", "live_room", "open_screen"}));
  EXPECT_EQ(done.summary.inserted + openings, done.summary.rank.count());
  EXPECT_EQ(done.summary.unknown_items, 0u);
  EXPECT_GT(done.summary.loss_ratio(), -0.2);
  EXPECT_LT(done.summary.loss_ratio(), 0.2);
}

TEST(Simulate, SharesItsViewersAmongConnections) {
  const Sent done = run(an_hour(3));
  std::map<std::string, int> pages;
  json::Document document;
  for (const FakeEngine::Request& request : done.requests) {
    if (request.path != "/v1/rank") continue;
    ++pages[text_of(document.parse(request.body).value(), "request_id")];
  }
  EXPECT_EQ(pages.size(), done.summary.pages);  // no request_id twice
  EXPECT_GT(done.summary.pages, 200u);
}

TEST(Simulate, EndsWhenTheEngineSaysNo) {
  FakeEngine engine([](const FakeEngine::Request&) {
    return json_response(R"({"detail":"now_ms: is required"})", 422);
  });
  const SimulatedWorld simulated = world(1);
  EXPECT_EQ(simulate(simulated, an_hour(2), engine.arguments()).error().message,
            "POST /v1/rank: 422 Unprocessable Content: now_ms: is required");
}

TEST(SimulatedWorld, LivesInBigCitiesAndInBeijingForAtLeastOneViewerInTwenty) {
  const SimulatedWorld simulated = world(3);
  std::map<std::string_view, int> cities;
  for (uint64_t viewer = 0; viewer < 2'000; ++viewer) ++cities[simulated.traits(viewer).city];
  EXPECT_GE(cities["北京"], 100);
  EXPECT_GE(cities.size(), 15u);
  EXPECT_FALSE(cities.contains("永和县"));
}

TEST(SimulatedWorld, ScoresAreProbabilitiesThatFollowTheTaste) {
  const SimulatedWorld simulated = world(3);
  Random random(1);
  std::vector<OrganicCandidate> list;
  double best = 0, last = 0;
  for (uint64_t viewer = 0; viewer < 200; ++viewer) {
    const ViewerTraits traits = simulated.traits(viewer);
    simulated.pick_organic(traits, 30, random, list);
    ASSERT_EQ(list.size(), 30u);
    std::set<uint32_t> distinct;
    for (size_t i = 0; i < list.size(); ++i) {
      distinct.insert(list[i].item);
      EXPECT_GE(list[i].score, 0);
      EXPECT_LE(list[i].score, 1);
      if (i > 0) {
        EXPECT_LE(list[i].score, list[i - 1].score);
      }
    }
    EXPECT_EQ(distinct.size(), 30u);
    best += simulated.p_click(traits, simulated.items()[list[0].item]);
    last += simulated.p_click(traits, simulated.items()[list[29].item]);
  }
  EXPECT_GT(best, 2 * last);
}

TEST(SimulatedWorld, NamesTheLineOfABrokenItem) {
  std::istringstream in(catalogue() + "{\"item_id\":\"x\"}\n");
  const Result<SimulatedWorld> loaded = SimulatedWorld::load(in, 1);
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.error().message, ::testing::HasSubstr("line 210: "));
}

TEST(Traffic, IsQuietAtNightAndOneOnAverage) {
  const int64_t midnight = 1'794'326'400'000;
  double sum = 0;
  for (int minute = 0; minute < 1440; ++minute) {
    const double traffic = traffic_at(Millis(midnight + minute * kMinute.count()));
    EXPECT_LE(traffic, 2.1);  // the bound that arrivals are thinned with
    sum += traffic;
  }
  EXPECT_NEAR(sum / 1440, 1, 1e-9);
  EXPECT_LT(traffic_at(Millis(midnight + 4 * kHour.count())), 0.2);
  EXPECT_GT(traffic_at(Millis(midnight + 21 * kHour.count())), 2);
}

TEST(LatencyHistogram, QuantilesAreAtMostTwoPercentTooHigh) {
  LatencyHistogram histogram;
  for (int64_t us = 1; us <= 100'000; ++us) histogram.add_ns(us * 1'000);
  for (const double q : {0.01, 0.5, 0.9, 0.99}) {
    EXPECT_GE(histogram.quantile_ms(q), q * 100);
    EXPECT_LE(histogram.quantile_ms(q), q * 102);
  }
  EXPECT_EQ(LatencyHistogram().quantile_ms(0.5), 0);
}

}  // namespace
}  // namespace shanhuo
