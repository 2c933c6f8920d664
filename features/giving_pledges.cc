// Control records of giving.h: pledges, and the rules that hold from then on.
#include <algorithm>

#include "features/giving.h"
#include "features/packing.h"

namespace shanhuo {

bool GivingBook::control(std::string_view user_id, std::string_view value, Millis watermark) {
  if (value.empty()) return false;
  const std::lock_guard lock(mutex_);
  now_ = std::max(now_, watermark);
  const char kind = value.front();
  value.remove_prefix(1);
  if (kind == 'r') return set_rules(value);
  return kind == 'p' && control_pledge(user_id, value);
}

bool GivingBook::set_rules(std::string_view text) {
  if (text == rules_->text) return true;
  Result<std::shared_ptr<const GivingRules>> read = read_(text);
  if (!read.ok()) return false;
  touch("gr");
  rules_ = std::move(read).value();
  chain_.append({.kind = "rules", .ts = now_, .what = rules_->version});
  return true;
}

bool GivingBook::control_pledge(std::string_view user_id, std::string_view value) {
  Pledge wanted{.user_id = user_id};
  const bool good = take_text(&value, &wanted.request_id) && take_text(&value, &wanted.cause) &&
                    take_signed(&value, &wanted.points) && value.empty() && wanted.points > 0 &&
                    wanted.points <= kPledgePointsMax;
  if (good) pledge(wanted);
  return good;
}

std::string GivingBook::request_key(std::string_view request_id) const {
  return keys_.name_of("request", request_id);
}

std::string GivingBook::requester(const Pledge& pledge) const {
  return keys_.name_of("requester", pledge.user_id, pledge.request_id);
}

PledgeOutcome GivingBook::judge(const Pledge& pledge, const GivingAccount* account,
                                const CauseRule** cause, const GivingRule** rule) const {
  for (const GivingRule& each : rules_->rules) {
    for (const CauseRule& named : each.causes) {
      if (!each.enabled || named.cause != pledge.cause) continue;
      *cause = &named;
      *rule = &each;
    }
  }
  if (*cause == nullptr) return {.verdict = PledgeVerdict::kUnknownCause};
  const CauseRule& wanted = **cause;
  const auto totals = causes_.find(wanted.cause);
  const CauseTotals now = totals == causes_.end() ? CauseTotals{} : totals->second;
  const bool once = !wanted.each && !wanted.repeats;
  if (once && now.executions > 0) return {.verdict = PledgeVerdict::kExecuted};
  if (wanted.each && pledge.points % wanted.threshold != 0) {
    return {.verdict = PledgeVerdict::kNoMultiple, .number = wanted.threshold};
  }
  const int64_t has = account == nullptr ? 0 : account->points((*rule)->id);
  if (has < pledge.points) return {.verdict = PledgeVerdict::kTooFew, .number = has};
  const int64_t missing = std::max<int64_t>(0, wanted.threshold - now.towards);
  if (once && pledge.points > missing) {
    return {.verdict = PledgeVerdict::kTooMany, .number = missing};
  }
  return {};
}

// A request that was folded before stays what it was.
void GivingBook::pledge(const Pledge& pledge) {
  const std::string key = request_key(pledge.request_id);
  if (requests_.contains(key)) return;
  const std::string user_id(pledge.user_id);
  const auto found = accounts_.find(user_id);
  GivingAccount* account = found == accounts_.end() ? nullptr : &found->second;
  if (account != nullptr) expire(user_id, *account);
  const CauseRule* cause = nullptr;
  const GivingRule* rule = nullptr;
  touch("gq" + key);
  Request& request = requests_[key];
  request = {.cause = std::string(pledge.cause),
             .who = requester(pledge),
             .points = pledge.points,
             .outcome = judge(pledge, account, &cause, &rule),
             .number = request_order_.empty() ? 0 : request_order_.rbegin()->first + 1};
  request_order_.emplace(request.number, key);
  if (request.outcome.verdict == PledgeVerdict::kDone) {
    request.outcome.entry = chain_.size();
    credit(*cause, *rule, pledge, *account);
  }
  if (requests_.size() <= options_.requests_max) return;
  touch("gq" + request_order_.begin()->second);
  requests_.erase(request_order_.begin()->second);
  request_order_.erase(request_order_.begin());
  ++requests_forgotten_;
}

void GivingBook::take(GivingAccount& account, std::string_view rule, int64_t points) {
  for (PointsLot& lot : account.lots) {  // ascending by day
    if (lot.rule != rule) continue;
    const int64_t part = std::min(points, lot.points);
    lot.points -= part;
    points -= part;
  }
  std::erase_if(account.lots, [](const PointsLot& lot) { return lot.points == 0; });
}

void GivingBook::credit(const CauseRule& cause, const GivingRule& rule, const Pledge& pledge,
                        GivingAccount& account) {
  const std::string user_id(pledge.user_id);
  touch("ga" + user_id);
  touch("gc" + cause.cause);
  int64_t before = INT64_MAX;
  for (const PointsLot& lot : account.lots) before = std::min(before, lot.day + 1);
  take(account, rule.id, pledge.points);
  schedule(user_id, account, before);
  const auto same = [&](const PledgedPoints& given) { return given.cause == cause.cause; };
  auto given = std::find_if(account.pledged.begin(), account.pledged.end(), same);
  CauseTotals& totals = causes_[cause.cause];
  if (given == account.pledged.end()) {
    given = account.pledged.insert(given, {cause.cause, 0});
    ++totals.backers;
  }
  given->points += pledge.points;
  totals.points += pledge.points;
  totals.towards += pledge.points;
  chain_.append({.kind = "pledge",
                 .ts = now_,
                 .points = -pledge.points,
                 .account = account.name,
                 .cause = cause.cause,
                 .rule = rule.id});
  const int64_t times = totals.towards / cause.threshold;
  if (times == 0) return;
  totals.executions += times;
  totals.towards -= times * cause.threshold;
  chain_.append({.kind = "execution",
                 .ts = now_,
                 .points = times * cause.threshold,
                 .cause = cause.cause,
                 .rule = rule.id});
}

std::optional<PledgeOutcome> GivingBook::outcome(const Pledge& pledge) const {
  const std::lock_guard lock(mutex_);
  const auto found = requests_.find(request_key(pledge.request_id));
  if (found == requests_.end()) return std::nullopt;
  const Request& request = found->second;
  const bool same = request.cause == pledge.cause && request.points == pledge.points &&
                    request.who == requester(pledge);
  if (!same) return PledgeOutcome{.verdict = PledgeVerdict::kOtherBody};
  return request.outcome;
}

std::optional<GivingAccount> GivingBook::account(std::string_view user_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = accounts_.find(std::string(user_id));
  if (found == accounts_.end()) return std::nullopt;
  return found->second;
}

CauseTotals GivingBook::cause(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = causes_.find(std::string(id));
  return found == causes_.end() ? CauseTotals{} : found->second;
}

std::map<std::string, CauseTotals> GivingBook::causes() const {
  const std::lock_guard lock(mutex_);
  return causes_;
}

std::shared_ptr<const GivingRules> GivingBook::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

LedgerChain::Waiting GivingBook::waiting_from(uint64_t first, uint64_t count) const {
  const std::lock_guard lock(mutex_);
  return chain_.waiting_from(first, count);
}

GivingStats GivingBook::stats() const {
  const std::lock_guard lock(mutex_);
  return {.entries = chain_.size(),
          .checkpoints = chain_.checkpoints(),
          .waiting = chain_.waiting(),
          .accounts = accounts_.size(),
          .accounts_refused = accounts_refused_,
          .orders_refused = orders_refused_,
          .requests_forgotten = requests_forgotten_};
}

}  // namespace shanhuo
