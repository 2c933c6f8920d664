// Rules of giving, as the fold applies them: what earns a share of an order for a cause, what earns
// points, and what points can be given to (docs/giving.md; read from YAML by
// configs/giving_reader.h). Plain values, published whole.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "features/catalogue.h"

namespace shanhuo {

// What earns points. Quantities of a viewer's day (UTC+8) add up first, so nothing is lost to
// rounding between two events: points of the day = min(daily_max, sum / per * points).
struct EarnRule {
  bool order = false;      // else a deed
  bool by_amount = false;  // of an order: its fen count, else orders do
  std::string deed;        // of a deed: its name; its `quantity` counts (steps, minutes)
  int64_t points = 1;
  int64_t per = 1;
  int64_t daily_max = 0;  // points a viewer and day
};

// What points can be pledged to.
struct CauseRule {
  std::string cause;      // an item's id
  int64_t threshold = 1;  // points
  bool each = false;      // each viewer alone reaches it (a tree), else all together (a dream)
  bool repeats = false;   // executes again and again; always so when `each`
};

struct GivingRule {
  std::string id, name_zh, name_en;
  bool enabled = true;
  // Of orders: whether the item takes part. Never empty.
  std::function<bool(const CatalogueItem&)> items;
  bool donates = false;        // a share of each order goes to the cause that its item names
  int32_t permille_max = 0;    // at most this share, whatever the item says
  int64_t expire_days = 0;     // points live that many days after the day they were earned
  std::vector<EarnRule> earn;  // at most kEarnRulesMax
  std::vector<CauseRule> causes;
};
inline constexpr size_t kEarnRulesMax = 32;

struct GivingRules {
  std::vector<GivingRule> rules;  // by id; no cause is named twice
  std::string text;               // what they were read from; for the log and the checkpoint
  std::string version;            // first 16 hex digits of its SHA-256
};

// The text back into rules; kInvalid when it does not hold. Given by the composition root, since
// YAML is read in configs/.
using ReadGivingRules =
    std::function<Result<std::shared_ptr<const GivingRules>>(std::string_view text)>;

}  // namespace shanhuo
