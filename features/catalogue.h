// The catalogue: every known item and creator, and what operators have blocked.
//
// Two classes. `Catalogue` is an immutable snapshot: readers hold it by shared_ptr for the length of a request and need
// no lock. `CatalogueState` is the fold's side: one thread applies changes and publishes the next snapshot.
//
// Items have dense indices (ItemIndex) given out by the Interner, which the counters of item_state.h share: an item that
// was only seen in events has an index and counters, but no entry here until it is put. An index is never reused.
#pragma once

#include <atomic>
#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/published.h"
#include "features/item.h"
#include "features/state_machine.h"

namespace shanhuo {

using ItemIndex = uint32_t;
inline constexpr ItemIndex kNoItem = 0xFFFFFFFF;

// Item ids <-> dense indices. Thread-safe: one writer (the fold), any number of readers.
class Interner {
 public:
  ItemIndex intern(std::string_view id);      // the index of `id`, given now if it has none
  ItemIndex find(std::string_view id) const;  // kNoItem when it has none
  std::string id_of(ItemIndex index) const;   // Requires: index < size()
  size_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string_view, ItemIndex> index_;  // guarded by mutex_; keys live in ids_
  std::vector<std::unique_ptr<std::string>> ids_;          // guarded by mutex_
  std::atomic<size_t> size_{0};
};

// What is derived from an item when it is put, so that nobody derives it twice.
struct CatalogueItem {
  Item item;
  ItemIndex index = kNoItem;
  Vector vector{};          // the given embedding, else from text; unit length
  bool in_832 = false;      // its county is one of the 832
  uint32_t creator_hash = 0;  // 32-bit hash of the creator's id, the key of creator affinities
  uint32_t category_hash = 0;
  int32_t county_code = 0;    // 0: none
};

// One change of the items topic, decoded. A forgotten field means "not set": an upsert replaces the whole item.
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

  // nullptr when there is no such item (or it was deleted). The pointer lives as long as this snapshot.
  const CatalogueItem* at(ItemIndex index) const {
    const size_t chunk = index / kChunk;
    return chunk < chunks.size() && chunks[chunk] ? (*chunks[chunk])[index % kChunk].get() : nullptr;
  }
  const Creator* creator(const CreatorId& id) const;
  bool blocked(const CatalogueItem& item) const;
  bool program_blocked(const ProgramId& id) const { return blocked_programs.contains(id.str()); }

  uint64_t version = 0;  // grows with every published change
  size_t items = 0;      // present ones
  std::vector<std::shared_ptr<const Chunk>> chunks;
  std::shared_ptr<const std::unordered_map<std::string, Creator>> creators;
  std::unordered_set<std::string> blocked_items, blocked_creators, blocked_programs;
};

// Makes an item's vector when the caller gave none. Pure; called on the fold's thread.
using ItemEncoder = std::function<Vector(const Item&)>;

// The fold's side. One writer thread; snapshot() from any thread.
class CatalogueState final : public Checkpointed {
 public:
  CatalogueState(Interner& interner, ItemEncoder encoder);

  // Applies one change. Refuses (kConflict) a change of kind, creator_id or county of an item that is there; deleting
  // what is not there is no error. Not visible to readers before publish().
  Status apply(const CatalogueChange& change);
  void publish();
  std::shared_ptr<const Catalogue> snapshot() const { return published_.get(); }

  // Checkpointed: keys "ci" item, "cc" creator, "cb" block; values in the codec given to the constructor of the
  // store (features/catalogue_codec in streaming), see set_codec().
  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

  // Bytes of a change, and back; given by the composition root since the codec stands in streaming/.
  struct Codec {
    std::function<std::string(const CatalogueChange&)> encode;
    std::function<Result<CatalogueChange>(std::string_view)> decode;
  };
  void set_codec(Codec codec) { codec_ = std::move(codec); }

 private:
  Status apply_item(const Item& item);
  void apply_block(const BlockChange& change);
  Catalogue::Chunk& writable_chunk(ItemIndex index);

  Interner& interner_;
  ItemEncoder encoder_;
  Codec codec_;
  std::shared_ptr<Catalogue> next_;  // being written; chunks shared with the published snapshot until touched
  std::unordered_set<size_t> own_chunks_;  // chunks of next_ copied since the last publish
  bool changed_ = false;
  std::vector<std::pair<std::string, std::string>> dirty_;  // key, value ("" erases), since the last checkpoint
  Published<Catalogue> published_;
};

}  // namespace shanhuo
