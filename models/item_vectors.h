// The vectors of all items of a catalogue in one version of a model, by index: what a request reads
// while it compares a viewer with items.
//
// An immutable snapshot; readers need no lock. build() is pure; given the table of an earlier
// catalogue and the same model it computes only items whose text changed and shares the rest.
// Memory: 512 bytes an item, in chunks as the catalogue has them.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "features/catalogue.h"
#include "models/vector_model.h"

namespace shanhuo {

class ItemVectorTable {
 public:
  // `before`: of any earlier catalogue, or nullptr.
  static std::shared_ptr<const ItemVectorTable> build(std::shared_ptr<const VectorModel> model,
                                                      std::shared_ptr<const Catalogue> catalogue,
                                                      const ItemVectorTable* before);

  const VectorModel& model() const { return *model_; }
  std::shared_ptr<const VectorModel> shared_model() const { return model_; }
  // Requires: the catalogue has the item.
  const Vector& candidate(ItemIndex item) const { return at(item).candidate; }
  const Vector& history(ItemIndex item) const { return at(item).history; }
  // Items computed to make this table (the rest was taken over).
  uint64_t computed() const { return computed_; }

 private:
  struct alignas(64) Row {
    Vector candidate, history;
  };
  using Chunk = std::array<Row, Catalogue::kChunk>;

  const Row& at(ItemIndex item) const {
    return (*chunks_[item / Catalogue::kChunk])[item % Catalogue::kChunk];
  }
  std::shared_ptr<const Chunk> make_chunk(const Catalogue::Chunk& items,
                                          const Catalogue::Chunk* items_before,
                                          const std::shared_ptr<const Chunk>& before);

  std::shared_ptr<const VectorModel> model_;
  std::shared_ptr<const Catalogue> catalogue_;
  std::vector<std::shared_ptr<const Chunk>> chunks_;
  uint64_t computed_ = 0;
};

}  // namespace shanhuo
