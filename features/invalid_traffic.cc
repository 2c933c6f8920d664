// The life of a window: its rows are made by the first event of a viewer in it, change with each
// further one, and are written by each checkpoint that finds them dirty. When the watermark has
// passed its end by `take_back` it is expired: nothing changes there any more. The next checkpoint
// erases it on disk, and the one after that frees the memory, since a list of dirty rows may still
// point there in between.
//
// Tested by tests/features_invalid_traffic_test.cc against a recount of all events.
#include "features/invalid_traffic.h"

#include <algorithm>

#include "base/check.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr std::string_view kPrefix = "iv";
constexpr size_t kRowBytes = 130;  // of a Rows entry with its node and its share of the table
constexpr uint8_t kViewableBit = 1 << 4, kBoostedBit = 1 << 5;

template <size_t N>
uint8_t count_of(const std::array<uint32_t, N>& hashes) {
  return static_cast<uint8_t>(std::ranges::find(hashes, 0U) - hashes.begin());
}

void append(const Contribution& c, Millis window_start, std::string* out) {
  out->push_back(static_cast<char>(static_cast<uint8_t>(c.type) | (c.viewable ? kViewableBit : 0) |
                                   (c.boosted ? kBoostedBit : 0)));
  out->push_back(static_cast<char>(c.surface));
  put_varint(out, c.item);
  put_varint(out, static_cast<uint64_t>((c.ts - window_start).count()));
  put_varint(out, static_cast<uint64_t>(c.watch_ms));
  if (!c.boosted) return;
  uint8_t fresh = 0;
  for (size_t i = 0; i < c.programs.size(); ++i) {
    if (c.program_viewable[i]) fresh = static_cast<uint8_t>(fresh | 1 << i);
  }
  const uint8_t programs = count_of(c.programs), variations = count_of(c.variations);
  for (const uint8_t byte : {programs, fresh, variations}) {
    out->push_back(static_cast<char>(byte));
  }
  for (size_t i = 0; i < programs; ++i) put_fixed(out, c.programs[i]);
  for (size_t i = 0; i < variations; ++i) put_fixed(out, c.variations[i]);
}

template <size_t N>
bool take_hashes(std::string_view* in, uint8_t count, std::array<uint32_t, N>* hashes) {
  if (count > N) return false;
  for (uint8_t i = 0; i < count; ++i) {
    if (!take_fixed(in, &(*hashes)[i])) return false;
  }
  return true;
}

bool take(std::string_view* in, Millis window_start, Contribution* c) {
  uint8_t head = 0, surface = 0, programs = 0, fresh = 0, variations = 0;
  uint64_t item = 0, offset = 0, watch = 0;
  if (!take_fixed(in, &head) || !take_fixed(in, &surface) || !take_varint(in, &item) ||
      !take_varint(in, &offset) || !take_varint(in, &watch) || (head & 0xF) >= kEventTypes ||
      surface >= kSurfaces || item >= kNoItem) {
    return false;
  }
  c->type = static_cast<EventType>(head & 0xF);
  c->surface = static_cast<Surface>(surface);
  c->item = static_cast<ItemIndex>(item);
  c->ts = window_start + Millis(static_cast<int64_t>(offset));
  c->watch_ms = static_cast<int64_t>(watch);
  c->viewable = (head & kViewableBit) != 0;
  c->boosted = (head & kBoostedBit) != 0;
  if (!c->boosted) return true;
  if (!take_fixed(in, &programs) || !take_fixed(in, &fresh) || !take_fixed(in, &variations)) {
    return false;
  }
  for (size_t i = 0; i < c->program_viewable.size(); ++i) {
    c->program_viewable[i] = (fresh >> i & 1) != 0;
  }
  return take_hashes(in, programs, &c->programs) && take_hashes(in, variations, &c->variations);
}

bool counts_something(const Contribution& c) { return c.counts() != Counts{}; }

}  // namespace

std::string_view invalid_reason_name(InvalidReason reason) {
  static constexpr std::array<std::string_view, kInvalidReasons> kNames = {"", "self_events",
                                                                           "watch_time", "rate"};
  return kNames[static_cast<size_t>(reason)];
}

Counts Contribution::counts() const {
  const auto one_if = [](bool condition) { return condition ? int64_t{1} : int64_t{0}; };
  return {.served = one_if(type == EventType::kImpression),
          .viewable = one_if(viewable),
          .clicks = one_if(type == EventType::kClick),
          .plays = one_if(type == EventType::kPlay),
          .watch_ms = watch_ms,
          .likes = one_if(type == EventType::kLike),
          .boosted_viewable = one_if(boosted && viewable)};
}

