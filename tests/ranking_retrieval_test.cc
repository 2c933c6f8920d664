#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "models/text_encoder.h"
#include "ranking/retrieval.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

// Clicks by item, 0 for the others.
class FixedRates final : public ItemRatesReader {
 public:
  ItemRates rates(ItemIndex item) const override {
    ItemRates rates;
    const auto found = clicks.find(item);
    rates.clicks = found == clicks.end() ? 0 : found->second;
    return rates;
  }
  std::map<ItemIndex, float> clicks;
};

// A catalogue that changes as the fold changes it, and the retriever that follows it.
class RetrievalTest : public testing::Test {
 protected:
  RetrievalTest() {
    options_.small_program_items = 3;
    ranking_.in_turn_k = 0;
  }

  void put(const std::string& id, const std::string& category, const std::string& title = "",
           int64_t published = 0) {
    Item item;
    item.id = ItemId(id);
    item.kind = ItemKind::kFarmGood;
    item.creator_id = CreatorId(std::string("farm"));
    item.category = category;
    item.title = title.empty() ? id : title;
    item.published_at = Millis(published);
    ASSERT_TRUE(catalogue_.apply(item).ok());
  }
  void remove(const std::string& id) {
    ASSERT_TRUE(catalogue_.apply(ItemDeleted{ItemId(id)}).ok());
  }
  void add_program(const std::string& id, const Value& items) {
    auto program = std::make_shared<Program>();
    program->id = ProgramId(id);
    program->items = Condition::compile(items, {}).value();
    program->surfaces.fill(true);
    programs_->programs.push_back(program);
  }
  // The world as it is now, seen by ranking but not yet by the index.
  void see() {
    catalogue_.publish();
    world_ = build_world(catalogue_.snapshot(), programs_, world_.get());
  }
  void refresh() {
    see();
    retriever_->refresh(world_, rates_);
  }
  std::vector<std::string> retrieve(const Vector& interest, uint64_t turn = 1) {
    std::vector<Retrieved> out = {{1, 0}, {2, 0}, {3, 0}};
    const std::span<const Vector> interests(&interest, interest == Vector{} ? 0 : 1);
    retriever_->retrieve(interests, segments_, *world_, ranking_, turn, out);
    EXPECT_LE(out.size(), static_cast<size_t>(ranking_.retrieve_k));
    std::set<ItemIndex> once;
    std::vector<std::string> ids;
    for (const auto& [item, similarity, lift] : out) {
      EXPECT_TRUE(once.insert(item).second) << "an item twice";
      const CatalogueItem* entry = world_->item(item);
      if (entry == nullptr || world_->programs_of(item).empty()) {
        ADD_FAILURE() << item << " is not boostable";
        continue;
      }
      EXPECT_NEAR(similarity, dot(interest, entry->vector), 1e-6);
      ids.push_back(entry->item.id.str());
    }
    return ids;
  }
  Vector taste(const std::string& id) { return world_->item(interner_.find(id))->vector; }
  static bool has(const std::vector<std::string>& ids, const std::string& id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  }
  void refresh_with(const RetrievalOptions& options) {
    retriever_ = std::make_unique<IndexRetriever>(options);
    refresh();
  }

  Interner interner_;
  CatalogueState catalogue_{interner_, [](const Item& item) { return encode_item(item, {}); }};
  std::shared_ptr<ProgramSet> programs_ = std::make_shared<ProgramSet>();
  std::shared_ptr<const World> world_;
  FixedRates rates_;
  RetrievalOptions options_;
  RankingOptions ranking_;
  Segments segments_{};
  std::unique_ptr<IndexRetriever> retriever_ = std::make_unique<IndexRetriever>(options_);
};

