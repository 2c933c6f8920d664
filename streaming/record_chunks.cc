// A record in a chunk := key size u32 | value size u32, kErased for none | key | value.
#include "streaming/record_chunks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace shanhuo {
namespace {

constexpr uint32_t kErased = 0xFFFFFFFF;
using Sizes = std::array<uint32_t, 2>;
constexpr size_t kBatchHeaderBytes = 12;
constexpr size_t kBatchRecordBytes = 11;  // at most: a tag and two lengths

}  // namespace

void RecordChunks::put(std::string_view key, std::string_view value) { add(key, value, false); }
void RecordChunks::erase(std::string_view key) { add(key, {}, true); }

void RecordChunks::add(std::string_view key, std::string_view value, bool erased) {
  CHECK(key.size() < kErased && value.size() < kErased);
  const size_t needed = sizeof(Sizes) + key.size() + value.size();
  if (chunks_.empty() || chunks_.back().capacity - chunks_.back().used < needed) {
    Chunk& fresh = chunks_.emplace_back();
    fresh.capacity = std::max(needed, kChunkBytes);
    fresh.bytes = std::make_unique_for_overwrite<char[]>(fresh.capacity);
  }
  Chunk& chunk = chunks_.back();
  char* at = chunk.bytes.get() + chunk.used;
  const Sizes sizes = {static_cast<uint32_t>(key.size()),
                       erased ? kErased : static_cast<uint32_t>(value.size())};
  std::memcpy(at, sizes.data(), sizeof sizes);
  at = std::copy(key.begin(), key.end(), at + sizeof sizes);
  std::copy(value.begin(), value.end(), at);
  chunk.used += needed;
  ++records_;
  bytes_ += key.size() + value.size();
}

Batch RecordChunks::take() {
  struct Entry {
    std::string_view key, value;
    bool erased;
  };
  std::vector<Entry> entries;
  entries.reserve(records_);
  for (const Chunk& chunk : chunks_) {
    for (size_t at = 0; at < chunk.used;) {
      const char* record = chunk.bytes.get() + at;
      Sizes sizes;
      std::memcpy(sizes.data(), record, sizeof sizes);
      const bool erased = sizes[1] == kErased;
      const std::string_view key(record + sizeof sizes, sizes[0]);
      const std::string_view value(key.data() + key.size(), erased ? 0 : sizes[1]);
      entries.push_back({key, value, erased});
      at += sizeof sizes + key.size() + value.size();
    }
  }
  // Changes of one key stay in their order.
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.key < b.key; });
  Batch batch(kBatchHeaderBytes + bytes_ + records_ * kBatchRecordBytes);
  for (const Entry& entry : entries) {
    if (entry.erased) {
      batch.erase(entry.key);
    } else {
      batch.put(entry.key, entry.value);
    }
  }
  chunks_.clear();
  records_ = bytes_ = 0;
  return batch;
}

}  // namespace shanhuo
