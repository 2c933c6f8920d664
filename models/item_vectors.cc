// Tested by tests/models_item_vectors_test.cc.
#include "models/item_vectors.h"

namespace shanhuo {
namespace {

// A new price or stock moves no vector.
bool same_vectors(const Item& a, const Item& b) {
  return a.id == b.id && a.creator_id == b.creator_id && a.county == b.county &&
         a.title == b.title && a.category == b.category && a.tags == b.tags;
}

}  // namespace

std::shared_ptr<const ItemVectorTable::Chunk> ItemVectorTable::make_chunk(
    const Catalogue::Chunk& items, const Catalogue::Chunk* items_before,
    const std::shared_ptr<const Chunk>& before) {
  std::shared_ptr<Chunk> made;  // once something differs
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i]) continue;
    const CatalogueItem* known = items_before != nullptr ? (*items_before)[i].get() : nullptr;
    if (known != nullptr &&
        (known == items[i].get() || same_vectors(known->item, items[i]->item))) {
      continue;
    }
    if (!made) made = before ? std::make_shared<Chunk>(*before) : std::make_shared<Chunk>();
    const ItemVectors vectors = model_->of(items[i]->item);
    (*made)[i] = {vectors.candidate, vectors.history};
    ++computed_;
  }
  if (made) return made;
  return before ? before : std::make_shared<const Chunk>();
}

std::shared_ptr<const ItemVectorTable> ItemVectorTable::build(
    std::shared_ptr<const VectorModel> model, std::shared_ptr<const Catalogue> catalogue,
    const ItemVectorTable* before) {
  auto table = std::make_shared<ItemVectorTable>();
  if (before != nullptr && before->model_ != model) before = nullptr;
  table->model_ = std::move(model);
  table->catalogue_ = std::move(catalogue);
  const auto& chunks = table->catalogue_->chunks;
  table->chunks_.resize(chunks.size());
  for (size_t c = 0; c < chunks.size(); ++c) {
    if (!chunks[c]) continue;
    const bool known = before != nullptr && c < before->chunks_.size() && before->chunks_[c];
    const Catalogue::Chunk* items_before = known ? before->catalogue_->chunks[c].get() : nullptr;
    if (known && items_before == chunks[c].get()) {
      table->chunks_[c] = before->chunks_[c];
      continue;
    }
    table->chunks_[c] =
        table->make_chunk(*chunks[c], items_before, known ? before->chunks_[c] : nullptr);
  }
  return table;
}

}  // namespace shanhuo
