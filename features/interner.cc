// The table is a power of two of 8-byte slots, at most half full, linear probing:
//
//   slot := 0 (free)  |  upper 32 bits of the hash << 32  |  index + 1
//
// A slot is written once, after the entry it names, and never changes; growing makes a new table of
// all entries and publishes it. So a reader that still looks into the old table misses only ids
// that were given after it began, as if it had looked a moment earlier. Comparing 32 bits of the
// hash first leaves about one look at an entry's bytes per lookup.
//
// Tested by tests/features_interner_test.cc, with readers beside a writer.
#include "features/interner.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr size_t kSlotsMin = 1024;
constexpr size_t kBlockBytes = 64 * 1024;
constexpr uint64_t kTagMask = 0xFFFFFFFF00000000ULL;

std::string_view view(const char* text) {
  uint16_t size = 0;
  std::memcpy(&size, text, sizeof(size));
  return {text + sizeof(size), size};
}

}  // namespace

struct Interner::Table {
  struct Slot {
    std::atomic<uint64_t> word{0};
    std::atomic<const char*> text{nullptr};
  };

  Table(size_t slot_count, std::pmr::memory_resource* memory)
      : mask(slot_count - 1), slots(slot_count, memory) {}

  void place(uint64_t hash, ItemIndex index, const char* text) {
    size_t at = hash & mask;
    while (slots[at].word.load(std::memory_order_relaxed) != 0) at = (at + 1) & mask;
    slots[at].text.store(text, std::memory_order_relaxed);
    slots[at].word.store((hash & kTagMask) | (index + 1ULL), std::memory_order_release);
  }
  size_t bytes() const { return slots.size() * sizeof(Slot); }

  const size_t mask;
  std::pmr::vector<Slot> slots;
};

Interner::Interner(InternerOptions options)
    : ids_max_(std::min<size_t>(options.ids_max, kNoItem - 1)),
      chunks_(new std::atomic<const char**>[ids_max_ / kEntriesPerChunk + 1]()) {
  tables_.push_back(std::make_unique<Table>(kSlotsMin, &memory_));
  table_.store(tables_.back().get(), std::memory_order_release);
  bytes_ = tables_.back()->bytes() + (ids_max_ / kEntriesPerChunk + 1) * sizeof(void*);
}

Interner::~Interner() = default;

ItemIndex Interner::find_in(const Table& table, uint64_t hash, std::string_view id) {
  for (size_t at = hash & table.mask;; at = (at + 1) & table.mask) {
    const uint64_t word = table.slots[at].word.load(std::memory_order_acquire);
    if (word == 0) return kNoItem;
    if ((word & kTagMask) != (hash & kTagMask)) continue;
    if (view(table.slots[at].text.load(std::memory_order_relaxed)) == id) {
      return static_cast<ItemIndex>(word) - 1;
    }
  }
}

ItemIndex Interner::find(std::string_view id) const {
  return find_in(*table_.load(std::memory_order_acquire), hash64(id), id);
}

void Interner::prefetch(uint64_t hash) const {
  const Table& table = *table_.load(std::memory_order_acquire);
  __builtin_prefetch(&table.slots[hash & table.mask]);
}

ItemIndex Interner::likely(uint64_t hash) const {
  const Table& table = *table_.load(std::memory_order_acquire);
  for (size_t at = hash & table.mask;; at = (at + 1) & table.mask) {
    const uint64_t word = table.slots[at].word.load(std::memory_order_acquire);
    if (word == 0) return kNoItem;
    if ((word & kTagMask) != (hash & kTagMask)) continue;
    __builtin_prefetch(table.slots[at].text.load(std::memory_order_relaxed));
    return static_cast<ItemIndex>(word) - 1;
  }
}

std::string_view Interner::view_of(ItemIndex index) const {
  CHECK(index < size());
  const char** chunk = chunks_[index / kEntriesPerChunk].load(std::memory_order_acquire);
  return view(chunk[index % kEntriesPerChunk]);
}

ItemIndex Interner::intern(std::string_view id) {
  CHECK(id.size() <= UINT16_MAX);
  const uint64_t hash = hash64(id);
  ItemIndex index = find_in(*table_.load(std::memory_order_acquire), hash, id);
  if (index != kNoItem) return index;
  const std::lock_guard lock(mutex_);
  index = find_in(*tables_.back(), hash, id);  // another thread may have been faster
  return index != kNoItem ? index : append(hash, id);
}

ItemIndex Interner::append(uint64_t hash, std::string_view id) {
  const size_t index = size_.load(std::memory_order_relaxed);
  if (index >= ids_max_) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return kNoItem;
  }
  if (index % kEntriesPerChunk == 0) {
    own_chunks_.push_back(std::make_unique<const char*[]>(kEntriesPerChunk));
    chunks_[index / kEntriesPerChunk].store(own_chunks_.back().get(), std::memory_order_release);
    bytes_.fetch_add(kEntriesPerChunk * sizeof(void*), std::memory_order_relaxed);
  }
  const char* text = copy(id);
  own_chunks_.back()[index % kEntriesPerChunk] = text;
  if ((index + 1) * 2 > tables_.back()->slots.size()) grow();
  tables_.back()->place(hash, static_cast<ItemIndex>(index), text);
  size_.store(index + 1, std::memory_order_release);
  return static_cast<ItemIndex>(index);
}

const char* Interner::copy(std::string_view id) {
  const auto size = static_cast<uint16_t>(id.size());
  const size_t needed = sizeof(size) + size;
  if (needed > block_left_) {
    block_left_ = std::max(kBlockBytes, needed);
    block_ = static_cast<char*>(memory_.allocate(block_left_, 1));
    bytes_.fetch_add(block_left_, std::memory_order_relaxed);
  }
  char* text = block_;
  std::memcpy(text, &size, sizeof(size));
  std::memcpy(text + sizeof(size), id.data(), size);
  block_ += needed;
  block_left_ -= needed;
  return text;
}

void Interner::grow() {
  auto larger = std::make_unique<Table>(tables_.back()->slots.size() * 2, &memory_);
  for (const Table::Slot& slot : tables_.back()->slots) {
    const uint64_t word = slot.word.load(std::memory_order_relaxed);
    if (word == 0) continue;
    const char* text = slot.text.load(std::memory_order_relaxed);
    larger->place(hash64(view(text)), static_cast<ItemIndex>(word) - 1, text);
  }
  bytes_.fetch_add(larger->bytes(), std::memory_order_relaxed);
  table_.store(larger.get(), std::memory_order_release);
  tables_.push_back(std::move(larger));
}

void Interner::begin_checkpoint(StateWriter& writer) {
  CHECK(written_ == frozen_);
  writer_ = &writer;
  frozen_ = size();
}

bool Interner::checkpoint_step(size_t records_max) {
  for (; records_max > 0 && written_ < frozen_; --records_max, ++written_) {
    std::string key = "in";
    put_key32(&key, static_cast<uint32_t>(written_));
    writer_->put(key, view_of(static_cast<ItemIndex>(written_)));
  }
  return written_ == frozen_;
}

Status Interner::restore(const StateReader& reader) {
  CHECK(size() == 0);
  const Status status = reader.scan("in", [&](std::string_view key, std::string_view id) -> Status {
    key.remove_prefix(2);
    uint32_t index = 0;
    if (!take_key32(&key, &index) || !key.empty() || index != size() || intern(id) != index) {
      return Error{ErrorCode::kCorrupt, "interner: record " + std::to_string(size()) +
                                            " is missing, repeated or beyond ids_max"};
    }
    return {};
  });
  written_ = frozen_ = size();
  return status;
}

}  // namespace shanhuo
