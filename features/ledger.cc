// Formats: order := user_id item_id:text amount asked ts lines:zigzag event:zigzag*;
// totals := orders ordered refunded:zigzag (packing.h).
//
// Tested by tests/features_ledger_test.cc: any order of arrival, refunds above the amount.
#include "features/ledger.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr size_t kOrderBytes = 200;  // of an entry, its strings' own bytes apart

// Far above what can be spent (kAmountFenMax a time), far below overflow.
constexpr int64_t kSumMax = 1'000'000'000'000'000'000;

// False when the order has seen this event before.
bool remember(LedgerOrder& order, const Interaction& event) {
  const uint64_t hash = hash_combine(hash64(event.user_id), hash64(event.event_id));
  if (std::find(order.events.begin(), order.events.end(), hash) != order.events.end()) return false;
  if (order.events.size() < Ledger::kEventsPerOrder) order.events.push_back(hash);
  return true;
}

Fen sum(Fen a, Fen b) { return Fen(std::min(kSumMax, a.count() + b.count())); }

}  // namespace

Ledger::Orders::value_type* Ledger::order(const Interaction& event, ItemIndex item) {
  std::string id(event.order_id);
  const auto found = orders_.find(id);
  if (found != orders_.end()) return &*found;
  if (orders_.size() >= options_.orders_max) {
    orders_refused_.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  bytes_.fetch_add(kOrderBytes + id.size() + event.user_id.size(), std::memory_order_relaxed);
  auto& entry = *orders_.try_emplace(std::move(id)).first;
  entry.second.user_id = event.user_id;
  entry.second.item = item;
  entry.second.ts = event.ts;
  return &entry;
}

Fen Ledger::apply(const Interaction& event, ItemIndex item) {
  CHECK(event.type == EventType::kOrder || event.type == EventType::kRefund);
  const bool is_order = event.type == EventType::kOrder;
  const Fen amount(event.amount_fen);
  last_change_ = {};
  Orders::value_type* entry = order(event, item);
  if (entry == nullptr) {  // not remembered: counts, but cannot be refunded
    if (!is_order) return Fen(0);
    last_change_ = {.orders = 1, .ordered = amount, .refunded = Fen(0)};
    add_totals(item, last_change_);
    return amount;
  }
  dirty_orders_.touch(&entry->second.mark, entry, [&] { save_order(*entry); });
  OrderRow& row = entry->second;
  if (!remember(row, event)) return Fen(0);
  const Fen refunded_before = row.refunded(), amount_before = row.amount;
  if (is_order) {
    if (row.lines == 0) row.item = item;  // a refund that overtook it may have named another
    row.amount = sum(row.amount, amount);
    ++row.lines;
  } else {
    row.asked = sum(row.asked, amount);
  }
  last_change_ = {.orders = is_order ? 1 : 0,
                  .ordered = row.amount - amount_before,
                  .refunded = row.refunded() - refunded_before};
  add_totals(item, last_change_);
  return last_change_.ordered - last_change_.refunded;
}

void Ledger::add_totals(ItemIndex item, const LedgerTotals& change) {
  const std::lock_guard lock(mutex_);
  auto& entry = *totals_.try_emplace(item).first;
  dirty_totals_.touch(&entry.second.mark, &entry, [&] { save_totals(entry); });
  entry.second.totals.orders += change.orders;
  entry.second.totals.ordered += change.ordered;
  entry.second.totals.refunded += change.refunded;
}

void Ledger::forget(std::string_view user_id) {
  for (auto& entry : orders_) {
    if (entry.second.user_id != user_id) continue;
    dirty_orders_.touch(&entry.second.mark, &entry, [&] { save_order(entry); });
    entry.second.user_id.clear();
  }
}

LedgerTotals Ledger::item_totals(ItemIndex item) const {
  const std::lock_guard lock(mutex_);
  const auto found = totals_.find(item);
  return found == totals_.end() ? LedgerTotals{} : found->second.totals;
}

const LedgerOrder* Ledger::find(std::string_view order_id) const {
  const auto found = orders_.find(std::string(order_id));
  return found == orders_.end() ? nullptr : &found->second;
}

void Ledger::save_order(const Orders::value_type& entry) {
  const OrderRow& row = entry.second;
  std::string value;
  put_text(&value, row.user_id);
  put_text(&value, interner_.view_of(row.item));
  for (const int64_t n : {row.amount.count(), row.asked.count(), row.ts.count(), row.lines}) {
    put_signed(&value, n);
  }
  for (const uint64_t hash : row.events) put_signed(&value, static_cast<int64_t>(hash));
  writer_->put("lgo" + entry.first, value);
}

void Ledger::save_totals(const Totals::value_type& entry) {
  const LedgerTotals& totals = entry.second.totals;
  std::string value;
  for (const int64_t n : {totals.orders, totals.ordered.count(), totals.refunded.count()}) {
    put_signed(&value, n);
  }
  writer_->put(std::string("lgi").append(interner_.view_of(entry.first)), value);
}

void Ledger::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  dirty_orders_.begin();
  dirty_totals_.begin();
}

bool Ledger::checkpoint_step(size_t records_max) {
  const auto mark_of = [](auto* entry) { return &entry->second.mark; };
  return dirty_orders_.step(records_max, mark_of, [&](auto* entry) { save_order(*entry); }) &&
         dirty_totals_.step(records_max, mark_of, [&](auto* entry) { save_totals(*entry); });
}

bool Ledger::restore_order(std::string_view id, std::string_view value) {
  std::string_view user_id, item_id;
  int64_t amount = 0, asked = 0, ts = 0;
  OrderRow& row = orders_[std::string(id)];
  bool good = take_text(&value, &user_id) && take_text(&value, &item_id) &&
              take_signed(&value, &amount) && take_signed(&value, &asked) &&
              take_signed(&value, &ts) && take_signed(&value, &row.lines);
  for (int64_t hash = 0; good && !value.empty();) {
    good = take_signed(&value, &hash);
    row.events.push_back(static_cast<uint64_t>(hash));
  }
  row.user_id = user_id;
  row.item = interner_.find(item_id);
  row.amount = Fen(amount);
  row.asked = Fen(asked);
  row.ts = Millis(ts);
  bytes_.fetch_add(kOrderBytes + id.size() + user_id.size(), std::memory_order_relaxed);
  return good && row.item != kNoItem && amount >= 0 && asked >= 0;
}

bool Ledger::restore_totals(std::string_view id, std::string_view value) {
  const ItemIndex item = interner_.find(id);
  int64_t orders = 0, ordered = 0, refunded = 0;
  if (item == kNoItem || !take_signed(&value, &orders) || !take_signed(&value, &ordered) ||
      !take_signed(&value, &refunded) || !value.empty()) {
    return false;
  }
  totals_[item].totals = {.orders = orders, .ordered = Fen(ordered), .refunded = Fen(refunded)};
  return true;
}

Status Ledger::restore(const StateReader& reader) {
  const std::lock_guard lock(mutex_);
  return reader.scan("lg", [&](std::string_view key, std::string_view value) -> Status {
    const std::string_view id = key.substr(std::min<size_t>(key.size(), 3));
    const bool good = key.starts_with("lgo")   ? restore_order(id, value)
                      : key.starts_with("lgi") ? restore_totals(id, value)
                                               : false;
    if (good) return {};
    return Error{ErrorCode::kCorrupt, "ledger: malformed record of \"" + std::string(id) + "\""};
  });
}

}  // namespace shanhuo
