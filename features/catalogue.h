// The catalogue: every known item and creator, and what operators have blocked.
//
// Two classes. `Catalogue` is an immutable snapshot: readers hold it by shared_ptr for the length
// of a request and need no lock. `CatalogueState` is the fold's side: one thread applies changes
// and publishes the next snapshot; what did not change is shared with the one before.
//
// Items have dense indices (ItemIndex) given out by the Interner, which the counters of
// item_state.h share: an item that was only seen in events has an index and counters, but no entry
// here until it is put. Look an id up by Interner::find, then Catalogue::at.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/ids.h"
#include "base/published.h"
#include "features/interner.h"
#include "features/item.h"
#include "features/state_machine.h"

namespace shanhuo {

// The 32-bit name of a creator or a category in affinities; 0 stands for none and for the empty
// text.
inline uint32_t key_hash(std::string_view text) {
  return text.empty() ? 0 : static_cast<uint32_t>(hash64(text)) | 1U;
}

// What is derived from an item when it is put, so that nobody derives it twice.
struct alignas(64) CatalogueItem {
  ItemIndex index = kNoItem;
  bool in_832 = false;        // its county is one of the 832
  uint32_t creator_hash = 0;  // key_hash of the creator's id, the key of creator affinities
  uint32_t category_hash = 0;
  int32_t county_code = 0;  // 0: none
  Item item;
  alignas(64) Vector vector{};  // the given embedding, else from text; unit length (or all zero)
};

// One change of the items topic, decoded. A forgotten field means "not set": an upsert replaces the
// whole item.
struct ItemDeleted {
  ItemId id;
};
struct BlockChange {
  BlockKind kind = BlockKind::kItem;
  std::string id;
  bool blocked = true;
};
using CatalogueChange = std::variant<Item, ItemDeleted, Creator, BlockChange>;

class Catalogue {
 public:
  static constexpr size_t kChunk = 1024;
  using Chunk = std::array<std::shared_ptr<const CatalogueItem>, kChunk>;
  // What belongs to one creator: what was put about it, if anything, and its present items.
  struct CreatorEntry {
    std::shared_ptr<const Creator> creator;
    std::set<ItemIndex> items;
  };
  using CreatorShard = std::unordered_map<std::string, std::shared_ptr<const CreatorEntry>>;
  static constexpr size_t kCreatorShards = 256;  // by hash of the id

  // nullptr when there is no such item (or it was deleted). Lives as long as this snapshot.
  const CatalogueItem* at(ItemIndex index) const {
    const size_t chunk = index / kChunk;
    return chunk < chunks.size() && chunks[chunk] ? (*chunks[chunk])[index % kChunk].get()
                                                  : nullptr;
  }
  const Creator* creator(const CreatorId& id) const;  // nullptr: never put
  // Present items of a creator (put or not), ascending by index.
  std::vector<ItemIndex> items_of(const CreatorId& id) const;
  bool blocked(const CatalogueItem& item) const {
    return (!blocked_items.empty() && blocked_items.contains(item.item.id.str())) ||
           (!blocked_creators.empty() && blocked_creators.contains(item.item.creator_id.str()));
  }
  bool blocks_items() const { return !blocked_items.empty() || !blocked_creators.empty(); }
  bool program_blocked(const ProgramId& id) const { return blocked_programs.contains(id.str()); }

  uint64_t version = 0;  // grows with every published change
  size_t items = 0;      // present ones
  std::vector<std::shared_ptr<const Chunk>> chunks;
  std::array<std::shared_ptr<const CreatorShard>, kCreatorShards> creators;
  std::unordered_set<std::string> blocked_items, blocked_creators, blocked_programs;

 private:
  friend class CatalogueState;
  const CreatorEntry* creator_entry(const std::string& id) const;
};

// Makes an item's vector when the caller gave none. Pure; called on the fold's thread.
using ItemEncoder = std::function<Vector(const Item&)>;

// The fold's side. One writer thread; snapshot() from any thread.
class CatalogueState final : public Checkpointed {
 public:
  CatalogueState(Interner& interner, ItemEncoder encoder);

  // Applies one change. Refuses (kConflict) a change of kind, creator_id or county of an item that
  // is there, and (kUnavailable) an item when the interner is full; deleting what is not there is
  // no error. Not visible to readers before publish().
  Status apply(const CatalogueChange& change);
  void publish();
  std::shared_ptr<const Catalogue> snapshot() const { return published_.get(); }
  // As of the last apply(), published or not; writer's thread only. nullptr: no such item.
  const CatalogueItem* at(ItemIndex index) const { return next_->at(index); }
  // Hints that at() and a look at the item come soon: first its place, then, some work later, what
  // the fold reads of it, with its vector or without.
  void prefetch(ItemIndex index) const;
  void prefetch_item(ItemIndex index, bool with_vector) const;

  // Checkpointed: keys "ci" + item id, "cc" + creator id, "cb" + digit of the kind + id; values in
  // the codec of set_codec(), which must have been called before. restore() publishes.
  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

  // Bytes of a change, and back; given by the composition root since the codec stands in
  // streaming/.
  struct Codec {
    std::function<std::string(const CatalogueChange&)> encode;
    std::function<Result<CatalogueChange>(std::string_view)> decode;
  };
  void set_codec(Codec codec) { codec_ = std::move(codec); }

 private:
  class ItemMemory;
  template <typename T>
  class ItemAllocator;

  Status apply_item(const Item& item);
  void apply_deleted(const ItemDeleted& deleted);
  void apply_creator(const Creator& creator);
  void apply_block(const BlockChange& change);
  Catalogue::Chunk& writable_chunk(ItemIndex index);
  Catalogue::CreatorEntry& writable_creator(const std::string& id);
  void changed(std::string key);
  std::shared_ptr<const Catalogue> share_next();
  void write(const std::string& key);

  Interner& interner_;
  ItemEncoder encoder_;
  Codec codec_;
  const std::shared_ptr<ItemMemory> memory_;
  std::shared_ptr<Catalogue> next_;        // being written
  std::unordered_set<size_t> own_chunks_;  // parts of next_ that no snapshot shares
  std::unordered_set<size_t> own_shards_;
  std::array<std::unordered_set<std::string>, Catalogue::kCreatorShards> own_creators_;
  bool changed_ = false;
  std::set<std::string> dirty_;              // keys changed since the last checkpoint
  std::set<std::string> frozen_keys_;        // keys of the running checkpoint, not yet written
  std::shared_ptr<const Catalogue> frozen_;  // the state that it writes
  StateWriter* writer_ = nullptr;
  Published<Catalogue> published_;
};

}  // namespace shanhuo
