// Formats (packing.h): account := name lots:n (rule day points)* pledged:n (cause points)* (rule
// earn day quantity)*; cause := six numbers; order := (cause rule weight given)*; request := cause
// who points verdict number entry place; rules := their text.
#include <algorithm>

#include "features/giving.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

std::string pack_account(const GivingAccount& account) {
  std::string out;
  put_text(&out, account.name);
  put_varint(&out, account.lots.size());
  for (const PointsLot& lot : account.lots) {
    put_text(&out, lot.rule);
    put_signed(&out, lot.day);
    put_signed(&out, lot.points);
  }
  put_varint(&out, account.pledged.size());
  for (const PledgedPoints& given : account.pledged) {
    put_text(&out, given.cause);
    put_signed(&out, given.points);
  }
  for (const GivingAccount::Day& day : account.days) {
    put_text(&out, day.rule);
    for (const int64_t n : {day.earn, day.day, day.quantity}) put_signed(&out, n);
  }
  return out;
}

bool take_string(std::string_view* in, std::string* text) {
  std::string_view view;
  const bool good = take_text(in, &view);
  *text = view;
  return good;
}

bool unpack_account(std::string_view in, GivingAccount* account) {
  uint64_t lots = 0, pledged = 0;
  bool good = take_string(&in, &account->name) && take_varint(&in, &lots);
  for (uint64_t i = 0; good && i < lots; ++i) {
    PointsLot& lot = account->lots.emplace_back();
    good =
        take_string(&in, &lot.rule) && take_signed(&in, &lot.day) && take_signed(&in, &lot.points);
  }
  good = good && take_varint(&in, &pledged);
  for (uint64_t i = 0; good && i < pledged; ++i) {
    PledgedPoints& given = account->pledged.emplace_back();
    good = take_string(&in, &given.cause) && take_signed(&in, &given.points);
  }
  while (good && !in.empty()) {
    GivingAccount::Day& day = account->days.emplace_back();
    good = take_string(&in, &day.rule) && take_signed(&in, &day.earn) &&
           take_signed(&in, &day.day) && take_signed(&in, &day.quantity);
  }
  return good;
}

template <typename Totals>
auto numbers_of(Totals& t) {
  return std::array{&t.donated_fen, &t.donations, &t.points, &t.backers, &t.executions, &t.towards};
}

}  // namespace

void GivingBook::touch(const std::string& key) {
  if (frozen_.erase(key) != 0) save(key);
  dirty_.insert(key);
}

std::optional<std::string> GivingBook::value_of(std::string_view key) const {
  const std::string id(key.substr(2));
  std::string out;
  switch (key[1]) {
    case 'a': {
      const auto found = accounts_.find(id);
      if (found == accounts_.end()) return std::nullopt;
      return pack_account(found->second);
    }
    case 'c': {
      const auto found = causes_.find(id);
      if (found == causes_.end()) return std::nullopt;
      for (const int64_t* n : numbers_of(found->second)) put_signed(&out, *n);
      return out;
    }
    case 'o': {
      const auto found = orders_.find(id);
      if (found == orders_.end()) return std::nullopt;
      for (const Share& share : found->second) {
        put_text(&out, share.cause);
        put_text(&out, share.rule);
        put_signed(&out, share.weight);
        put_signed(&out, share.given);
      }
      return out;
    }
    case 'q': {
      const auto found = requests_.find(id);
      if (found == requests_.end()) return std::nullopt;
      const Request& request = found->second;
      put_text(&out, request.cause);
      put_text(&out, request.who);
      put_signed(&out, request.points);
      put_signed(&out, static_cast<int64_t>(request.outcome.verdict));
      put_signed(&out, request.outcome.number);
      put_varint(&out, request.outcome.entry);
      put_varint(&out, request.number);
      return out;
    }
    default:
      return rules_->text;
  }
}

void GivingBook::save(const std::string& key) {
  if (const auto value = value_of(key)) {
    writer_->put(key, *value);
  } else {
    writer_->erase(key);
  }
}

void GivingBook::begin_checkpoint(StateWriter& writer) {
  const std::lock_guard lock(mutex_);
  writer_ = &writer;
  frozen_.swap(dirty_);
  chain_.begin_checkpoint();
  std::string now;
  put_signed(&now, now_.count());
  writer.put("gt", now);
}

bool GivingBook::checkpoint_step(size_t records_max) {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < records_max && !frozen_.empty(); ++i) {
    save(frozen_.extract(frozen_.begin()).value());
  }
  return frozen_.empty() && chain_.checkpoint_step(records_max, *writer_);
}

void GivingBook::checkpoint_committed() {
  const std::lock_guard lock(mutex_);
  chain_.checkpoint_committed();
}

Status GivingBook::restore_one(std::string_view key, std::string_view in) {
  const std::string id(key.substr(2));
  bool good = true;
  switch (key[1]) {
    case 'a': {
      GivingAccount& account = accounts_[id];
      good = unpack_account(in, &account);
      schedule(id, account, INT64_MAX);
      break;
    }
    case 'c':
      for (int64_t* n : numbers_of(causes_[id])) good = good && take_signed(&in, n);
      break;
    case 'o':
      while (good && !in.empty()) {
        Share& share = orders_[id].emplace_back();
        good = take_string(&in, &share.cause) && take_string(&in, &share.rule) &&
               take_signed(&in, &share.weight) && take_signed(&in, &share.given);
      }
      break;
    case 'q': {
      Request& request = requests_[id];
      int64_t verdict = 0;
      good = take_string(&in, &request.cause) && take_string(&in, &request.who) &&
             take_signed(&in, &request.points) && take_signed(&in, &verdict) &&
             take_signed(&in, &request.outcome.number) &&
             take_varint(&in, &request.outcome.entry) && take_varint(&in, &request.number) &&
             verdict >= 0 && verdict <= static_cast<int64_t>(PledgeVerdict::kOtherBody);
      request.outcome.verdict = static_cast<PledgeVerdict>(verdict);
      request_order_.emplace(request.number, id);
      break;
    }
    case 't': {
      int64_t now = 0;
      good = take_signed(&in, &now);
      now_ = Millis(now);
      break;
    }
    default: {
      Result<std::shared_ptr<const GivingRules>> read = read_(in);
      if (!read.ok()) return read.error().within("the rules of giving in the state");
      rules_ = std::move(read).value();
    }
  }
  if (good) return {};
  return Error{ErrorCode::kCorrupt, "giving: a malformed record " + std::string(key.substr(0, 2))};
}

Status GivingBook::restore(const StateReader& reader) {
  const std::lock_guard lock(mutex_);
  for (const char* prefix : {"ga", "gc", "go", "gq", "gr", "gt"}) {
    const Status status = reader.scan(prefix, [this](std::string_view key, std::string_view value) {
      return restore_one(key, value);
    });
    if (!status.ok()) return status;
  }
  return chain_.restore(reader);
}

}  // namespace shanhuo
