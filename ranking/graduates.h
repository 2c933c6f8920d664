// Which items have left their programs because their lifetime brought what `until` asks
// (program.h): an immutable snapshot, made anew a few times a second beside the request path.
#pragma once

#include <memory>
#include <vector>

#include "features/item_totals.h"
#include "ranking/world.h"

namespace shanhuo {

class Graduates {
 public:
  // For the programs of one World; of another set nothing has graduated.
  bool contains(const World& world, ProgramIndex program, ItemIndex item) const;
  size_t count(const World& world, ProgramIndex program) const;

 private:
  friend std::shared_ptr<const Graduates> find_graduates(const World&, const ItemTotals&);
  std::shared_ptr<const ProgramSet> set_;
  std::vector<std::vector<ItemIndex>> items_;  // as the set's programs; ascending
};

// Costs a look at each item of each program with `until`.
std::shared_ptr<const Graduates> find_graduates(const World& world, const ItemTotals& totals);

}  // namespace shanhuo
