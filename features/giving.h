// GivingBook: what viewers give and where it goes, derived by the fold from the rules of giving
// (giving_rules.h), and the public ledger of it (ledger_chain.h).
//
// Donations. An order line whose item names a cause earns it permille of the line's amount. Over an
// order, of amount A of which R is refunded, a cause is due
//     floor(sum(line amount * permille) * (A - R) / (A * 1000))  fen,
// exactly, in integers; what is due more or less than was given becomes an entry `donation` or
// `claw_back`. So lines and refunds may come in any order, a full refund takes everything back, and
// what is taken back never exceeds what was given. The permille is that of the item when the line
// is folded.
//
// Points. Earned by deeds and orders (giving_rules.h), counted once (late events earn none, nor
// does invalid traffic), spent by pledges, the ones that expire first before others. What is not
// pledged expires at the end of a day (UTC+8), `expire_days` after the day it was earned; what is
// pledged never does. A cause executes when pledges reach its threshold. Pledges beyond what is
// missing are refused, so nothing is pledged in vain. Refunds do not take points back.
//
// A viewer's account has a name that follows from the key file, the viewer's id and the event that
// opened it. forget() drops the account, its points and the way from the id to the name: amounts
// stay, and nobody can tell any more whose they were.
//
// One writer (the fold); what is const may be called from any thread. Deterministic: equal logs and
// keys give equal chains. Everything is bounded by GivingOptions; what exceeds a bound is counted.
//
// Checkpointed: "ga" + user id (account), "gc" + cause, "go" + order id, "gq" + request (hashed),
// "gr" (rules), and what ledger_chain.h says.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "features/giving_rules.h"
#include "features/interaction.h"
#include "features/ledger.h"
#include "features/ledger_chain.h"
#include "features/state_machine.h"

namespace shanhuo {

struct GivingOptions {
  size_t accounts_max = 2'000'000;    // viewers with points; about 400 bytes each
  size_t orders_max = 2'000'000;      // orders that donated; about 250 bytes each
  size_t requests_max = 1'000'000;    // remembered pledges; about 200 bytes each
  size_t block_entries_max = 65'536;  // of a signed checkpoint; a proof reads as many
};

inline constexpr int64_t kPledgePointsMax = 1'000'000'000;

// Points of one account.
struct PointsLot {
  std::string rule;
  int64_t day = 0;  // last day (UTC+8) on which they can be pledged
  int64_t points = 0;
};
struct PledgedPoints {
  std::string cause;
  int64_t points = 0;
};
struct GivingAccount {
  std::string name;  // in the ledger
  std::vector<PointsLot> lots;
  std::vector<PledgedPoints> pledged;

  struct Day {  // what one rule counted on one day
    std::string rule;
    int64_t earn = 0;  // which of its EarnRules
    int64_t day = 0, quantity = 0;
  };
  std::vector<Day> days;  // of the last days

  int64_t points(std::string_view rule) const;
};

struct CauseTotals {
  int64_t donated_fen = 0;
  int64_t donations = 0;  // orders that gave; a claw-back takes none away
  int64_t points = 0;     // pledged, ever
  int64_t backers = 0;    // accounts that pledged
  int64_t executions = 0;
  int64_t towards = 0;  // points towards the next execution
};

enum class PledgeVerdict : uint8_t {
  kDone,
  kUnknownCause,  // no rule takes points for it
  kTooFew,        // `number` is what the viewer has
  kTooMany,       // `number` is what the cause still takes
  kExecuted,      // the cause has what it asked for
  kNoMultiple,    // of the threshold, `number`
  kOtherBody,     // the request id was another pledge's
};
struct PledgeOutcome {
  PledgeVerdict verdict = PledgeVerdict::kDone;
  int64_t number = 0;
  uint64_t entry = 0;  // of the ledger, when kDone
};

struct Pledge {
  std::string_view user_id{}, request_id{}, cause{};
  int64_t points = 0;
};
// Control records of the interactions topic (streaming/event_log.h, ContentType::kControl).
std::string encode_pledge(const Pledge& pledge);  // keyed by user_id
std::string encode_rules(std::string_view text);

struct GivingStats {
  uint64_t entries = 0, checkpoints = 0, waiting = 0;
  uint64_t accounts = 0, accounts_refused = 0, orders_refused = 0, requests_forgotten = 0;
};

class GivingBook final : public Checkpointed {
 public:
  GivingBook(const GivingOptions& options, const LedgerKeys& keys, ReadGivingRules read);

