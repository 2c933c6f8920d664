// A slot is hash48 * 2^16 + bucket mod 2^16. Whether it still counts is one comparison with the
// first remembered bucket, modulo 2^16 (227 days); to keep that unambiguous no slot may outlive its
// bucket by half of that, so each bucket that passes scrubs one shard: all of them within four
// days.
//
// Tested by tests/features_dedup_test.cc against a std::map.
#include "features/dedup.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory_resource>
#include <utility>

#include "base/check.h"

namespace shanhuo {
namespace {

constexpr uint64_t kHashMask = (uint64_t{1} << 48) - 1;
constexpr uint8_t kHeadVersion = 1;
constexpr size_t kHeadBytes = 1 + 8 + 8 + 8;
constexpr uint64_t kSignBit = uint64_t{1} << 63;

uint64_t stored_hash(uint64_t hash) {
  const uint64_t low = hash & kHashMask;
  return low == 0 ? 1 : low;  // a slot is never 0
}

size_t shard_number(uint64_t hash) { return hash >> 54; }

uint64_t slot_of(uint64_t hash, int64_t bucket) {
  return stored_hash(hash) << 16 | static_cast<uint16_t>(bucket);
}

// All of capacity * 3 / 4 may be in use.
bool full(size_t used, size_t capacity) { return (used + 1) * 4 > capacity * 3; }

template <typename T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
T read_raw(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

void append_big_endian(std::string& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t read_big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

}  // namespace

Deduplicator::Deduplicator(std::string_view name, const DedupOptions& options)
    : options_(options),
      prefix_("dd" + std::string(name) + ":"),
      shards_(kShards),
      ring_(std::bit_ceil(static_cast<size_t>(options.window.count() / kBucket.count() + 3))) {
  CHECK(!name.empty() && name.size() <= 16 && name.find(':') == std::string_view::npos);
  CHECK(options.window >= kHour && options.window.count() <= 30 * kDay.count());
  CHECK(options.entries_max > 0);
}

Deduplicator::~Deduplicator() { clear(); }

bool Deduplicator::live(uint64_t slot) const {
  const auto age =
      static_cast<uint16_t>(static_cast<uint16_t>(slot) - static_cast<uint16_t>(first_));
  return static_cast<int16_t>(age) >= 0;
}

bool Deduplicator::insert(uint64_t hash, Millis ts, Millis watermark) {
  advance(std::max(ts, watermark));
  const int64_t bucket = window_of(ts, kBucket);
  if (bucket < first_) return true;
  if (!remember(hash, bucket)) return false;
  at(bucket).pending.push_back(hash);
  enforce_budget();
  return true;
}

void Deduplicator::advance(Millis watermark) {
  if (started_ && watermark <= watermark_) return;
  const int64_t before = started_ ? last_bucket() : 0;
  watermark_ = watermark;
  const int64_t first = window_of(watermark - options_.window, kBucket);
  if (!started_) {
    started_ = true;
    first_ = first;
    return;
  }
  if (first > first_) forget_before(first);
  const int64_t passed = std::min<int64_t>(last_bucket() - before, kShards);
  for (int64_t n = 0; n < passed; ++n) {
    rebuild(shards_[scrubbed_]);
    scrubbed_ = (scrubbed_ + 1) % kShards;
  }
}

// Requires: bucket > first_.
void Deduplicator::forget_before(int64_t bucket) {
  const int64_t end = std::min<int64_t>(bucket, first_ + static_cast<int64_t>(ring_.size()));
  for (int64_t b = first_; b < end; ++b) {
    Bucket& gone = at(b);
    size_.fetch_sub(gone.entries, std::memory_order_relaxed);
    if (gone.chunks > 0) to_erase_.push_back({b, gone.chunks});
    gone = Bucket{};
  }
  if (end < bucket) clear();  // a leap past the whole ring, and perhaps past 2^15 buckets
  first_ = bucket;
}

void Deduplicator::clear() {
  for (Shard& shard : shards_) set_capacity(shard, 0);
}

// All slots are free afterwards.
void Deduplicator::set_capacity(Shard& shard, uint32_t capacity) {
  std::pmr::polymorphic_allocator<uint64_t> memory(&memory_);
  if (shard.capacity > 0) memory.deallocate(shard.slots, shard.capacity);
  const auto before = static_cast<size_t>(shard.capacity);
  shard = {.slots = capacity > 0 ? memory.allocate(capacity) : nullptr, .capacity = capacity};
  std::fill_n(shard.slots, capacity, 0);
  bytes_.fetch_add((capacity - before) * sizeof(uint64_t), std::memory_order_relaxed);
}

void Deduplicator::enforce_budget() {
  while (size() > options_.entries_max) {
    forgotten_.fetch_add(at(first_).entries, std::memory_order_relaxed);
    forget_before(first_ + 1);
  }
}

void Deduplicator::prefetch(uint64_t hash) {
  expected_[expected_count_++ % kTogether] = hash;
  if (expected_count_ % kTogether != 0) return;
  for (const uint64_t each : expected_) {
    const Shard& shard = shards_[shard_number(each)];
    if (shard.capacity == 0) continue;
    __builtin_prefetch(&shard.slots[stored_hash(each) & (shard.capacity - 1)], 1);
  }
}

// False when it is there already.
bool Deduplicator::remember(uint64_t hash, int64_t bucket) {
  Shard& shard = shards_[shard_number(hash)];
  if (full(shard.used, shard.capacity)) rebuild(shard);
  const uint64_t wanted = stored_hash(hash);
  const size_t mask = shard.capacity - 1;
  uint64_t* place = nullptr;  // the first forgotten slot on the way
  size_t i = wanted & mask;
  for (; shard.slots[i] != 0; i = (i + 1) & mask) {
    uint64_t& slot = shard.slots[i];
    if (!live(slot)) {
      if (place == nullptr) place = &slot;
    } else if (slot >> 16 == wanted) {
      return false;
    }
  }
  if (place == nullptr) {
    place = &shard.slots[i];
    ++shard.used;
  }
  *place = slot_of(hash, bucket);
  ++at(bucket).entries;
  size_.store(size() + 1, std::memory_order_relaxed);  // one thread writes it
  return true;
}

// Drops forgotten slots and leaves the shard at most half full.
void Deduplicator::rebuild(Shard& shard) {
  kept_.clear();
  for (size_t i = 0; i < shard.capacity; ++i) {
    const uint64_t slot = shard.slots[i];
    if (slot != 0 && live(slot)) kept_.push_back(slot);
  }
  set_capacity(shard, static_cast<uint32_t>(std::max(kSlotsMin, std::bit_ceil(2 * kept_.size()))));
  shard.used = static_cast<uint32_t>(kept_.size());
  const size_t mask = shard.capacity - 1;
  for (const uint64_t slot : kept_) {
    size_t i = (slot >> 16) & mask;
    while (shard.slots[i] != 0) i = (i + 1) & mask;
    shard.slots[i] = slot;
  }
}

std::string Deduplicator::chunk_key(int64_t bucket, uint32_t seq) const {
  std::string key = prefix_;
  append_big_endian(key, static_cast<uint64_t>(bucket) ^ kSignBit, 8);
  append_big_endian(key, seq, 4);
  return key;
}

void Deduplicator::begin_checkpoint(StateWriter& writer) {
  CHECK(writer_ == nullptr);
  writer_ = &writer;
  if (started_) put_head();
  erasing_.swap(to_erase_);
  for (int64_t bucket = first_; started_ && bucket <= last_bucket(); ++bucket) {
    Bucket& changed = at(bucket);
    if (changed.pending.empty()) continue;
    const uint32_t first_seq = changed.chunks;
    changed.chunks += (changed.pending.size() + kChunkHashes - 1) / kChunkHashes;
    frozen_.push_back({bucket, first_seq, std::move(changed.pending)});
    changed.pending = {};
  }
}

void Deduplicator::put_head() {
  std::string head(1, static_cast<char>(kHeadVersion));
  append_raw(head, first_);
  append_raw(head, watermark_.count());
  append_raw(head, forgotten());
  writer_->put(prefix_, head);
}

void Deduplicator::put_chunk(const FrozenBucket& frozen, size_t from, size_t count) {
  const auto seq = frozen.first_seq + static_cast<uint32_t>(from / kChunkHashes);
  writer_->put(chunk_key(frozen.bucket, seq),
               {reinterpret_cast<const char*>(frozen.hashes.data() + from), count * 8});
}

bool Deduplicator::checkpoint_step(size_t records_max) {
  CHECK(writer_ != nullptr);
  size_t done = 0;
  while (!erasing_.empty() && done < records_max) {
    ForgottenBucket& gone = erasing_.back();
    writer_->erase(chunk_key(gone.bucket, --gone.chunks));
    if (gone.chunks == 0) erasing_.pop_back();
    ++done;
  }
  while (!frozen_.empty() && done < records_max) {
    const FrozenBucket& frozen = frozen_.back();
    const size_t count = std::min(kChunkHashes, frozen.hashes.size() - frozen_done_);
    put_chunk(frozen, frozen_done_, count);
    done += count;
    frozen_done_ += count;
    if (frozen_done_ < frozen.hashes.size()) continue;
    frozen_.pop_back();
    frozen_done_ = 0;
  }
  if (!erasing_.empty() || !frozen_.empty()) return false;
  writer_ = nullptr;
  return true;
}

Status Deduplicator::restore(const StateReader& reader) {
  CHECK(!started_);
  Status status = reader.scan(prefix_, [&](std::string_view key, std::string_view value) -> Status {
    return key.size() == prefix_.size() ? restore_head(value) : restore_chunk(key, value);
  });
  if (!status.ok()) return status.error().within("deduplication " + prefix_);
  if (started_) enforce_budget();
  return {};
}

Status Deduplicator::restore_head(std::string_view value) {
  if (value.size() != kHeadBytes || value[0] != static_cast<char>(kHeadVersion)) {
    return Error{ErrorCode::kCorrupt, "malformed head"};
  }
  started_ = true;
  watermark_ = Millis(read_raw<int64_t>(value.data() + 9));
  first_ = std::max(read_raw<int64_t>(value.data() + 1),
                    window_of(watermark_ - options_.window, kBucket));  // it may be shorter now
  forgotten_.store(read_raw<uint64_t>(value.data() + 17), std::memory_order_relaxed);
  return {};
}

Status Deduplicator::restore_chunk(std::string_view key, std::string_view value) {
  if (!started_ || key.size() != prefix_.size() + 12 || value.size() % 8 != 0) {
    return Error{ErrorCode::kCorrupt, "malformed chunk"};
  }
  const auto bucket =
      static_cast<int64_t>(read_big_endian(key.substr(prefix_.size(), 8)) ^ kSignBit);
  const auto seq = static_cast<uint32_t>(read_big_endian(key.substr(prefix_.size() + 8, 4)));
  if (bucket > last_bucket()) return Error{ErrorCode::kCorrupt, "chunk past the watermark"};
  if (bucket < first_) {
    if (to_erase_.empty() || to_erase_.back().bucket != bucket) to_erase_.push_back({bucket, 0});
    to_erase_.back().chunks = seq + 1;
    return {};
  }
  at(bucket).chunks = seq + 1;
  constexpr size_t kAhead = 16 * 8;  // bytes; each place is a miss, and these overlap
  for (size_t i = 0; i < value.size(); i += 8) {
    if (i + kAhead < value.size()) prefetch(read_raw<uint64_t>(value.data() + i + kAhead));
    remember(read_raw<uint64_t>(value.data() + i), bucket);
  }
  return {};
}

}  // namespace shanhuo
