#include "ranking/world.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/hash.h"
#include "ranking/attributes.h"

namespace shanhuo {
namespace {

uint64_t pairs_matching(const Program& program, const ItemAttributes& attributes) {
  uint64_t mask = 0;
  for (size_t k = 0; k < program.pairs.size(); ++k) {
    if (program.pairs[k].items.matches(attributes)) mask |= uint64_t{1} << k;
  }
  return mask;
}

Listing listing_of(const CatalogueItem& item, const Catalogue& catalogue,
                   const ProgramSet& programs) {
  Listing entry;
  entry.present = true;
  entry.in_stock = item.item.available && item.item.stock.value_or(1) > 0;
  entry.seasonal = item.item.season.has_value();
  entry.kind = item.item.kind;
  entry.creator_hash = item.creator_hash;
  entry.category_hash = item.category_hash;
  entry.county_code = item.county_code;
  entry.id_hash = hash64(item.item.id.view());
  const ItemAttributes attributes(item, catalogue.creator(item.item.creator_id));
  for (size_t p = 0; p < programs.programs.size(); ++p) {
    const Program& program = *programs.programs[p];
    if (!program.enabled || !program.items.matches(attributes)) continue;
    if (!program.pairs.empty() && pairs_matching(program, attributes) == 0) continue;
    if (entry.program_count < kProgramsOfItemMax) {
      entry.programs[entry.program_count++] = static_cast<ProgramIndex>(p);
    } else if (entry.programs_dropped < UINT8_MAX) {
      ++entry.programs_dropped;
    }
  }
  return entry;
}

// Creators of whom something else is known in `after` than in `before`. Costs the shards that
// differ.
std::unordered_set<std::string> changed_creators(const Catalogue& before, const Catalogue& after) {
  std::unordered_set<std::string> changed;
  const auto compare = [&](const Catalogue::CreatorShard* shard, const Catalogue& other) {
    if (shard == nullptr) return;
    for (const auto& [id, entry] : *shard) {
      if (entry->creator.get() != other.creator(CreatorId(id))) changed.insert(id);
    }
  };
  for (size_t i = 0; i < Catalogue::kCreatorShards; ++i) {
    if (before.creators[i] == after.creators[i]) continue;
    compare(after.creators[i].get(), before);
    compare(before.creators[i].get(), after);
  }
  return changed;
}

// Makes one chunk; `old_items` and `old_chunk` are of the previous world, or both nullptr.
struct ChunkBuilder {
  const Catalogue& catalogue;
  const ProgramSet& programs;
  const std::unordered_set<std::string>& creators;  // changed ones
  uint64_t evaluated = 0;