  // ---- the fold ----
  // An order or refund that counted: `change` is what it did (Ledger::apply), `order` what the
  // order is now, or nullptr when it is not remembered. `earns`: its points count.
  void money(const Interaction& event, const CatalogueItem* known, const LedgerTotals& change,
             const LedgerOrder* order, bool earns);
  void deed(const Interaction& event);
  // A control record. False: malformed.
  bool control(std::string_view user_id, std::string_view value, Millis watermark);
  void forget(std::string_view user_id);
  // Engine time has come so far: points expire, the hour's block ends.
  void pass(Millis now);
  // More entries wait for a checkpoint than memory should hold.
  bool crowded() const;

  // ---- any thread ----
  // What became of a pledge that was folded; nullopt: its request is not remembered.
  std::optional<PledgeOutcome> outcome(const Pledge& pledge) const;
  // nullopt: no account.
  std::optional<GivingAccount> account(std::string_view user_id) const;
  CauseTotals cause(std::string_view id) const;
  std::map<std::string, CauseTotals> causes() const;
  std::shared_ptr<const GivingRules> rules() const;
  LedgerChain::Waiting waiting_from(uint64_t first, uint64_t count) const;
  const LedgerKeys& keys() const { return keys_; }
  GivingStats stats() const;

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  void checkpoint_committed() override;
  Status restore(const StateReader& reader) override;

 private:
  // What an order gave, cause by cause.
  struct Share {
    std::string cause, rule;
    int64_t weight = 0;  // sum(line amount * permille)
    int64_t given = 0;
  };
  struct Request {
    std::string cause, who;  // who: a keyed hash of viewer and request
    int64_t points = 0;
    PledgeOutcome outcome;
    uint64_t number = 0;  // in the order of folding
  };
  using Accounts = std::unordered_map<std::string, GivingAccount>;

  void donate(const Interaction& event, const CatalogueItem* known, const LedgerTotals& change,
              const LedgerOrder* order, std::string_view order_name);
  void settle(Share& share, int64_t amount, int64_t refunded, const Interaction& event,
              std::string_view order_name);
  void earn(const Interaction& event, const GivingRule& rule, size_t which, int64_t quantity);
  GivingAccount* account_of(const Interaction& event);
  static void add_lot(GivingAccount& account, const GivingRule& rule, int64_t day, int64_t points);
  void expire(const std::string& user_id, GivingAccount& account);
  void schedule(const std::string& user_id, const GivingAccount& account, int64_t before);
  bool control_pledge(std::string_view user_id, std::string_view value);
  void pledge(const Pledge& pledge);
  PledgeOutcome judge(const Pledge& pledge, const GivingAccount* account, const CauseRule** cause,
                      const GivingRule** rule) const;
  static void take(GivingAccount& account, std::string_view rule, int64_t points);
  void credit(const CauseRule& cause, const GivingRule& rule, const Pledge& pledge,
              GivingAccount& account);
  bool set_rules(std::string_view text);
  std::string requester(const Pledge& pledge) const;
  std::string request_key(std::string_view request_id) const;

  // Save before write, by key (state_machine.h).
  void touch(const std::string& key);
  void save(const std::string& key);
  std::optional<std::string> value_of(std::string_view key) const;
  Status restore_one(std::string_view key, std::string_view value);

  const GivingOptions options_;
  const LedgerKeys& keys_;
  const ReadGivingRules read_;

  mutable std::mutex mutex_;  // guards what follows; only the writer changes it
  std::shared_ptr<const GivingRules> rules_;
  LedgerChain chain_;
  Accounts accounts_;  // by user id
  std::map<std::string, CauseTotals> causes_;
  std::unordered_map<std::string, std::vector<Share>> orders_;
  std::unordered_map<std::string, Request> requests_;   // by request_key()
  std::map<uint64_t, std::string> request_order_;       // oldest first
  std::set<std::pair<int64_t, std::string>> expiries_;  // day after the first lot's, user id
  Millis now_{0};                                       // engine time, as of pass()
  uint64_t accounts_refused_ = 0, orders_refused_ = 0, requests_forgotten_ = 0;

  std::unordered_set<std::string> dirty_, frozen_;
  StateWriter* writer_ = nullptr;
};

}  // namespace shanhuo
