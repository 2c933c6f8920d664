// Trained vectors as they serve: where each item stands, and where a viewer stands by what it did
// last. One version of a model, as `shanhuo train` makes it.
//
// An item has two vectors. `candidate` is what an index retrieves: of unit length, so that its
// product with a viewer's is a cosine and a threshold means the same in every version; how popular
// an item is, is said by its rates and not by its vector. `history` is what it says about a viewer
// who chose it. Of an item with few viewers in training (or none: it is new) both lean on its text:
// own * e / (e + h) + text * h / (e + h), with e viewers and h = evidence_half.
//
// Immutable and thread-safe; memory 8 bytes x kDims an item.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "features/item.h"
#include "models/als.h"
#include "models/text_map.h"

namespace shanhuo {

enum class VectorModelKind : uint8_t { kAls, kHistorySoftmax };
std::string_view vector_model_kind_name(VectorModelKind kind);  // "als", "history-softmax"
std::optional<VectorModelKind> parse_vector_model_kind(std::string_view name);

// 1..64 of A-Z a-z 0-9 . _ -, the first a letter or digit.
bool valid_version(std::string_view version);

struct VectorModelParts {
  std::string version;  // valid_version()
  VectorModelKind kind = VectorModelKind::kHistorySoftmax;
  double nearness = 1;                  // history softmax: of HistorySoftmaxOptions
  AlsOptions als;                       // als: what it was trained with; dims == kDims
  double evidence_half = 10;            // viewers; above 0
  std::vector<std::string> items;       // ids, distinct
  std::vector<uint32_t> evidence;       // of each: viewers it had in training
  std::vector<float> histories;         // row-major, items x kDims; als: the items' vectors
  std::vector<float> candidates;        // row-major, items x kDims, unit or zero; als: empty
  std::shared_ptr<const TextMap> text;  // of item_text() to a history (als: that alone) and then a
                                        // candidate; nullptr: new items have no vector
};

// What a map from text is learned from and applied to: title, category and tags as text; and as
// keys (TextMap::kKeyMark) kind, category, each tag, creator, and the county with its province and
// prefecture.
std::string item_text(const Item& item);

struct ItemVectors {
  Vector history{};
  Vector candidate{};  // of unit length, or zero
};

class VectorModel {
 public:
  // kInvalid, with the reason: a version, a size or a number that cannot be, an id twice.
  static Result<std::shared_ptr<const VectorModel>> make(VectorModelParts parts);

  const std::string& version() const { return parts_.version; }
  VectorModelKind kind() const { return parts_.kind; }
  size_t items() const { return parts_.items.size(); }
  // True when the item was trained on.
  bool knows(std::string_view item_id) const { return rows_.contains(item_id); }

  ItemVectors of(const Item& item) const { return of(item.id.view(), item_text(item)); }
  ItemVectors of(std::string_view item_id, std::string_view text) const;
  // Where a viewer with these histories (ItemVectors::history, the oldest first) stands: of unit
  // length, zero without any. Costs below 50 us for kRecentItems of them.
  Vector viewer(std::span<const Vector> history) const;

 private:
  explicit VectorModel(VectorModelParts parts);
  Status check() const;
  void by_text(std::string_view text, ItemVectors& out) const;

  const VectorModelParts parts_;
  std::unordered_map<std::string_view, uint32_t> rows_;  // into parts_.items
  std::optional<AlsFoldIn> fold_in_;                     // als
};

}  // namespace shanhuo
