#include "ranking/graduates.h"

#include <algorithm>
#include <unordered_map>

namespace shanhuo {
namespace {

// Whose counts are summed up: an item stands for itself, or for its creator.
uint64_t key_of(const World& world, const Until& until, ItemIndex item) {
  return until.scope == UntilScope::kItem ? item : world.listing(item).creator_hash;
}

std::vector<ItemIndex> graduates_of(const World& world, ProgramIndex program,
                                    const ItemTotals& totals) {
  std::vector<ItemIndex> done;
  const std::optional<Until>& until = world.program(program).until;
  if (!until) return done;
  std::unordered_map<uint64_t, int64_t> brought;
  for (const ItemIndex item : world.items_of(program)) {
    brought[key_of(world, *until, item)] += totals.of(item, until->unit);
  }
  for (const ItemIndex item : world.items_of(program)) {
    if (brought[key_of(world, *until, item)] >= until->reaches) done.push_back(item);
  }
  return done;
}

}  // namespace

bool Graduates::contains(const World& world, ProgramIndex program, ItemIndex item) const {
  return set_.get() == &world.programs() &&
         std::binary_search(items_[program].begin(), items_[program].end(), item);
}

size_t Graduates::count(const World& world, ProgramIndex program) const {
  return set_.get() == &world.programs() ? items_[program].size() : 0;
}

std::shared_ptr<const Graduates> find_graduates(const World& world, const ItemTotals& totals) {
  auto graduates = std::make_shared<Graduates>();
  graduates->set_ = world.shared_programs();
  for (size_t p = 0; p < world.programs().programs.size(); ++p) {
    graduates->items_.push_back(graduates_of(world, static_cast<ProgramIndex>(p), totals));
  }
  return graduates;
}

}  // namespace shanhuo
