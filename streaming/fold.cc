#include "streaming/fold.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace shanhuo {
namespace {

constexpr std::string_view kKey = "pl";
constexpr uint32_t kVersion = 1;
constexpr size_t kValuesAhead = 4;   // how many records before it is decoded a value is asked for
constexpr size_t kValueAsked = 256;  // of its bytes: the processor sees how a longer one goes on
constexpr DeadReason kInFuture = "ts_in_future";
constexpr DeadReason kNotCatalogue = "not_a_catalogue_change";
constexpr DeadReason kRefused = "refused_by_catalogue";

template <typename T>
void append_little(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <typename T>
bool take_little(std::string_view& bytes, T& number) {
  if (bytes.size() < sizeof number) return false;
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes.remove_prefix(sizeof number);
  return true;
}

// The plain numbers, in the order of the grammar.
template <typename Counters, typename Visit>
void each_counter(Counters& counters, const Visit& visit) {
  visit(counters.accepted);
  visit(counters.applied);
  visit(counters.duplicate);
  visit(counters.late);
  visit(counters.dead);
  visit(counters.forgotten);
  visit(counters.catalogue_applied);
  visit(counters.catalogue_refused);
}

}  // namespace

Fold::Fold(StateMachine& machine, std::vector<Deduplicator*> dedup, ApplyCatalogue apply_catalogue,
           const FoldOptions& options)
    : machine_(machine),
      dedup_(std::move(dedup)),
      apply_catalogue_(std::move(apply_catalogue)),
      options_(options),
      watermarks_(options.partitions) {
  CHECK(dedup_.size() == options_.partitions);
}

void Fold::expect(std::span<const LogRecord> records) {
  expected_ = records;
  turn_ = looked_at_ = 0;
}

const Fold::Ahead& Fold::decoded(const LogRecord& record) {
  if (turn_ == expected_.size() || &expected_[turn_] != &record) expect({&record, 1});
  for (; looked_at_ < std::min(expected_.size(), turn_ + kAhead); ++looked_at_) {
    if (const size_t later = looked_at_ + kValuesAhead; later < expected_.size()) {
      // Not a function of its own: GCC takes one that only prefetches for one that does nothing.
      const std::string_view value = expected_[later].value.substr(0, kValueAsked);
      for (size_t i = 0; i < value.size() + 64; i += 64) {
        __builtin_prefetch(value.data() + std::min(i, value.size()));
      }
    }
    look_at(expected_[looked_at_], ahead_[looked_at_ % kAhead]);
  }
  return ahead_[turn_++ % kAhead];
}

void Fold::look_at(const LogRecord& record, Ahead& ahead) {
  CHECK(record.partition < options_.partitions);
  if (!is_event(record.content)) return;
  ahead.undecodable = ahead.decoder.decode_record(record, ahead.event);
  if (!ahead.undecodable.empty()) return;
  ahead.hash = hash_combine(hash64(ahead.event.user_id), hash64(ahead.event.event_id));
  dedup_[record.partition]->prefetch(ahead.hash);
  machine_.expect(ahead.event, record.partition);
}

DeadReason Fold::interaction(const LogRecord& record) {
  const Ahead& ahead = decoded(record);
  if (record.content == ContentType::kForget) {
    machine_.forget(record.key);
    ++counters_.forgotten;
    return {};
  }
  if (record.content == ContentType::kControl) {
    machine_.control(record.key, record.value, watermarks_[record.partition]);
    return {};
  }
  if (record.content == ContentType::kExposure) {
    machine_.expose(record.key, record.value);
    return {};
  }
  ++counters_.accepted;
  const DeadReason reason = event(record, ahead);
  if (reason.empty()) return {};
  ++counters_.dead;
  auto found = counters_.dead_by_reason.find(reason);
  if (found == counters_.dead_by_reason.end()) {
    found = counters_.dead_by_reason.emplace(std::string(reason), 0).first;
  }
  ++found->second;
  return reason;
}

DeadReason Fold::event(const LogRecord& record, const Ahead& ahead) {
  if (!ahead.undecodable.empty()) return ahead.undecodable;
  const Interaction& event = ahead.event;
  // Before the watermark moves, so that a clock that is years ahead cannot poison it.
  if (!options_.caller_clock && event.ts > record.accepted_at + options_.future_max) {
    return kInFuture;
  }
  Millis& watermark = watermarks_[record.partition];
  watermark = std::max(watermark, event.ts);
  const FoldContext context{record.partition, record.offset, record.accepted_at, watermark,
                            event.ts < watermark - options_.late_after};
  if (!context.late && !dedup_[record.partition]->insert(ahead.hash, event.ts, watermark)) {
    ++counters_.duplicate;
    return {};
  }
  const DeadReason refused = machine_.apply(event, context);
  if (refused.empty()) ++(context.late ? counters_.late : counters_.applied);
  return refused;
}

DeadReason Fold::catalogue(const LogRecord& record) {
  const Result<CatalogueChange> change = decode_catalogue_record(record);
  const bool applied = change.ok() && apply_catalogue_(change.value()).ok();
  ++(applied ? counters_.catalogue_applied : counters_.catalogue_refused);
  if (applied) return {};
  return change.ok() ? kRefused : kNotCatalogue;
}

Millis Fold::watermark() const { return *std::max_element(watermarks_.begin(), watermarks_.end()); }

void Fold::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  frozen_.clear();
  append_little(frozen_, kVersion);
  each_counter(counters_, [&](uint64_t count) { append_little(frozen_, count); });
  append_little(frozen_, static_cast<uint32_t>(watermarks_.size()));
  for (const Millis watermark : watermarks_) append_little(frozen_, watermark.count());
  append_little(frozen_, static_cast<uint32_t>(counters_.dead_by_reason.size()));
  for (const auto& [reason, count] : counters_.dead_by_reason) {
    append_little(frozen_, static_cast<uint32_t>(reason.size()));
    frozen_.append(reason);
    append_little(frozen_, count);
  }
}

bool Fold::checkpoint_step(size_t /*records_max*/) {
  if (writer_ != nullptr) writer_->put(kKey, frozen_);
  writer_ = nullptr;
  return true;
}

Status Fold::restore(const StateReader& reader) {
  return reader.scan(kKey,
                     [&](std::string_view, std::string_view value) { return restore_from(value); });
}

Status Fold::restore_from(std::string_view bytes) {
  const Error broken{ErrorCode::kCorrupt, "the fold's counters do not hold"};
  uint32_t version = 0, count = 0;
  if (!take_little(bytes, version) || version != kVersion) return broken;
  bool whole = true;
  each_counter(counters_, [&](uint64_t& counter) { whole = whole && take_little(bytes, counter); });
  if (!whole || !take_little(bytes, count) || count != options_.partitions) return broken;
  for (Millis& watermark : watermarks_) {
    int64_t ms = 0;
    if (!take_little(bytes, ms)) return broken;
    watermark = Millis(ms);
  }
  if (!take_little(bytes, count)) return broken;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t size = 0;
    uint64_t dead = 0;
    if (!take_little(bytes, size) || bytes.size() < size) return broken;
    const std::string reason(bytes.substr(0, size));
    bytes.remove_prefix(size);
    if (!take_little(bytes, dead)) return broken;
    counters_.dead_by_reason[reason] = dead;
  }
  return bytes.empty() ? Status() : Status(broken);
}

}  // namespace shanhuo
