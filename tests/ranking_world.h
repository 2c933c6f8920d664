// Small random worlds for ranking's tests: a catalogue made directly, programs that match by item
// field, a retriever that returns everything, prices at will.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "ranking/recommender.h"

namespace shanhuo {

inline constexpr Millis kTestNow{1'789'900'000'000};

class EveryItem final : public Retriever {
 public:
  void retrieve(std::span<const Vector> interests, const Segments& /*segments*/, const World& world,
                const RankingOptions& options, uint64_t /*turn*/,
                std::vector<Retrieved>& out) override {
    const auto all = world.boostable();
    out.clear();
    for (size_t i = 0; i < std::min<size_t>(all.size(), options.retrieve_k); ++i) {
      out.push_back({all[i], similarity_of(interests, world.candidate(all[i]))});
    }
  }
};

class NoRates final : public ItemRatesReader {
 public:
  ItemRates rates(ItemIndex) const override { return {}; }
};

// Everything of one case, owned.
struct TestWorld {
  std::shared_ptr<Catalogue> catalogue = std::make_shared<Catalogue>();
  std::shared_ptr<ProgramSet> programs = std::make_shared<ProgramSet>();
  std::shared_ptr<const World> world;
  PriceTable prices;
  RankingOptions options;
  ViewerState viewer;
  Insertions insertions;
  EveryItem retriever;
  NoRates rates;
  uint64_t seed = 1;

  void put(std::vector<CatalogueItem> items) {
    auto chunk = std::make_shared<Catalogue::Chunk>();
    for (size_t i = 0; i < items.size(); ++i) {
      items[i].index = static_cast<ItemIndex>(i);
      items[i].creator_hash = key_hash(items[i].item.creator_id.view());
      items[i].category_hash = key_hash(items[i].item.category);
      (*chunk)[i] = std::make_shared<CatalogueItem>(std::move(items[i]));
    }
    catalogue->chunks = {chunk};
  }
  Program& add_program(std::string_view id, const Value& items) {
    auto program = std::make_shared<Program>();
    program->id = ProgramId(id);
    program->items = Condition::compile(items, {}).value();
    program->surfaces.fill(true);
    program->start = kTestNow - kDay;
    program->end = kTestNow + kDay;
    program->goals.push_back(
        {GoalUnit::kViewable, 100, 110, GoalPeriod::kTotal, Surface::kNone, 3});
    programs->programs.push_back(program);
    return *program;
  }
  // Last: makes the world and a table of prices.
  void finish(double price = 1) {
    programs->version = "v1";
    world = build_world(catalogue, programs);
    prices.version = 7;
    prices.programs_version = "v1";
    prices.programs.assign(programs->programs.size(), ProgramPrice{});
    for (ProgramPrice& p : prices.programs) p.fen_per_unit = price;
  }
  RankContext context() {
    return {viewer, insertions, *world, prices, rates, retriever, options, {}, seed};
  }
};

inline CatalogueItem farm_good(std::string id, std::string creator = "c",
                               std::string category = "") {
  CatalogueItem entry;
  entry.item.id = ItemId(std::move(id));
  entry.item.kind = ItemKind::kFarmGood;
  entry.item.creator_id = CreatorId(std::move(creator));
  entry.item.category = std::move(category);
  return entry;
}

// Ids live in `ids`; scores fall.
inline RankRequest request_of(const std::vector<std::string>& ids, int count) {
  RankRequest request;
  request.request_id = "r";
  request.user_id = "u";
  request.now = kTestNow;
  request.count = count;
  double score = 0.5;
  for (const std::string& id : ids) {
    RankCandidate candidate;
    candidate.item_id = id;
    candidate.score = score *= 0.9;
    request.candidates.push_back(candidate);
  }
  return request;
}

}  // namespace shanhuo
