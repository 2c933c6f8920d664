#include "features/giving.h"

#include <algorithm>

#include "base/check.h"
#include "features/counts.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr size_t kLotsMax = 128;           // of an account; beyond, the two oldest become one
constexpr int64_t kDaysCounted = 2;        // before today: an event that counts is no older
constexpr size_t kSharesMax = 8;           // causes of one order
constexpr uint64_t kWaitingMax = 500'000;  // entries in memory, about 400 bytes each
constexpr int64_t kWeightMax = 1'000'000'000'000'000'000;

__extension__ using Wide = __int128;

// Points that a day's quantity is worth, and the day's limit.
int64_t points_of(const EarnRule& rule, int64_t quantity) {
  return std::min(rule.daily_max, quantity / rule.per * rule.points);
}

// What a cause is due; see giving.h. Requires: refunded <= amount.
int64_t due(int64_t weight, int64_t amount, int64_t refunded) {
  if (amount == 0) return 0;
  const auto all = static_cast<Wide>(weight) * (amount - refunded);
  return static_cast<int64_t>(all / (static_cast<Wide>(amount) * 1'000));
}

int64_t first_expiry(const GivingAccount& account) {
  int64_t first = INT64_MAX;
  for (const PointsLot& lot : account.lots) first = std::min(first, lot.day + 1);
  return first;
}

}  // namespace

int64_t GivingAccount::points(std::string_view rule) const {
  int64_t sum = 0;
  for (const PointsLot& lot : lots) sum += lot.rule == rule ? lot.points : 0;
  return sum;
}

std::string encode_pledge(const Pledge& pledge) {
  std::string value = "p";
  put_text(&value, pledge.request_id);
  put_text(&value, pledge.cause);
  put_signed(&value, pledge.points);
  return value;
}

std::string encode_rules(std::string_view text) { return "r" + std::string(text); }

GivingBook::GivingBook(const GivingOptions& options, const LedgerKeys& keys, ReadGivingRules read)
    : options_(options),
      keys_(keys),
      read_(std::move(read)),
      rules_(std::make_shared<const GivingRules>()),
      chain_(keys, options.block_entries_max) {}

void GivingBook::money(const Interaction& event, const CatalogueItem* known,
                       const LedgerTotals& change, const LedgerOrder* order, bool earns) {
  if (change == LedgerTotals{}) return;
  const std::lock_guard lock(mutex_);
  const std::string name = keys_.name_of("order", event.order_id);
  ChainEntry entry{.kind = "order", .ts = event.ts, .order = name, .item = event.item_id};
  if (change.orders != 0) {
    entry.fen = change.ordered.count();
    chain_.append(entry);
  }
  if (change.refunded > Fen(0)) {
    entry.kind = "refund";
    entry.fen = -change.refunded.count();
    chain_.append(entry);
  }
  donate(event, known, change, order, name);
  if (!earns || change.orders == 0 || known == nullptr) return;
  for (const GivingRule& rule : rules_->rules) {
    if (!rule.enabled || rule.earn.empty() || !rule.items(*known)) continue;
    for (size_t i = 0; i < rule.earn.size(); ++i) {
      if (!rule.earn[i].order) continue;
      earn(event, rule, i, rule.earn[i].by_amount ? change.ordered.count() : 1);
    }
  }
}

void GivingBook::donate(const Interaction& event, const CatalogueItem* known,
                        const LedgerTotals& change, const LedgerOrder* order,
                        std::string_view order_name) {
  const auto gives = [&](const GivingRule& rule) {
    return rule.enabled && rule.donates && rule.items(*known);
  };
  const bool names_cause = change.orders != 0 && known != nullptr && known->item.donation;
  const auto rule = names_cause ? std::find_if(rules_->rules.begin(), rules_->rules.end(), gives)
                                : rules_->rules.end();
  std::vector<Share> alone;  // of an order that is not remembered
  const std::string id(event.order_id);
  auto found = orders_.find(id);
  if (rule != rules_->rules.end()) {
    const Donation& donation = *known->item.donation;
    if (found == orders_.end() && order != nullptr) {
      if (orders_.size() < options_.orders_max) {
        touch("go" + id);
        found = orders_.try_emplace(id).first;
      } else {
        ++orders_refused_;
      }
    }
    std::vector<Share>& shares = found == orders_.end() ? alone : found->second;
    if (found != orders_.end()) touch("go" + id);
    const auto same = [&](const Share& share) { return share.cause == donation.cause; };
    auto share = std::find_if(shares.begin(), shares.end(), same);
    if (share == shares.end() && shares.size() < kSharesMax) {
      share = shares.insert(share, {donation.cause, rule->id, 0, 0});
    }
    if (share != shares.end()) {
      const int64_t permille = std::min(donation.permille, rule->permille_max);
      share->weight = std::min(kWeightMax, share->weight + change.ordered.count() * permille);
    }
  }
  const bool remembered = order != nullptr && found != orders_.end();
  std::vector<Share>& shares = remembered ? found->second : alone;
  if (remembered) touch("go" + id);
  const int64_t amount = remembered ? order->amount.count() : change.ordered.count();
  const int64_t refunded = remembered ? order->refunded().count() : 0;
  for (Share& share : shares) settle(share, amount, refunded, event, order_name);
}

void GivingBook::settle(Share& share, int64_t amount, int64_t refunded, const Interaction& event,
                        std::string_view order_name) {
  const int64_t more = due(share.weight, amount, refunded) - share.given;
  if (more == 0) return;
  const bool first = share.given == 0 && more > 0;
  share.given += more;
  chain_.append({.kind = more > 0 ? "donation" : "claw_back",
                 .ts = event.ts,
                 .fen = more,
                 .order = order_name,
                 .item = event.item_id,
                 .cause = share.cause,
                 .rule = share.rule});
  touch("gc" + share.cause);
  CauseTotals& totals = causes_[share.cause];
  totals.donated_fen += more;
  totals.donations += first ? 1 : 0;
}

void GivingBook::deed(const Interaction& event) {
  if (event.deed.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const GivingRule& rule : rules_->rules) {
    for (size_t i = 0; rule.enabled && i < rule.earn.size(); ++i) {
      const EarnRule& earned = rule.earn[i];
      if (!earned.order && earned.deed == event.deed) earn(event, rule, i, event.quantity);
    }
  }
}

GivingAccount* GivingBook::account_of(const Interaction& event) {
  const std::string user_id(event.user_id);
  const auto found = accounts_.find(user_id);
  if (found != accounts_.end()) return &found->second;
  if (accounts_.size() >= options_.accounts_max) {
    ++accounts_refused_;
    return nullptr;
  }
  GivingAccount& account = accounts_[user_id];
  account.name = keys_.name_of("account", event.user_id, event.event_id);
  return &account;
}

void GivingBook::earn(const Interaction& event, const GivingRule& rule, size_t which,
                      int64_t quantity) {
  const int64_t day = day_of(event.ts), today = std::max(day, day_of(now_));
  if (day < today - kDaysCounted) return;
  const std::string user_id(event.user_id);
  touch("ga" + user_id);
  GivingAccount* account = account_of(event);
  if (account == nullptr) return;
  auto& days = account->days;
  std::erase_if(days, [&](const auto& count) { return count.day < today - kDaysCounted; });
  const auto same = [&](const GivingAccount::Day& count) {
    return count.day == day && count.earn == static_cast<int64_t>(which) && count.rule == rule.id;
  };
  auto count = std::find_if(days.begin(), days.end(), same);
  if (count == days.end()) {
    count = days.insert(count, {rule.id, static_cast<int64_t>(which), day, 0});
  }
  const EarnRule& earned = rule.earn[which];
  const int64_t before = points_of(earned, count->quantity);
  count->quantity += quantity;
  const int64_t points = points_of(earned, count->quantity) - before;
  if (points <= 0 || day + rule.expire_days < today) return;
  const int64_t expiry = first_expiry(*account);
  add_lot(*account, rule, day + rule.expire_days, points);
  schedule(user_id, *account, expiry);
  chain_.append({.kind = "points",
                 .ts = event.ts,
                 .points = points,
                 .account = account->name,
                 .rule = rule.id,
                 .what = earned.order ? "order" : std::string_view(earned.deed)});
}

void GivingBook::add_lot(GivingAccount& account, const GivingRule& rule, int64_t day,
                         int64_t points) {
  auto& lots = account.lots;
  const auto later = [&](const PointsLot& lot) { return lot.day >= day; };
  auto at = std::find_if(lots.begin(), lots.end(), later);
  while (at != lots.end() && at->day == day && at->rule != rule.id) ++at;
  if (at != lots.end() && at->day == day) {
    at->points += points;
    return;
  }
  lots.insert(at, {rule.id, day, points});
  if (lots.size() <= kLotsMax) return;
  // Nobody loses by a later day.
  const auto same = [&](const PointsLot& lot) { return lot.rule == lots.front().rule; };
  const auto next = std::find_if(lots.begin() + 1, lots.end(), same);
  if (next == lots.end()) return;
  next->points += lots.front().points;
  lots.erase(lots.begin());
}

void GivingBook::schedule(const std::string& user_id, const GivingAccount& account,
                          int64_t before) {
  const int64_t now = first_expiry(account);
  if (now == before) return;
  if (before != INT64_MAX) expiries_.erase({before, user_id});
  if (now != INT64_MAX) expiries_.emplace(now, user_id);
}

void GivingBook::expire(const std::string& user_id, GivingAccount& account) {
  const int64_t today = day_of(now_), before = first_expiry(account);
  if (before > today) return;
  touch("ga" + user_id);
  std::map<std::string, int64_t> gone;  // by rule
  std::erase_if(account.lots, [&](const PointsLot& lot) {
    if (lot.day >= today) return false;
    gone[lot.rule] += lot.points;
    return true;
  });
  schedule(user_id, account, before);
  for (const auto& [rule, points] : gone) {
    chain_.append(
        {.kind = "expiry", .ts = now_, .points = -points, .account = account.name, .rule = rule});
  }
}

void GivingBook::pass(Millis now) {
  const std::lock_guard lock(mutex_);
  now_ = std::max(now_, now);
  while (!expiries_.empty() && expiries_.begin()->first <= day_of(now_)) {
    const std::string user_id = expiries_.begin()->second;
    expire(user_id, accounts_.at(user_id));
  }
  chain_.pass(now_);
}

bool GivingBook::crowded() const {
  const std::lock_guard lock(mutex_);
  return chain_.waiting() > kWaitingMax;
}

void GivingBook::forget(std::string_view user_id) {
  const std::lock_guard lock(mutex_);
  const auto found = accounts_.find(std::string(user_id));
  if (found == accounts_.end()) return;
  touch("ga" + found->first);
  std::map<std::string, int64_t> left;
  for (const PointsLot& lot : found->second.lots) left[lot.rule] += lot.points;
  for (const auto& [rule, points] : left) {
    chain_.append({.kind = "forgotten",
                   .ts = now_,
                   .points = -points,
                   .account = found->second.name,
                   .rule = rule});
  }
  expiries_.erase({first_expiry(found->second), found->first});
  accounts_.erase(found);
}

}  // namespace shanhuo
