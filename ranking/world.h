// World: what a request sees of items and programs, as one immutable snapshot: a catalogue, a set
// of programs, and which programs each item belongs to (the items condition of contract 3,
// evaluated once per item and not per request), and where each item stands in the space of the
// vectors that serve.
//
// Readers hold a World by shared_ptr for the length of a request and need no lock. build_world() is
// pure; given the previous world it evaluates conditions only for items that changed since (chunks
// and items that both catalogues share by pointer are taken over; the set of programs must be the
// same object), and lists memberships anew in one pass. Whether a program runs now, whether
// something is blocked or out of stock is not decided here but per request (eligibility.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "features/catalogue.h"
#include "models/item_vectors.h"
#include "ranking/program.h"

namespace shanhuo {

// Index into ProgramSet::programs.
using ProgramIndex = uint16_t;
inline constexpr size_t kProgramsMax = 65'535;
// An item belongs to at most so many programs, the first ones in the order of the set; the rest is
// counted in World::memberships_dropped.
inline constexpr int kProgramsOfItemMax = 16;

// What a request reads of every item that it looks at, in one cache line: hundreds of items lie
// anywhere in a memory far larger than the caches, and a page's time is mostly the wait for them.
struct alignas(64) Listing {
  std::array<ProgramIndex, kProgramsOfItemMax> programs{};  // in the order of the set
  uint8_t program_count = 0;
  uint8_t programs_dropped = 0;
  bool present = false;   // false: no such item; the rest means nothing
  bool in_stock = false;  // available, and not out of stock
  bool seasonal = false;  // its season stands in the CatalogueItem
  ItemKind kind = ItemKind::kVideo;
  uint32_t creator_hash = 0, category_hash = 0;
  int32_t county_code = 0;
  uint64_t id_hash = 0;  // hash64() of its id
};

class World {
 public:
  struct Chunk {
    std::array<Listing, Catalogue::kChunk> listings{};
    uint32_t memberships_dropped = 0;
  };

  const Catalogue& catalogue() const { return *catalogue_; }
  const ProgramSet& programs() const { return *programs_; }
  const Program& program(ProgramIndex index) const { return *programs_->programs[index]; }

  std::shared_ptr<const ProgramSet> shared_programs() const { return programs_; }
  // Programs with limits, in the order of the set.
  std::span<const ProgramIndex> limiting() const { return limiting_; }

  // nullptr: no such item now.
  const CatalogueItem* item(ItemIndex index) const { return catalogue_->at(index); }
  const Listing& listing(ItemIndex index) const {
    static constexpr Listing kAbsent;
    const size_t chunk = index / Catalogue::kChunk;
    if (chunk >= chunks_.size() || !chunks_[chunk]) return kAbsent;
    return chunks_[chunk]->listings[index % Catalogue::kChunk];
  }
  // nullptr: vectors are the catalogue's, from text.
  const VectorModel* model() const { return vectors_ ? &vectors_->model() : nullptr; }
  std::shared_ptr<const VectorModel> shared_model() const {
    return vectors_ ? vectors_->shared_model() : nullptr;
  }
  // What retrieval finds the item by: of unit length, or zero. Requires: the item is there.
  const Vector& candidate(ItemIndex index) const {
    return vectors_ ? vectors_->candidate(index) : item(index)->vector;
  }
  // What it says about a viewer who wanted it. Requires: the item is there.
  const Vector& history(ItemIndex index) const {
    return vectors_ ? vectors_->history(index) : item(index)->vector;
  }
  // The programs of an item, in the order of the set; empty for items that belong to none.
  std::span<const ProgramIndex> programs_of(ItemIndex index) const {
    const Listing& entry = listing(index);
    return {entry.programs.data(), entry.program_count};
  }
  // Items that belong to at least one program, ascending. What retrieval may return.
  std::span<const ItemIndex> boostable() const { return *boostable_; }
  // Items of one program, ascending.
  std::span<const ItemIndex> items_of(ProgramIndex program) const;

  // Bit k: the item is of the program's k-th pair. Requires: the program has pairs, and the item.
  uint64_t pairs_of(ProgramIndex program, ItemIndex item) const;

  uint64_t memberships_dropped() const { return memberships_dropped_; }
  // Items whose conditions were evaluated to make this world (the rest was taken over).
  uint64_t items_evaluated() const { return items_evaluated_; }

 private:
  friend std::shared_ptr<const World> build_world(std::shared_ptr<const Catalogue>,
                                                  std::shared_ptr<const ProgramSet>,
                                                  const World* previous);
  friend std::shared_ptr<const World> with_model(const World&, std::shared_ptr<const VectorModel>);
  // Fills the lists below from chunks_.
  void index_memberships(const World* previous);
  void index_pairs();

  std::shared_ptr<const Catalogue> catalogue_;
  std::shared_ptr<const ProgramSet> programs_;
  std::shared_ptr<const ItemVectorTable> vectors_;  // nullptr: no trained model
  std::vector<std::shared_ptr<const Chunk>> chunks_;
  std::shared_ptr<const std::vector<ItemIndex>> boostable_;
  std::shared_ptr<const std::vector<std::vector<ItemIndex>>> items_of_program_;
  std::shared_ptr<const std::vector<std::vector<uint64_t>>> pairs_of_program_;  // beside it
  std::vector<ProgramIndex> limiting_;
  uint64_t memberships_dropped_ = 0;
  uint64_t items_evaluated_ = 0;
};

// Requires: both pointers are set, at most kProgramsMax programs. `previous` may be nullptr.
std::shared_ptr<const World> build_world(std::shared_ptr<const Catalogue> catalogue,
                                         std::shared_ptr<const ProgramSet> programs,
                                         const World* previous = nullptr);

// The same world with the vectors of another model; nullptr: with those from text. Costs the
// vectors of all items.
std::shared_ptr<const World> with_model(const World& world,
                                        std::shared_ptr<const VectorModel> model);

}  // namespace shanhuo
