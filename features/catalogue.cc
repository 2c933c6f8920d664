// The next snapshot is built by copying on the first write: a chunk of items or a shard of creators
// that a published snapshot (or the running checkpoint) shares is copied once, the rest is shared.
// A checkpoint keeps the snapshot of its begin and the keys that had changed, so nothing needs to
// be saved before it is written.
//
// Items stand on huge pages: the fold looks at one for nearly every event, and finding its page
// would take longer than reading it.
//
// Tested by tests/features_catalogue_test.cc.
#include "features/catalogue.h"

#include <charconv>
#include <cmath>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/huge_pool.h"
#include "features/counties.h"

namespace shanhuo {
namespace {

size_t shard_of(std::string_view creator_id) { return hash64(creator_id) >> 56; }
static_assert(Catalogue::kCreatorShards == 256);

Vector unit(const std::vector<float>& embedding) {
  Vector vector{};
  double norm2 = 0;
  for (const float x : embedding) norm2 += static_cast<double>(x) * x;
  if (norm2 <= 0) return vector;
  const double scale = 1 / std::sqrt(norm2);
  for (int i = 0; i < kDims; ++i) vector[i] = static_cast<float>(embedding[i] * scale);
  return vector;
}

std::string block_key(const BlockChange& block) {
  return std::string("cb") + static_cast<char>('0' + static_cast<int>(block.kind)) + block.id;
}

template <typename Snapshot>
auto& blocked_set(Snapshot& catalogue, BlockKind kind) {
  switch (kind) {
    case BlockKind::kItem:
      return catalogue.blocked_items;
    case BlockKind::kCreator:
      return catalogue.blocked_creators;
    case BlockKind::kProgram:
      break;
  }
  return catalogue.blocked_programs;
}

Status fixed_fields_kept(const Item& before, const Item& after) {
  const auto refuse = [&](std::string_view field) {
    return Error{ErrorCode::kConflict,
                 "item " + before.id.str() + ": " + std::string(field) + " never changes"};
  };
  if (before.kind != after.kind) return refuse("kind");
  if (before.creator_id != after.creator_id) return refuse("creator_id");
  if (before.county != after.county) return refuse("county");
  return {};
}

}  // namespace

// An item dies with the last snapshot that has it: on any thread, and maybe after the state.
class CatalogueState::ItemMemory {
 public:
  void* allocate(size_t size) {
    const std::lock_guard lock(mutex_);
    return pool_.allocate(size, alignof(CatalogueItem));
  }
  void deallocate(void* block, size_t size) {
    const std::lock_guard lock(mutex_);
    pool_.deallocate(block, size, alignof(CatalogueItem));
  }

 private:
  std::mutex mutex_;
  HugePool pool_;  // guarded by mutex_
};

// For std::allocate_shared; keeps the memory until the last item has gone.
template <typename T>
class CatalogueState::ItemAllocator {
 public:
  using value_type = T;

  explicit ItemAllocator(std::shared_ptr<ItemMemory> memory) : memory_(std::move(memory)) {}
  template <typename U>
  explicit ItemAllocator(const ItemAllocator<U>& other) : memory_(other.memory_) {}

  T* allocate(size_t n) { return static_cast<T*>(memory_->allocate(n * sizeof(T))); }
  void deallocate(T* block, size_t n) { memory_->deallocate(block, n * sizeof(T)); }
  bool operator==(const ItemAllocator& other) const { return memory_ == other.memory_; }

 private:
  template <typename U>
  friend class ItemAllocator;

