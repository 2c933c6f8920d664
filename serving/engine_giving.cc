// What giving needs of the engine: its key, its rules in the log, and pledges that wait for the
// fold.
#include <cstdio>

#include "serving/engine.h"
#include "streaming/codec.h"

namespace shanhuo {

Status Engine::make_giving() {
  Result<LedgerKeys> keys = LedgerKeys::load(options_.data_dir + "/ledger.key");
  if (!keys.ok()) return keys.error();
  ledger_keys_ = std::make_unique<LedgerKeys>(std::move(keys).value());
  giving_ = std::make_unique<GivingBook>(options_.giving, *ledger_keys_, read_giving_text);
  return {};
}

// Rules reach the fold through the log, so that a replay applies each from the same record on. One
// partition is enough: one fold reads all of them.
void Engine::publish_giving() {
  const std::shared_ptr<const GivingRules> wanted = giving_rules_.current();
  if (wanted->text == giving_->rules()->text) return;
  const std::string value = encode_rules(wanted->text);
  const Result<Appended> appended =
      append_and_wait(Topic::kInteractions, 0, {{"giving", value, ContentType::kControl}});
  const bool applied = appended.ok() && wait_applied(Topic::kInteractions, appended.value());
  if (!applied) std::fprintf(stderr, "giving: the rules do not hold yet; trying again\n");
}

Result<PledgeOutcome> Engine::pledge(const Pledge& pledge) {
  const std::string value = encode_pledge(pledge);
  const Result<Appended> appended = append_and_wait(
      Topic::kInteractions, kByKey, {{pledge.user_id, value, ContentType::kControl}});
  if (!appended.ok()) return appended.error();
  const Error waiting{ErrorCode::kUnavailable,
                      "accepted, but not decided yet; the same request gets the answer later"};
  if (!wait_applied(Topic::kInteractions, appended.value())) return waiting;
  const std::optional<PledgeOutcome> outcome = giving_->outcome(pledge);
  if (!outcome) return waiting;
  return *outcome;
}

}  // namespace shanhuo
