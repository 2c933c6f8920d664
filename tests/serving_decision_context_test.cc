// A recorded decision gives its request back: through the slate, the record and its bytes.
#include <gtest/gtest.h>

#include <random>

#include "serving/decision_context.h"
#include "streaming/codec.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

// The record that serving/ranker.cc makes of a slate.
Decision record_of(const RankRequest& request, const Slate& slate,
                   std::span<const double> p_click) {
  ViewerState viewer;
  viewer.events = 77;
  Decision decision;
  decision.at = request.now;
  decision.user_id = request.user_id;
  decision.request_id = request.request_id;
  decision.surface = request.surface;
  for (size_t i = 0; i < slate.items.size(); ++i) {
    const SlateItem& item = slate.items[i];
    if (item.programs.empty()) {
      decision.organic.push_back({item.item_id, item.score});
    } else {
      DecidedInsertion inserted;
      inserted.item_id = item.item_id;
      inserted.position = static_cast<int32_t>(i);
      decision.inserted.push_back(inserted);
    }
  }
  decision.context = to_context(request, slate, viewer, p_click);
  return decision;
}

TEST(DecisionContext, GivesTheListBackWhateverWasInsertedMovedUpOrPushedOff) {
  std::mt19937 random(3);
  int pushed_off = 0, moved_up = 0;
  for (int round = 0; round < 500; ++round) {
    TestWorld w;
    // Some of the list's own items are boostable: they move up.
    w.put({farm_good("kiwi"), farm_good("tea"), farm_good("o4"), farm_good("o7")});
    w.add_program("all", Value::Object{}).placement.per_request_max = 3;
    w.finish(random() % 4);
    w.seed = random();
    std::vector<std::string> ids;
    const size_t listed = 1 + random() % 12;
    for (size_t i = 0; i < listed; ++i) ids.push_back("o" + std::to_string(i));
    RankRequest request = request_of(ids, 1 + static_cast<int>(random() % 12));
    for (RankCandidate& candidate : request.candidates) {
      if (candidate.item_id == "o4") candidate.index = 2;
      if (candidate.item_id == "o7") candidate.index = 3;
    }
    request.city = "北京";
    request.place = Place{39.9, 116.4};
    request.attributes = Value::Object{{"app", "9"}, {"n", 1.5}, {"tags", Value::Array{"a", true}}};
    std::vector<double> p_click;
    for (size_t i = 0; i < listed; ++i) p_click.push_back(0.5 / static_cast<double>(i + 1));
    RankScratch scratch;
    const Slate slate = rank(request, w.context(), scratch);

    std::string bytes;
    encode_decision(record_of(request, slate, p_click), bytes);
    const Decision decision = decode_decision(bytes).value();
    const ReplayedRequest replay = replayed(decision);
    const size_t shown = std::min(listed, static_cast<size_t>(request.count));
    ASSERT_EQ(replay.request.candidates.size(), shown) << round;
    for (size_t i = 0; i < shown; ++i) {
      EXPECT_EQ(replay.request.candidates[i].item_id, ids[i]) << round;
      EXPECT_FLOAT_EQ(static_cast<float>(replay.p_click[i]), static_cast<float>(p_click[i]));
    }
    EXPECT_EQ(replay.request.city, "北京");
    EXPECT_EQ(replay.request.place->lon, 116.4);
    EXPECT_EQ(replay.request.attributes, request.attributes);
    EXPECT_EQ(replay.request.count, request.count);
    EXPECT_EQ(replay.request.now, request.now);
    EXPECT_EQ(decision.context->viewer_events, 77);
    EXPECT_EQ(decision.context->loss_fen, slate.loss_fen);
    pushed_off += decision.context->left.empty() ? 0 : 1;
    for (const DecidedInsertion& item : decision.inserted) {
      moved_up += item.item_id.starts_with('o') ? 1 : 0;
    }
  }
  EXPECT_GT(pushed_off, 50);
  EXPECT_GT(moved_up, 20);
}

TEST(DecisionContext, RecordsOfBeforeItWasKeptAreReadWithoutOne) {
  Decision old;
  old.user_id = "u";
  std::string bytes;
  encode_decision(old, bytes);
  EXPECT_FALSE(decode_decision(bytes).value().context.has_value());
}

TEST(DecisionContext, CostsAFewBytesAnItem) {
  TestWorld w;
  w.put({farm_good("kiwi")});
  w.add_program("none", Value::Object{{"category", "none"}});
  w.finish();
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back("item-" + std::to_string(i));
  const RankRequest request = request_of(ids, 20);
  RankScratch scratch;
  Decision decision =
      record_of(request, rank(request, w.context(), scratch), std::vector<double>(20, 0.1));
  std::string with, without;
  encode_decision(decision, with);
  decision.context.reset();
  encode_decision(decision, without);
  EXPECT_LE(with.size() - without.size(), 20U * 5 + 30);
}

}  // namespace
}  // namespace shanhuo