  std::shared_ptr<ItemMemory> memory_;
};

const Catalogue::CreatorEntry* Catalogue::creator_entry(const std::string& id) const {
  const auto& shard = creators[shard_of(id)];
  if (!shard) return nullptr;
  const auto found = shard->find(id);
  return found == shard->end() ? nullptr : found->second.get();
}

const Creator* Catalogue::creator(const CreatorId& id) const {
  const CreatorEntry* entry = creator_entry(id.str());
  return entry == nullptr ? nullptr : entry->creator.get();
}

std::vector<ItemIndex> Catalogue::items_of(const CreatorId& id) const {
  const CreatorEntry* entry = creator_entry(id.str());
  if (entry == nullptr) return {};
  return {entry->items.begin(), entry->items.end()};
}

CatalogueState::CatalogueState(Interner& interner, ItemEncoder encoder)
    : interner_(interner),
      encoder_(std::move(encoder)),
      memory_(std::make_shared<ItemMemory>()),
      next_(std::make_shared<Catalogue>()),
      published_(std::make_shared<const Catalogue>()) {}

Status CatalogueState::apply(const CatalogueChange& change) {
  if (const auto* item = std::get_if<Item>(&change)) return apply_item(*item);
  if (const auto* deleted = std::get_if<ItemDeleted>(&change)) apply_deleted(*deleted);
  if (const auto* creator = std::get_if<Creator>(&change)) apply_creator(*creator);
  if (const auto* block = std::get_if<BlockChange>(&change)) apply_block(*block);
  return {};
}

Status CatalogueState::apply_item(const Item& item) {
  const ItemIndex index = interner_.intern(item.id.view());
  if (index == kNoItem) {
    return Error{ErrorCode::kUnavailable, "item " + item.id.str() + ": no room for another id"};
  }
  const CatalogueItem* before = next_->at(index);
  if (before != nullptr) {
    if (Status kept = fixed_fields_kept(before->item, item); !kept.ok()) return kept;
  }
  auto entry = std::allocate_shared<CatalogueItem>(ItemAllocator<CatalogueItem>(memory_));
  entry->item = item;
  entry->index = index;
  entry->vector = item.embedding.empty() ? encoder_(item) : unit(item.embedding);
  entry->in_832 = find_county_832(item.county) != nullptr;
  entry->creator_hash = key_hash(item.creator_id.view());
  entry->category_hash = key_hash(item.category);
  std::from_chars(item.county.data(), item.county.data() + item.county.size(), entry->county_code);
  if (before == nullptr) {
    ++next_->items;
    writable_creator(item.creator_id.str()).items.insert(index);
  }
  writable_chunk(index)[index % Catalogue::kChunk] = std::move(entry);
  changed("ci" + item.id.str());
  return {};
}

void CatalogueState::apply_deleted(const ItemDeleted& deleted) {
  const ItemIndex index = interner_.find(deleted.id.view());
  const CatalogueItem* before = index == kNoItem ? nullptr : next_->at(index);
  if (before == nullptr) return;
  writable_creator(before->item.creator_id.str()).items.erase(index);
  writable_chunk(index)[index % Catalogue::kChunk] = nullptr;
  --next_->items;
  changed("ci" + deleted.id.str());
}

void CatalogueState::apply_creator(const Creator& creator) {
  writable_creator(creator.id.str()).creator = std::make_shared<const Creator>(creator);
  changed("cc" + creator.id.str());
}

void CatalogueState::apply_block(const BlockChange& change) {
  auto& blocked = blocked_set(*next_, change.kind);
  const bool differs =
      change.blocked ? blocked.insert(change.id).second : blocked.erase(change.id) > 0;
  if (differs) changed(block_key(change));
}

Catalogue::Chunk& CatalogueState::writable_chunk(ItemIndex index) {
  const size_t chunk = index / Catalogue::kChunk;
  if (next_->chunks.size() <= chunk) next_->chunks.resize(chunk + 1);
  auto& place = next_->chunks[chunk];
  if (own_chunks_.insert(chunk).second) {
    place =
        place ? std::make_shared<Catalogue::Chunk>(*place) : std::make_shared<Catalogue::Chunk>();
  }
  return const_cast<Catalogue::Chunk&>(*place);  // made above, and shared with nobody yet
}

Catalogue::CreatorEntry& CatalogueState::writable_creator(const std::string& id) {
  const size_t number = shard_of(id);
  auto& place = next_->creators[number];
  if (own_shards_.insert(number).second) {
    place = place ? std::make_shared<Catalogue::CreatorShard>(*place)
                  : std::make_shared<Catalogue::CreatorShard>();
    own_creators_[number].clear();
  }
  auto& shard = const_cast<Catalogue::CreatorShard&>(*place);
  auto& entry = shard[id];
  if (own_creators_[number].insert(id).second) {
    entry = entry ? std::make_shared<Catalogue::CreatorEntry>(*entry)
                  : std::make_shared<Catalogue::CreatorEntry>();
  }
  return const_cast<Catalogue::CreatorEntry&>(*entry);
}

void CatalogueState::changed(std::string key) {
  changed_ = true;
  dirty_.insert(std::move(key));
}

std::shared_ptr<const Catalogue> CatalogueState::share_next() {
  std::shared_ptr<const Catalogue> shared = next_;
  next_ = std::make_shared<Catalogue>(*next_);
  own_chunks_.clear();
  own_shards_.clear();
  return shared;
}

void CatalogueState::prefetch(ItemIndex index) const {
  const size_t chunk = index / Catalogue::kChunk;
  if (chunk >= next_->chunks.size() || !next_->chunks[chunk]) return;
  __builtin_prefetch(&(*next_->chunks[chunk])[index % Catalogue::kChunk]);
}

void CatalogueState::prefetch_item(ItemIndex index, bool with_vector) const {
  const CatalogueItem* const entry = at(index);
  if (entry == nullptr) return;
  __builtin_prefetch(&entry->index);
  __builtin_prefetch(&entry->item.category);
  if (!with_vector) return;
  constexpr int kPerLine = 64 / sizeof(float);
  for (int i = 0; i < kDims; i += kPerLine) __builtin_prefetch(&entry->vector[i]);
}

void CatalogueState::publish() {
  if (!changed_) return;
  changed_ = false;
  ++next_->version;
  published_.set(share_next());
}

void CatalogueState::begin_checkpoint(StateWriter& writer) {
  CHECK(frozen_keys_.empty());
  writer_ = &writer;
  frozen_keys_.swap(dirty_);
  if (!frozen_keys_.empty()) frozen_ = share_next();
}

bool CatalogueState::checkpoint_step(size_t records_max) {
  for (; records_max > 0 && !frozen_keys_.empty(); --records_max) {
    write(*frozen_keys_.begin());
    frozen_keys_.erase(frozen_keys_.begin());
  }
  if (!frozen_keys_.empty()) return false;
  frozen_.reset();
  return true;
}

void CatalogueState::write(const std::string& key) {
  const std::string id = key.substr(2);
  if (key[1] == 'i') {
    const CatalogueItem* entry = frozen_->at(interner_.find(id));
    return entry == nullptr ? writer_->erase(key) : writer_->put(key, codec_.encode(entry->item));
  }
  if (key[1] == 'c') {
    return writer_->put(key, codec_.encode(*frozen_->creator(CreatorId(id))));
  }
  const BlockChange block{static_cast<BlockKind>(id[0] - '0'), id.substr(1), true};
  const bool blocked = blocked_set(*frozen_, block.kind).contains(block.id);
  return blocked ? writer_->put(key, codec_.encode(block)) : writer_->erase(key);
}

Status CatalogueState::restore(const StateReader& reader) {
  const auto visit = [&](std::string_view key, std::string_view value) -> Status {
    Result<CatalogueChange> change = codec_.decode(value);
    if (!change.ok()) return Error{ErrorCode::kCorrupt, change.error().message}.within(key);
    return apply(change.value());
  };
  for (const std::string_view prefix : {"ci", "cc", "cb"}) {
    if (Status status = reader.scan(prefix, visit); !status.ok())
      return status.error().within("catalogue");
  }
  dirty_.clear();
  publish();
  return {};
}

}  // namespace shanhuo