InvalidReason InvalidTraffic::judge_alone(const Interaction& event,
                                          const CatalogueItem* item) const {
  if (options_.self_events && item != nullptr && item->item.creator_id.view() == event.user_id) {
    return InvalidReason::kSelf;
  }
  if (options_.watch_duration_factor <= 0) return InvalidReason::kNone;
  const Millis duration = item == nullptr ? Millis() : item->item.duration.value_or(Millis());
  const double most = duration.count() <= 0
                          ? static_cast<double>(kDay.count())
                          : options_.watch_duration_factor * static_cast<double>(duration.count()) +
                                static_cast<double>(options_.watch_grace.count());
  const int64_t watched = std::max(event.watch_ms, event.viewable_ms);
  return static_cast<double>(watched) > most ? InvalidReason::kWatchTime : InvalidReason::kNone;
}

InvalidTraffic::Rows& InvalidTraffic::rows_of(int64_t window) {
  if (last_window_ != nullptr && last_window_->first == window) return last_window_->second;
  const auto [found, made] = windows_.try_emplace(window);
  // As many as in the window before, so that the table seldom rehashes as it fills.
  if (made && found != windows_.begin()) found->second.reserve(std::prev(found)->second.size());
  last_window_ = &*found;
  return found->second;
}

// Sets last_ to the row of the viewer in the window, made now if it is new. False: not watched.
bool InvalidTraffic::find_row(int64_t window, uint64_t user_hash) {
  last_ = Ref{};
  const bool expired = window < first_;
  Rows* const rows = expired ? nullptr : &rows_of(window);
  const auto found = expired ? Rows::iterator() : rows->find(user_hash);
  if (expired || (found == rows->end() && rows_ >= options_.viewers_max)) {
    unwatched_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  last_ = {window, user_hash, found == rows->end() ? nullptr : &found->second};
  if (last_.row == nullptr) {
    last_.row = &rows->try_emplace(user_hash).first->second;
    ++rows_;
    bytes_.fetch_add(kRowBytes, std::memory_order_relaxed);
  }
  return true;
}

InvalidTraffic::Verdict InvalidTraffic::judge(const Interaction& event, const CatalogueItem* item,
                                              uint64_t user_hash, Millis watermark) {
  Verdict verdict{.reason = judge_alone(event, item), .taken_back = {}};
  last_ = Ref{};
  if (!options_.watches()) return verdict;
  expire(watermark);
  const int64_t window = window_of(event.ts, options_.window);
  if (!find_row(window, user_hash)) return verdict;
  Row& row = *last_.row;
  if (row.reason != InvalidReason::kNone) {
    verdict.reason = row.reason;
    return verdict;
  }
  touch(last_);
  ++row.events;
  row.watch_ms = std::min(row.watch_ms + std::max<int64_t>(0, event.watch_ms), int64_t{1} << 60);
  if (options_.events_max > 0 && row.events > options_.events_max) {
    row.reason = InvalidReason::kRate;
  } else if (options_.watch_max.count() > 0 && row.watch_ms > options_.watch_max.count()) {
    row.reason = InvalidReason::kWatchTime;
  } else {
    return verdict;
  }
  verdict.reason = row.reason;
  verdict.taken_back = decode(window, row.contributions);
  remembered_bytes_ -= row.contributions.size();
  bytes_.fetch_sub(row.contributions.size(), std::memory_order_relaxed);
  std::string().swap(row.contributions);
  return verdict;
}

void InvalidTraffic::remember(const Contribution& contribution) {
  if (last_.row == nullptr || !counts_something(contribution)) return;
  CHECK(last_.row->reason == InvalidReason::kNone);
  std::string& all = last_.row->contributions;
  const size_t before = all.size();
  append(contribution, Millis(last_.window * options_.window.count()), &all);
  const size_t grown = all.size() - before;
  if (remembered_bytes_ + grown > options_.remembered_bytes_max) {
    all.resize(before);
    forgotten_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  remembered_bytes_ += grown;
  bytes_.fetch_add(grown, std::memory_order_relaxed);
}

void InvalidTraffic::forget(uint64_t user_hash) {
  for (auto& [window, rows] : windows_) {
    const auto found = rows.find(user_hash);
    if (found == rows.end() || window < first_) continue;
    touch({window, user_hash, &found->second});
    remembered_bytes_ -= found->second.contributions.size();
    bytes_.fetch_sub(found->second.contributions.size(), std::memory_order_relaxed);
    found->second = Row{.mark = found->second.mark, .contributions = {}};
  }
  last_ = Ref{};
}

void InvalidTraffic::expire(Millis watermark) {
  const int64_t first = window_of(watermark - options_.take_back, options_.window);
  if (first <= first_) return;
  for (auto it = windows_.lower_bound(first_); it != windows_.end() && it->first < first; ++it) {
    rows_ -= it->second.size();
    for (const auto& [user, row] : it->second) remembered_bytes_ -= row.contributions.size();
  }
  first_ = first;
}

std::vector<Contribution> InvalidTraffic::decode(int64_t window, std::string_view bytes) const {
  std::vector<Contribution> all;
  while (!bytes.empty()) {
    CHECK(take(&bytes, Millis(window * options_.window.count()), &all.emplace_back()));
  }
  return all;
}

std::string InvalidTraffic::key_of(const Ref& ref) const {
  std::string key(kPrefix);
  put_key32(&key, partition_);
  put_key64(&key, ref.window);
  put_key32(&key, static_cast<uint32_t>(ref.user >> 32));
  put_key32(&key, static_cast<uint32_t>(ref.user));
  return key;
}

void InvalidTraffic::touch(const Ref& ref) {
  dirty_.touch(&ref.row->mark, ref, [&] { save(ref); });
}

void InvalidTraffic::save(const Ref& ref) {
  if (ref.window < erased_before_) return;
  std::string value;
  put_varint(&value, ref.row->events);
  put_signed(&value, ref.row->watch_ms);
  value.push_back(static_cast<char>(ref.row->reason));
  writer_->put(key_of(ref), value.append(ref.row->contributions));
}

void InvalidTraffic::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  last_ = Ref{};
  last_window_ = nullptr;
  while (!windows_.empty() && windows_.begin()->first < erased_before_) {
    size_t bytes = 0;
    for (const auto& [user, row] : windows_.begin()->second) {
      bytes += kRowBytes + row.contributions.size();
    }
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    windows_.erase(windows_.begin());
  }
  dirty_.begin();
  erased_before_ = first_;
  erasing_window_ = windows_.begin();
  if (erasing_window_ != windows_.end()) erasing_row_ = erasing_window_->second.begin();
}

bool InvalidTraffic::checkpoint_step(size_t records_max) {
  const auto mark_of = [](const Ref& ref) { return &ref.row->mark; };
  if (!dirty_.step(records_max, mark_of, [&](const Ref& ref) { save(ref); })) return false;
  while (erasing_window_ != windows_.end() && erasing_window_->first < erased_before_) {
    for (; erasing_row_ != erasing_window_->second.end(); ++erasing_row_) {
      if (records_max-- == 0) return false;
      writer_->erase(key_of({erasing_window_->first, erasing_row_->first, nullptr}));
    }
    ++erasing_window_;
    if (erasing_window_ != windows_.end()) erasing_row_ = erasing_window_->second.begin();
  }
  return true;
}

Status InvalidTraffic::restore_row(std::string_view key, std::string_view value) {
  const Error corrupt{ErrorCode::kCorrupt, "invalid traffic: malformed record"};
  uint32_t partition = 0, high = 0, low = 0;
  int64_t window = 0;
  key.remove_prefix(kPrefix.size());
  Row row;
  uint8_t reason = 0;
  if (!take_key32(&key, &partition) || !take_key64(&key, &window) || !take_key32(&key, &high) ||
      !take_key32(&key, &low) || !key.empty() || !take_varint(&value, &row.events) ||
      !take_signed(&value, &row.watch_ms) || !take_fixed(&value, &reason) ||
      reason >= kInvalidReasons) {
    return corrupt;
  }
  row.reason = static_cast<InvalidReason>(reason);
  row.contributions = value;
  Contribution one;
  while (!value.empty()) {
    if (!take(&value, Millis(), &one)) return corrupt;
  }
  remembered_bytes_ += row.contributions.size();
  bytes_.fetch_add(kRowBytes + row.contributions.size(), std::memory_order_relaxed);
  ++rows_;
  windows_[window].emplace(uint64_t{high} << 32 | low, std::move(row));
  return {};
}

Status InvalidTraffic::restore(const StateReader& reader) {
  std::string prefix(kPrefix);
  put_key32(&prefix, partition_);
  return reader.scan(prefix, [&](std::string_view key, std::string_view value) {
    return restore_row(key, value);
  });
}

}  // namespace shanhuo