// Of 40 goods that all are clicked alike everywhere, Chengdu clicks the first ones and Harbin the
// last ones.
class SegmentsTest : public RetrievalTest {
 protected:
  SegmentsTest() {
    ranking_.retrieve_k = 10;
    ranking_.popular_k = 4;
    ranking_.fresh_k = 0;
    for (int i = 0; i < 40; ++i) put("i" + std::to_string(10 + i), "fruit");
    add_program("all", Value::Object{});
    see();
    for (const auto& [city, first] : {std::pair{"chengdu", 0}, {"harbin", 30}}) {
      for (int i = 0; i < 40; ++i) {
        const bool liked = i >= first && i < first + 10;
        show(city, "i" + std::to_string(10 + i), 10, liked ? 5 : 1);
      }
    }
    retriever_->refresh(world_, rates_, &rates_of_segments_);
  }
  void show(std::string_view city, const std::string& id, int impressions, int clicks) {
    for (const uint64_t segment : {in(city)[0], in(city)[1]}) {
      for (int n = 0; n < impressions; ++n) {
        rates_of_segments_.impression(segment, interner_.find(id), kTestNow);
        if (n < clicks) rates_of_segments_.click(segment, interner_.find(id), kTestNow);
      }
    }
  }
  static Segments in(std::string_view city) {
    RankRequest request;
    request.city = city;
    return segments_of(request);
  }
  float lift(std::string_view city, const std::string& id) {
    return retriever_->current()->popular_of_segments().lift(in(city), interner_.find(id));
  }

  SegmentRates rates_of_segments_{{}};
};

TEST_F(SegmentsTest, SomebodyOfWhomNothingIsKnownGetsWhatTheirCityClicks) {
  ranking_.popular_k = 0;  // no places but those that nobody took
  for (const auto& [city, liked] : {std::pair{"chengdu", 10}, {"harbin", 40}}) {
    segments_ = in(city);
    std::set<std::string> found;
    for (const std::string& id : retrieve(Vector{})) found.insert(id);
    EXPECT_EQ(found.size(), 10U);
    for (int i = liked; i < liked + 10; ++i) EXPECT_TRUE(found.contains("i" + std::to_string(i)));
  }
}

TEST_F(SegmentsTest, AnotherCityGetsWhatTheSurfaceClicksAndAnotherSurfaceWhatAllClick) {
  segments_ = in("lhasa");
  for (const std::string& id : retrieve(Vector{})) EXPECT_TRUE(id < "i20" || id >= "i40") << id;
  rates_.clicks[interner_.find("i33")] = 7;
  retriever_->refresh(world_, rates_, &rates_of_segments_);
  segments_ = {1, 2};
  EXPECT_EQ(retrieve(Vector{}).front(), "i33");
}

TEST_F(SegmentsTest, AKnownTasteGoesFirstAndLeavesPlacesToTheCity) {
  segments_ = in("harbin");
  const std::vector<std::string> found = retrieve(taste("i25"));
  EXPECT_EQ(found.front(), "i25");
  EXPECT_TRUE(has(found, "i40") && has(found, "i41"));
}

// Expected clicks of an item are its share of the city's impressions times all its clicks: 2 for
// each of 40 goods with 80 clicks in all. Then ln((5 + 3) / (2 + 3)), ln((1 + 3) / (2 + 3)).
TEST_F(SegmentsTest, LiftsTellGoodsApartAndNotTheCityFromOthers) {
  EXPECT_NEAR(lift("chengdu", "i10"), std::log(8.0 / 5), 1e-5);
  EXPECT_NEAR(lift("chengdu", "i40"), std::log(4.0 / 5), 1e-5);
  EXPECT_NEAR(lift("harbin", "i10"), std::log(4.0 / 5), 1e-5);
  EXPECT_EQ(lift("chengdu", "i99"), 0);
  Retrieved of_a_liked;
  std::vector<Retrieved> out;
  retriever_->retrieve({}, in("chengdu"), *world_, ranking_, 1, out);
  for (const Retrieved& r : out) {
    if (r.item == interner_.find("i10")) of_a_liked = r;
  }
  EXPECT_NEAR(of_a_liked.segment_lift, std::log(8.0 / 5), 1e-5);
  const Vector interest = taste("i10");
  retriever_->retrieve({&interest, 1}, in("chengdu"), *world_, ranking_, 1, out);
  for (const Retrieved& r : out) EXPECT_EQ(r.segment_lift, 0);
}

