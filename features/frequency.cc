#include "features/frequency.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace shanhuo {
namespace {

constexpr std::string_view kPrefix = "fr";
constexpr char kVersion = 1;
constexpr size_t kInsertionBytes = 8 + 8 + 4 + 4 * kProgramsPerItemMax;

template <typename T>
void append_raw(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
const char* read_raw(const char* from, T& value) {
  std::memcpy(&value, from, sizeof(value));
  return from + sizeof(value);
}

std::string encode(const Insertions& insertions) {
  std::string bytes(1, kVersion);
  bytes.reserve(1 + insertions.size() * kInsertionBytes);
  for (const Insertion& insertion : insertions) {
    append_raw(bytes, insertion.at.count());
    append_raw(bytes, insertion.request_hash);
    append_raw(bytes, insertion.item);
    append_raw(bytes, insertion.programs);
  }
  return bytes;
}

bool decode(std::string_view bytes, Insertions& out) {
  if (bytes.size() <= 1 || bytes[0] != kVersion) return false;
  if ((bytes.size() - 1) % kInsertionBytes != 0) return false;
  out.resize((bytes.size() - 1) / kInsertionBytes);
  const char* from = bytes.data() + 1;
  for (Insertion& insertion : out) {
    int64_t at;
    from = read_raw(from, at);
    insertion.at = Millis(at);
    from = read_raw(from, insertion.request_hash);
    from = read_raw(from, insertion.item);
    from = read_raw(from, insertion.programs);
  }
  return std::is_sorted(out.begin(), out.end(),
                        [](const Insertion& a, const Insertion& b) { return a.at < b.at; });
}

// The first insertion that a window ending at `now` still holds.
template <typename Range>
auto first_within(Range& insertions, Millis now, int64_t window_ms) {
  const Millis past = now - Millis(window_ms);
  return std::upper_bound(insertions.begin(), insertions.end(), past,
                          [](Millis t, const Insertion& insertion) { return t < insertion.at; });
}

}  // namespace

size_t FrequencyLedger::TextHash::operator()(std::string_view text) const { return hash64(text); }

FrequencyLedger::FrequencyLedger(const FrequencyOptions& options)
    : options_(options), window_max_ms_(options.window_max_ms), shards_(kShards) {
  CHECK(options.insertions_max > 0);
}

// Another seed than the shard's own hash, so that shards fill all of their buckets.
FrequencyLedger::Shard& FrequencyLedger::shard_of(std::string_view user_id) const {
  return shards_[hash64(user_id, 1) % kShards];
}

void FrequencyLedger::trim(Insertions& insertions, Millis now) const {
  insertions.erase(insertions.begin(), first_within(insertions, now, window_max_ms_.load()));
}

void FrequencyLedger::record(std::string_view user_id, const Insertion& insertion) {
  Shard& shard = shard_of(user_id);
  const std::lock_guard lock(shard.mutex);
  auto found = shard.viewers.find(user_id);
  if (found == shard.viewers.end()) {
    if (size() >= options_.viewers_max) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    found = shard.viewers.emplace(user_id, Viewer{}).first;
    size_.fetch_add(1, std::memory_order_relaxed);
  }
  Insertions& all = found->second.insertions;
  const bool there = std::any_of(all.begin(), all.end(), [&](const Insertion& other) {
    return other.request_hash == insertion.request_hash && other.item == insertion.item;
  });
  if (there) return;
  if (!all.empty()) trim(all, std::max(all.back().at, insertion.at));
  const auto place =
      std::upper_bound(all.begin(), all.end(), insertion.at,
                       [](Millis t, const Insertion& other) { return t < other.at; });
  all.insert(place, insertion);
  if (all.size() > options_.insertions_max) {
    all.erase(all.begin());
    dropped_.fetch_add(1, std::memory_order_relaxed);
  }
  if (found->second.dirty) return;
  found->second.dirty = true;
  shard.dirty.emplace_back(user_id);
}

Insertions FrequencyLedger::recent(std::string_view user_id, Millis now) const {
  const Shard& shard = shard_of(user_id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.viewers.find(user_id);
  if (found == shard.viewers.end()) return {};
  const Insertions& all = found->second.insertions;
  return {first_within(all, now, window_max_ms_.load()), all.end()};
}

void FrequencyLedger::forget(std::string_view user_id) {
  Shard& shard = shard_of(user_id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.viewers.find(user_id);
  if (found == shard.viewers.end()) return;
  shard.viewers.erase(found);
  shard.dirty.emplace_back(user_id);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

void FrequencyLedger::sweep(Millis now) {
  Shard& shard = shards_[sweep_shard_];
  sweep_shard_ = (sweep_shard_ + 1) % kShards;
  const std::lock_guard lock(shard.mutex);
  for (auto it = shard.viewers.begin(); it != shard.viewers.end();) {
    trim(it->second.insertions, now);
    if (!it->second.insertions.empty()) {
      ++it;
      continue;
    }
    shard.dirty.push_back(it->first);
    it = shard.viewers.erase(it);
    size_.fetch_sub(1, std::memory_order_relaxed);
  }
}

void FrequencyLedger::begin_checkpoint(StateWriter& writer) {
  CHECK(writer_ == nullptr);
  writer_ = &writer;
  step_shard_ = 0;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.frozen.swap(shard.dirty);
  }
}

bool FrequencyLedger::checkpoint_step(size_t records_max) {
  CHECK(writer_ != nullptr);
  for (size_t n = 0; n < records_max && step_shard_ < kShards;) {
    Shard& shard = shards_[step_shard_];
    const std::lock_guard lock(shard.mutex);
    for (; n < records_max && !shard.frozen.empty(); ++n) write_next(shard);
    if (shard.frozen.empty()) ++step_shard_;
  }
  if (step_shard_ < kShards) return false;
  writer_ = nullptr;
  return true;
}

// Writes the viewer as it is now, which is what any later mention of the same id would write.
void FrequencyLedger::write_next(Shard& shard) {
  const std::string user_id = std::move(shard.frozen.back());
  shard.frozen.pop_back();
  const std::string key = std::string(kPrefix) + user_id;
  const auto found = shard.viewers.find(user_id);
  if (found == shard.viewers.end()) {
    writer_->erase(key);
    return;
  }
  found->second.dirty = false;
  writer_->put(key, encode(found->second.insertions));
}

Status FrequencyLedger::restore(const StateReader& reader) {
  CHECK(size() == 0);
  return reader.scan(kPrefix, [&](std::string_view key, std::string_view value) -> Status {
    const std::string_view user_id = key.substr(kPrefix.size());
    Viewer viewer;
    if (user_id.empty() || !decode(value, viewer.insertions)) {
      return Error{ErrorCode::kCorrupt, "malformed insertions of viewer " + std::string(user_id)};
    }
    Shard& shard = shard_of(user_id);
    const std::lock_guard lock(shard.mutex);
    shard.viewers.emplace(user_id, std::move(viewer));
    size_.fetch_add(1, std::memory_order_relaxed);
    return {};
  });
}

}  // namespace shanhuo
