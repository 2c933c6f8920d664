// Orders, exactly: what was sold, and what was given back. Late events count here too.
//
// An order is known by its order_id. Several order events with one order_id (lines of a basket) add
// up. An order's refunds never exceed it: of all refunds asked for, min(asked, ordered) are in
// effect; so a refund that overtakes its order waits and takes effect with it, and the sums do not
// depend on the order of arrival. Each call answers the change of income, for the rollups. An event
// counts once, however late it comes again: an order remembers its first kEventsPerOrder events.
//
// One writer (the fold); item_totals() from any thread. At most `orders_max` orders are remembered:
// beyond, an order still counts in its item's totals, but a refund of it has no effect; counted. A
// refund of an order that was never seen counts for nothing until the order comes.
// Checkpointed: "lg" + 'o' + order_id, "lg" + 'i' + item id.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "features/dirty_list.h"
#include "features/interaction.h"
#include "features/interner.h"
#include "features/state_machine.h"

namespace shanhuo {

struct LedgerOptions {
  size_t orders_max = 2'000'000;  // about 250 bytes each
};

struct LedgerTotals {
  int64_t orders = 0;
  Fen ordered;
  Fen refunded;  // <= ordered, order by order

  bool operator==(const LedgerTotals&) const = default;
};

struct LedgerOrder {
  std::string user_id;  // empty: forgotten
  ItemIndex item = kNoItem;
  Fen amount;
  Fen asked;  // refunds asked for
  Millis ts;  // of its first event
  int64_t lines = 0;
  std::vector<uint64_t> events;  // hashes of (user_id, event_id) that made it what it is

  Fen refunded() const { return asked < amount ? asked : amount; }
};

class Ledger final : public Checkpointed {
 public:
  static constexpr size_t kEventsPerOrder = 64;

  Ledger(const LedgerOptions& options, Interner& interner)
      : options_(options), interner_(interner) {}

  // Requires: event.type is kOrder or kRefund. Answers the change of income in fen: the amount of
  // an order minus refunds that waited for it, or minus what the refund takes off.
  Fen apply(const Interaction& event, ItemIndex item);
  // What the last apply() changed; all zero when it was a repetition, or changed nothing.
  const LedgerTotals& last_change() const { return last_change_; }
  // Removes the viewer's id from its orders; amounts stay.
  void forget(std::string_view user_id);

  LedgerTotals item_totals(ItemIndex item) const;
  // nullptr: unknown. The fold's thread only.
  const LedgerOrder* find(std::string_view order_id) const;
  uint64_t orders_refused() const { return orders_refused_.load(std::memory_order_relaxed); }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }  // about

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  struct OrderRow : LedgerOrder {
    uint8_t mark = 0;
  };
  struct TotalsRow {
    LedgerTotals totals;
    uint8_t mark = 0;
  };
  using Orders = std::unordered_map<std::string, OrderRow>;
  using Totals = std::unordered_map<ItemIndex, TotalsRow>;

  // The order of the event, made now if it is new; nullptr beyond orders_max.
  Orders::value_type* order(const Interaction& event, ItemIndex item);
  void add_totals(ItemIndex item, const LedgerTotals& change);
  void save_order(const Orders::value_type& entry);
  void save_totals(const Totals::value_type& entry);
  bool restore_order(std::string_view id, std::string_view value);
  bool restore_totals(std::string_view id, std::string_view value);

  const LedgerOptions options_;
  Interner& interner_;
  Orders orders_;  // writer only
  LedgerTotals last_change_;
  std::atomic<uint64_t> orders_refused_{0};
  std::atomic<size_t> bytes_{0};

  mutable std::mutex mutex_;
  Totals totals_;  // guarded by mutex_; changed by the writer only

  DirtyList<Orders::value_type*> dirty_orders_;  // writer only
  DirtyList<Totals::value_type*> dirty_totals_;
  StateWriter* writer_ = nullptr;
};

}  // namespace shanhuo