TEST_F(RetrievalTest, BeforeTheFirstIndexNothingIsFound) {
  add_program("all", Value::Object{});
  put("a", "fruit");
  see();
  EXPECT_TRUE(retrieve(Vector{1}).empty());
}

TEST_F(RetrievalTest, SmallProgramsComeFirstWhoeverLooks) {
  add_program("notices", Value::Object{{"category", "notice"}});
  add_program("fruits", Value::Object{{"category", "fruit"}});
  for (int i = 0; i < 50; ++i) put("fruit" + std::to_string(i), "fruit");
  put("n1", "notice");
  put("n2", "notice");
  ranking_.retrieve_k = 10;
  ranking_.fresh_k = ranking_.popular_k = 2;
  refresh();
  for (const Vector& interest : {Vector{}, taste("fruit3"), taste("n1")}) {
    const std::vector<std::string> found = retrieve(interest);
    ASSERT_EQ(found.size(), 10U);
    EXPECT_EQ(found[0], "n1");
    EXPECT_EQ(found[1], "n2");
  }
}

TEST_F(RetrievalTest, ManySmallProgramsTakeTurnsInHalfOfThePlacesBehindUrgentOnes) {
  for (int i = 0; i < 30; ++i) {
    const std::string category = "c" + std::to_string(10 + i);
    add_program("small" + std::to_string(10 + i), Value::Object{{"category", category}});
    put("good" + std::to_string(10 + i), category);
  }
  add_program("all", Value::Object{{"category", "fruit"}});
  for (int i = 0; i < 50; ++i) put("fruit" + std::to_string(i), "fruit");
  auto notice = std::make_shared<Program>(*programs_->programs.front());
  notice->id = ProgramId(std::string_view("notice"));
  notice->urgent = true;
  notice->items = Condition::compile(Value::Object{{"category", "notice"}}, {}).value();
  programs_->programs.insert(programs_->programs.begin(), notice);
  put("lost", "notice");
  ranking_.retrieve_k = 20;
  ranking_.fresh_k = ranking_.popular_k = 3;
  refresh();
  std::map<std::string, int> seen;
  for (uint64_t turn = 0; turn < 60; ++turn) {
    int small = 0;
    for (const std::string& id : retrieve(taste("fruit3"), turn)) {
      ++seen[id];
      small += id.starts_with("good") || id == "lost" ? 1 : 0;
    }
    EXPECT_GE(small, 10) << turn;  // and what comes by another way
  }
  EXPECT_EQ(seen["lost"], 60);
  for (int i = 0; i < 30; ++i) EXPECT_GE(seen["good" + std::to_string(10 + i)], 60 * 9 / 30) << i;
}