  std::shared_ptr<const World::Chunk> build(const Catalogue::Chunk& items,
                                            const Catalogue::Chunk* old_items,
                                            const World::Chunk* old_chunk) {
    auto chunk = std::make_shared<World::Chunk>();
    for (size_t i = 0; i < items.size(); ++i) {
      if (!items[i]) continue;
      Listing& entry = chunk->listings[i];
      if (old_items != nullptr && (*old_items)[i] == items[i] &&
          !creators.contains(items[i]->item.creator_id.str())) {
        entry = old_chunk->listings[i];
      } else {
        entry = listing_of(*items[i], catalogue, programs);
        ++evaluated;
      }
      chunk->memberships_dropped += entry.programs_dropped;
    }
    return chunk;
  }
};

}  // namespace

std::span<const ItemIndex> World::items_of(ProgramIndex program) const {
  return (*items_of_program_)[program];
}

void World::index_memberships(const World* previous) {
  memberships_dropped_ = 0;
  for (const auto& chunk : chunks_) memberships_dropped_ += chunk ? chunk->memberships_dropped : 0;
  if (previous != nullptr && previous->programs_ == programs_ && previous->chunks_ == chunks_) {
    boostable_ = previous->boostable_;
    items_of_program_ = previous->items_of_program_;
    pairs_of_program_ = previous->pairs_of_program_;
    return;
  }
  auto boostable = std::make_shared<std::vector<ItemIndex>>();
  auto lists = std::make_shared<std::vector<std::vector<ItemIndex>>>(programs_->programs.size());
  for (size_t c = 0; c < chunks_.size(); ++c) {
    if (!chunks_[c]) continue;
    for (size_t i = 0; i < Catalogue::kChunk; ++i) {
      const Listing& entry = chunks_[c]->listings[i];
      if (entry.program_count == 0) continue;
      const auto index = static_cast<ItemIndex>(c * Catalogue::kChunk + i);
      boostable->push_back(index);
      for (int k = 0; k < entry.program_count; ++k) (*lists)[entry.programs[k]].push_back(index);
    }
  }
  boostable_ = std::move(boostable);
  items_of_program_ = std::move(lists);
  index_pairs();
}

void World::index_pairs() {
  auto pairs = std::make_shared<std::vector<std::vector<uint64_t>>>(programs_->programs.size());
  for (size_t p = 0; p < programs_->programs.size(); ++p) {
    const Program& program = *programs_->programs[p];
    if (program.pairs.empty()) continue;
    for (const ItemIndex index : (*items_of_program_)[p]) {
      const CatalogueItem& entry = *item(index);
      const ItemAttributes attributes(entry, catalogue_->creator(entry.item.creator_id));
      (*pairs)[p].push_back(pairs_matching(program, attributes));
    }
  }
  pairs_of_program_ = std::move(pairs);
}

uint64_t World::pairs_of(ProgramIndex program, ItemIndex item) const {
  const std::vector<ItemIndex>& items = (*items_of_program_)[program];
  const auto at = std::lower_bound(items.begin(), items.end(), item);
  CHECK(at != items.end() && *at == item);
  return (*pairs_of_program_)[program][static_cast<size_t>(at - items.begin())];
}

std::shared_ptr<const World> build_world(std::shared_ptr<const Catalogue> catalogue,
                                         std::shared_ptr<const ProgramSet> programs,
                                         const World* previous) {
  CHECK(catalogue && programs && programs->programs.size() <= kProgramsMax);
  auto world = std::make_shared<World>();
  const bool reuse = previous != nullptr && previous->programs_ == programs;
  std::unordered_set<std::string> creators;
  if (reuse) creators = changed_creators(*previous->catalogue_, *catalogue);
  ChunkBuilder builder{*catalogue, *programs, creators};
  world->chunks_.resize(catalogue->chunks.size());
  for (size_t c = 0; c < catalogue->chunks.size(); ++c) {
    const auto& items = catalogue->chunks[c];
    if (!items) continue;
    const bool known = reuse && c < previous->chunks_.size();
    const Catalogue::Chunk* old_items = known ? previous->catalogue_->chunks[c].get() : nullptr;
    if (old_items == items.get() && creators.empty()) {
      world->chunks_[c] = previous->chunks_[c];
      continue;
    }
    const World::Chunk* old_chunk = known ? previous->chunks_[c].get() : nullptr;
    world->chunks_[c] = builder.build(*items, old_items, old_chunk);
  }
  if (previous != nullptr && previous->vectors_) {
    const ItemVectorTable& vectors = *previous->vectors_;
    world->vectors_ = ItemVectorTable::build(vectors.shared_model(), catalogue, &vectors);
  }
  world->catalogue_ = std::move(catalogue);
  world->programs_ = std::move(programs);
  world->items_evaluated_ = builder.evaluated;
  for (size_t p = 0; p < world->programs_->programs.size(); ++p) {
    if (world->programs_->programs[p]->limits) {
      world->limiting_.push_back(static_cast<ProgramIndex>(p));
    }
  }
  world->index_memberships(previous);
  return world;
}

std::shared_ptr<const World> with_model(const World& world,
                                        std::shared_ptr<const VectorModel> model) {
  auto other = std::make_shared<World>(world);
  other->vectors_ =
      model ? ItemVectorTable::build(std::move(model), world.catalogue_, nullptr) : nullptr;
  return other;
}

}  // namespace shanhuo