TEST_F(RetrievalTest, InTurnEveryItemIsMetBySomebody) {
  options_.small_program_items = 0;
  refresh_with(options_);
  add_program("all", Value::Object{});
  for (int i = 0; i < 100; ++i) put("item" + std::to_string(i), "fruit");
  ranking_.retrieve_k = 20;
  ranking_.fresh_k = ranking_.popular_k = 2;
  ranking_.in_turn_k = 10;
  refresh();
  std::set<std::string> met;
  for (uint64_t turn = 0; turn < 200; ++turn) {
    const std::vector<std::string> found = retrieve(taste("item3"), 1'000 * turn);
    EXPECT_EQ(found, retrieve(taste("item3"), 1'000 * turn));
    met.insert(found.begin(), found.end());
  }
  EXPECT_EQ(met.size(), 100U);
}

TEST_F(RetrievalTest, ItemsOfNoProgramAreNeverFound) {
  add_program("fruits", Value::Object{{"category", "fruit"}});
  put("apple", "fruit");
  put("hammer", "tool");
  rates_.clicks[interner_.find("hammer")] = 100;
  refresh();
  EXPECT_EQ(retrieve(taste("hammer")), (std::vector<std::string>{"apple"}));
}

TEST_F(RetrievalTest, TheNearestToTheViewerComeInTheirOrder) {
  options_.small_program_items = 0;
  add_program("all", Value::Object{});
  for (int i = 0; i < 60; ++i) put("i" + std::to_string(i), "c" + std::to_string(i % 6));
  ranking_.retrieve_k = 8;
  ranking_.fresh_k = ranking_.popular_k = 0;
  refresh_with(options_);
  const Vector interest = taste("i7");
  const std::vector<std::string> found = retrieve(interest);
  ASSERT_EQ(found.size(), 8U);
  EXPECT_EQ(found[0], "i7");
  std::vector<std::pair<float, std::string>> all;
  for (int i = 0; i < 60; ++i) {
    const std::string id = "i" + std::to_string(i);
    all.emplace_back(-dot(interest, taste(id)), id);
  }
  std::sort(all.begin(), all.end());
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(found[i], all[i].second) << i;
}

TEST_F(RetrievalTest, SeveralInterestsShareThePlacesAndTheirMiddleHasNone) {
  options_.small_program_items = 0;
  add_program("all", Value::Object{});
  for (int i = 0; i < 60; ++i) put("i" + std::to_string(i), "c" + std::to_string(i % 6));
  ranking_.retrieve_k = 9;
  ranking_.fresh_k = ranking_.popular_k = 0;
  refresh_with(options_);
  const std::vector<Vector> interests = {taste("i1"), taste("i2"), taste("i3")};
  std::vector<Retrieved> found;
  retriever_->retrieve(interests, segments_, *world_, ranking_, 1, found);
  std::map<std::string, int> places;
  for (const Retrieved& item : found) {
    const CatalogueItem& entry = *world_->item(item.item);
    ++places[entry.item.category];
    float nearest = -1;
    for (const Vector& interest : interests)
      nearest = std::max(nearest, dot(interest, entry.vector));
    EXPECT_NEAR(item.similarity, nearest, 1e-6);
  }
  EXPECT_EQ(places, (std::map<std::string, int>{{"c2", 4}, {"c3", 5}}));
}

// Amid a swap: vectors of two models cannot be compared.
TEST_F(RetrievalTest, AnIndexOfAnotherModelIsNotSearched) {
  options_.small_program_items = 0;
  add_program("all", Value::Object{});
  for (int i = 0; i < 60; ++i) put("i" + std::to_string(i), "fruit");
  ranking_.retrieve_k = 5;
  ranking_.fresh_k = 0;
  ranking_.popular_k = 2;
  refresh_with(options_);
  const std::vector<std::string> nearest = retrieve(taste("i7"));
  EXPECT_EQ(nearest[0], "i7");
  VectorModelParts parts;
  parts.version = "v1";
  parts.items = {"i7"};
  parts.evidence = {100};
  parts.histories = std::vector<float>(kDims, 0.125F);
  parts.candidates = parts.histories;
  world_ = with_model(*world_, VectorModel::make(std::move(parts)).value());
  std::vector<Retrieved> found;
  const Vector interest = world_->candidate(interner_.find("i7"));
  retriever_->retrieve({&interest, 1}, segments_, *world_, ranking_, 1, found);
  EXPECT_EQ(found.size(), 5U);  // popular ones
  EXPECT_EQ(world_->item(found[0].item)->item.id.view(), "i0");
  retriever_->refresh(world_, rates_);
  retriever_->retrieve({&interest, 1}, segments_, *world_, ranking_, 1, found);
  EXPECT_EQ(world_->item(found[0].item)->item.id.view(), "i7");
  EXPECT_NEAR(found[0].similarity, 1, 1e-5);
}

TEST_F(RetrievalTest, FreshAndPopularItemsHaveTheirPlaces) {
  options_.small_program_items = 0;
  add_program("all", Value::Object{});
  for (int i = 0; i < 60; ++i) put("i" + std::to_string(i), "fruit", "plum");
  put("newest", "tool", "hammer", 2'000);
  put("newer", "tool", "saw", 1'000);
  put("loved", "tool", "nail", 0);
  rates_.clicks[interner_.find("loved")] = 9;
  ranking_.retrieve_k = 6;
  ranking_.fresh_k = 2;
  ranking_.popular_k = 1;
  refresh_with(options_);
  const std::vector<std::string> found = retrieve(taste("i0"));
  ASSERT_EQ(found.size(), 6U);
  EXPECT_EQ(found[3], "newest");
  EXPECT_EQ(found[4], "newer");
  EXPECT_EQ(found[5], "loved");
}

TEST_F(RetrievalTest, WithoutAVectorPopularAndFreshItemsFillThePage) {
  options_.small_program_items = 0;
  add_program("all", Value::Object{});
  for (int i = 0; i < 60; ++i) put("i" + std::to_string(i), "fruit", "", i);
  for (int i = 0; i < 30; ++i) {
    rates_.clicks[interner_.find("i" + std::to_string(i))] = static_cast<float>(i + 1);
  }
  ranking_.retrieve_k = 20;
  ranking_.fresh_k = ranking_.popular_k = 3;
  refresh_with(options_);
  const std::vector<std::string> found = retrieve(Vector{});
  ASSERT_EQ(found.size(), 20U);
  EXPECT_EQ(found[0], "i59");
  EXPECT_EQ(found[3], "i29");
  EXPECT_EQ(found[6], "i26");
}

TEST_F(RetrievalTest, NeverMoreThanAskedAndAllWhenThereAreFew) {
  add_program("all", Value::Object{});
  add_program("some", Value::Object{{"category", "c1"}});
  for (int i = 0; i < 40; ++i) put("i" + std::to_string(i), "c" + std::to_string(i % 20));
  refresh();
  for (const int k : {1, 2, 7, 39, 40, 41, 1'000}) {
    ranking_.retrieve_k = k;
    EXPECT_EQ(retrieve(taste("i3")).size(), static_cast<size_t>(std::min(k, 40))) << k;
    EXPECT_EQ(retrieve(Vector{}).size(), static_cast<size_t>(std::min(k, 40))) << k;
  }
}

TEST_F(RetrievalTest, AChangedItemIsFoundByItsNewVectorAlone) {
  add_program("all", Value::Object{});
  for (int i = 0; i < 100; ++i) put("i" + std::to_string(i), "fruit", "plum " + std::to_string(i));
  put("turncoat", "tea", "green leaves");
  refresh();
  const Vector tea = taste("turncoat");
  put("turncoat", "tool", "steel hammer");
  const VectorIndex* vectors = &retriever_->current()->vectors();
  refresh();
  ASSERT_EQ(&retriever_->current()->vectors(), vectors) << "built anew for one item";
  std::vector<VectorHit> all;
  retriever_->current()->nearest(tea, 200, all);
  EXPECT_EQ(all.size(), 101U);
  const ItemIndex turncoat = interner_.find("turncoat");
  for (const VectorHit& hit : all) {
    if (hit.item != turncoat) continue;
    EXPECT_NEAR(hit.similarity, dot(tea, taste("turncoat")), 1e-6);
    EXPECT_LT(hit.similarity, 0.9F);
  }
}

TEST_F(RetrievalTest, ADeletedItemIsNotFoundEvenBeforeTheIndexKnows) {
  add_program("all", Value::Object{});
  for (int i = 0; i < 50; ++i) put("i" + std::to_string(i), "fruit", "", i);
  rates_.clicks[interner_.find("i49")] = 5;
  refresh();
  const Vector interest = taste("i49");
  ASSERT_TRUE(has(retrieve(interest), "i49"));
  remove("i49");
  see();
  EXPECT_FALSE(has(retrieve(interest), "i49"));
  EXPECT_EQ(retrieve(interest).size(), 49U);
  retriever_->refresh(world_, rates_);
  EXPECT_FALSE(has(retrieve(interest), "i49"));
  put("i49", "fruit");
  refresh();
  EXPECT_TRUE(has(retrieve(interest), "i49"));
}

TEST_F(RetrievalTest, AnItemThatLeavesItsProgramIsNotFoundEvenBeforeTheIndexKnows) {
  add_program("fruits", Value::Object{{"category", "fruit"}});
  for (int i = 0; i < 10; ++i) put("i" + std::to_string(i), "fruit");
  refresh();
  put("i3", "tool");
  see();
  EXPECT_FALSE(has(retrieve(Vector{}), "i3"));
  EXPECT_FALSE(has(retrieve(taste("i3")), "i3"));
}

TEST_F(RetrievalTest, WhenTheNearestAllGoTheNextNearestAreFound) {
  options_.small_program_items = 0;
  options_.fresh_pool = options_.popular_pool = 0;
  add_program("all", Value::Object{});
  for (int i = 0; i < 400; ++i) put("gone" + std::to_string(i), "tea", "leaf");
  for (int i = 0; i < 400; ++i) put("stays" + std::to_string(i), "fruit", "plum");
  ranking_.retrieve_k = 20;
  ranking_.fresh_k = ranking_.popular_k = 0;
  refresh_with(options_);
  const Vector tea = taste("gone0");
  const VectorIndex* vectors = &retriever_->current()->vectors();
  for (int i = 0; i < 400; ++i) remove("gone" + std::to_string(i));
  refresh();
  ASSERT_EQ(&retriever_->current()->vectors(), vectors);
  EXPECT_EQ(retrieve(tea).size(), 20U);
}

TEST_F(RetrievalTest, TheWatchedRecallIsThatOfTheViewersWhoCame) {
  options_.small_program_items = 0;
  options_.index.exact_below = 0;
  options_.index.recall_target = 0.5;
  options_.watch.one_in = 1;
  options_.watch.samples_max = 5;
  retriever_ = std::make_unique<IndexRetriever>(options_);
  EXPECT_EQ(retriever_->watched_recall().wanted, 0U) << "without an index";
  add_program("all", Value::Object{});
  for (int i = 0; i < 3'000; ++i) {
    put("i" + std::to_string(i), "c" + std::to_string(i % 40), "plum " + std::to_string(i));
  }
  refresh();
  const RetrievalIndex& index = *retriever_->current();
  ASSERT_GT(index.vectors().probes(), 0);
  const auto k = static_cast<size_t>(options_.index.recall_k);
  uint64_t found = 0;
  for (int i = 0; i < 5; ++i) {
    retrieve(taste("i" + std::to_string(i)));
    std::vector<VectorHit> exact, hits;
    index.vectors().search_exact(taste("i" + std::to_string(i)), k, exact);
    index.nearest(taste("i" + std::to_string(i)), k, hits);
    for (const VectorHit& hit : hits) {
      found += std::any_of(exact.begin(), exact.end(),
                           [&](const VectorHit& wanted) { return wanted.item == hit.item; });
    }
  }
  retrieve(taste("i77"));  // a sixth
  retrieve(Vector{});
  const RecallWatch::Recall recall = retriever_->watched_recall();
  EXPECT_EQ(recall.wanted, 5 * k);
  EXPECT_EQ(recall.found, found);
  EXPECT_LT(recall.found, recall.wanted) << "an index that misses nothing shows nothing";
  EXPECT_EQ(retriever_->watched_recall().wanted, 0U) << "counted twice";
}

TEST_F(RetrievalTest, OneRequestInSoManyIsWatched) {
  options_.watch.one_in = 50;
  options_.watch.samples_max = 1'000;
  add_program("all", Value::Object{});
  put("a", "fruit");
  refresh_with(options_);
  for (uint64_t turn = 0; turn < 10'000; ++turn) retrieve(taste("a"), turn);
  const RecallWatch::Recall recall = retriever_->watched_recall();
  EXPECT_EQ(recall.found, recall.wanted);
  EXPECT_NEAR(static_cast<double>(recall.wanted), 200, 60);

  options_.watch.one_in = 0;
  refresh_with(options_);
  for (uint64_t turn = 0; turn < 1'000; ++turn) retrieve(taste("a"), turn);
  EXPECT_EQ(retriever_->watched_recall().wanted, 0U);
}

// The same set as an index built at once, over random histories; scans are exact, so nothing may
// differ.
TEST_F(RetrievalTest, AnyHistoryOfChangesFindsWhatAFreshIndexFinds) {
  options_.delta_always_allowed = 40;
  add_program("all", Value::Object{{"category", Value::Object{{"$ne", "hidden"}}}});
  add_program("rare", Value::Object{{"category", "c7"}});
  std::mt19937 random(8);
  ranking_.retrieve_k = 40;
  ranking_.fresh_k = ranking_.popular_k = 6;
  retriever_ = std::make_unique<IndexRetriever>(options_);
  std::set<const VectorIndex*> built;
  for (int round = 0; round < 60; ++round) {
    for (uint32_t changes = random() % (round == 0 ? 1'000U : 30U); changes > 0; --changes) {
      const std::string id = "i" + std::to_string(random() % 400);
      const std::string category =
          random() % 8 == 0 ? "hidden" : "c" + std::to_string(random() % 8);
      if (random() % 4 == 0) {
        remove(id);
      } else {
        put(id, category, "t" + std::to_string(random() % 50), static_cast<int>(random() % 99));
      }
    }
    refresh();
    built.insert(&retriever_->current()->vectors());
    IndexRetriever fresh(options_);
    fresh.refresh(world_, rates_);
    for (int query = 0; query < 5; ++query) {
      Vector interest{};
      add_text("t" + std::to_string(random() % 50), 1, 1, interest);
      std::vector<VectorHit> one, other;
      retriever_->current()->nearest(interest, 25, one);
      fresh.current()->nearest(interest, 25, other);
      ASSERT_EQ(one.size(), other.size());
      for (size_t i = 0; i < one.size(); ++i) {
        ASSERT_EQ(one[i].item, other[i].item) << round;
        ASSERT_NE(world_->item(one[i].item), nullptr);
      }
      retrieve(interest);
    }
    EXPECT_EQ(retriever_->current()->fresh(), fresh.current()->fresh());
    EXPECT_EQ(retriever_->current()->small_programs(), fresh.current()->small_programs());
  }
  EXPECT_GT(built.size(), 3U) << "never built anew";
  EXPECT_LT(built.size(), 50U) << "always built anew";
}

TEST_F(RetrievalTest, ALargeCatalogueWithADeltaStaysWithinTheRecallItPromises) {
  options_.index.exact_below = 2'000;
  options_.small_program_items = 0;
  add_program("all", Value::Object{});
  std::mt19937 random(9);
  const auto put_some = [&](int i) {
    put("i" + std::to_string(i), "c" + std::to_string(random() % 30),
        "t" + std::to_string(random() % 300));
  };
  for (int i = 0; i < 6'000; ++i) put_some(i);
  refresh_with(options_);
  for (int i = 0; i < 800; ++i) put_some(static_cast<int>(random() % 6'400));
  for (int i = 0; i < 300; ++i) remove("i" + std::to_string(random() % 6'400));
  refresh();
  ASSERT_GT(retriever_->current()->vectors().probes(), 0);
  RetrievalOptions exact = options_;
  exact.index.exact_below = 1 << 30;
  IndexRetriever oracle(exact);
  oracle.refresh(world_, rates_);
  size_t hits = 0, wanted = 0;
  for (int query = 0; query < 100; ++query) {
    Item item;
    item.category = "c" + std::to_string(random() % 30);
    item.title = "t" + std::to_string(random() % 300);
    std::vector<VectorHit> one, other;
    retriever_->current()->nearest(encode_item(item, {}), 100, one);
    oracle.current()->nearest(encode_item(item, {}), 100, other);
    std::set<ItemIndex> found;
    for (const VectorHit& hit : one) found.insert(hit.item);
    ASSERT_EQ(found.size(), 100U);
    for (const VectorHit& hit : other) hits += found.count(hit.item);
    wanted += other.size();
  }
  EXPECT_GE(static_cast<double>(hits) / static_cast<double>(wanted), 0.98);
}

}  // namespace
}  // namespace shanhuo
