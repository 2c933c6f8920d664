// Tested by tests/models_vector_model_test.cc.
#include "models/vector_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "models/row_math.h"
#include "models/text_encoder.h"

namespace shanhuo {
namespace {

constexpr size_t kVersionMax = 64;
constexpr std::array<std::string_view, 2> kKindNames = {"als", "history-softmax"};

bool finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float x) { return std::isfinite(x); });
}

// Unit or zero, to the precision of floats.
bool unit_or_zero(std::span<const float> rows) {
  for (size_t first = 0; first < rows.size(); first += kDims) {
    const float square = inner(rows.data() + first, rows.data() + first, kDims);
    if (square != 0 && std::abs(square - 1) > 1e-3F) return false;
  }
  return true;
}

}  // namespace

bool valid_version(std::string_view version) {
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !version.empty() && version.size() <= kVersionMax && word(version.front()) &&
         std::ranges::all_of(version,
                             [&](char c) { return word(c) || c == '.' || c == '_' || c == '-'; });
}

std::string_view vector_model_kind_name(VectorModelKind kind) {
  return kKindNames[static_cast<size_t>(kind)];
}

std::optional<VectorModelKind> parse_vector_model_kind(std::string_view name) {
  const auto found = std::ranges::find(kKindNames, name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<VectorModelKind>(found - kKindNames.begin());
}

std::string item_text(const Item& item) {
  std::string text;
  const auto add = [&text](std::string_view what) {  // no control characters: what marks is ours
    std::ranges::transform(what, std::back_inserter(text),
                           [](char c) { return static_cast<unsigned char>(c) < 0x20 ? ' ' : c; });
  };
  const auto add_key = [&](std::string_view name, std::string_view key) {
    if (key.empty()) return;
    (((text += '\n') += TextMap::kKeyMark) += name) += ' ';
    add(key);
  };
  add(item.title);
  for (const std::string& tag : item.tags) add(" " + tag);
  add(" " + item.category);
  add_key("kind", item_kind_name(item.kind));
  add_key("category", item.category);
  for (const std::string& tag : item.tags) add_key("tag", tag);
  add_key("creator", item.creator_id.view());
  for (const size_t digits : {2, 4, 6}) {
    if (item.county.size() >= digits) add_key("county", item.county.substr(0, digits));
  }
  return text;
}

VectorModel::VectorModel(VectorModelParts parts) : parts_(std::move(parts)) {
  rows_.reserve(parts_.items.size());
  for (size_t row = 0; row < parts_.items.size(); ++row) {
    rows_.emplace(parts_.items[row], static_cast<uint32_t>(row));
  }
  if (parts_.kind == VectorModelKind::kAls && check().ok()) {
    fold_in_.emplace(parts_.histories, parts_.als);
  }
}

Status VectorModel::check() const {
  const auto wrong = [](const std::string& what) { return Error{ErrorCode::kInvalid, what}; };
  const bool als = parts_.kind == VectorModelKind::kAls;
  const size_t n = parts_.items.size();
  if (!valid_version(parts_.version)) {
    return wrong("version: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit");
  }
  if (n == 0) return wrong("items: there is none");
  if (rows_.size() != n) return wrong("items: an id stands there twice");
  if (parts_.evidence.size() != n) return wrong("evidence: not one number an item");
  if (parts_.histories.size() != n * kDims) return wrong("histories: not 64 numbers an item");
  if (parts_.candidates.size() != (als ? 0 : n * kDims)) {
    return wrong(als ? "candidates: als has none" : "candidates: not 64 numbers an item");
  }
  if (!finite(parts_.histories)) return wrong("histories: not every one is a number");
  if (!finite(parts_.candidates) || !unit_or_zero(parts_.candidates)) {
    return wrong("candidates: not every one is of unit length or zero");
  }
  if (!(parts_.evidence_half > 0) || !std::isfinite(parts_.evidence_half)) {
    return wrong("evidence_half: above 0");
  }
  if (!(parts_.nearness > 0 && parts_.nearness <= 1)) return wrong("nearness: above 0, at most 1");
  if (als && parts_.als.dims != kDims) return wrong("als.dims: 64 is served");
  if (als && !(parts_.als.unobserved_weight > 0 && parts_.als.regularisation > 0 &&
               parts_.als.frequency_exponent >= 0 && parts_.als.frequency_exponent <= 2)) {
    return wrong("als: an option is out of its range");
  }
  if (parts_.text && parts_.text->dims() != (als ? kDims : 2 * kDims)) {
    return wrong("text: maps into another number of dimensions");
  }
  return {};
}

Result<std::shared_ptr<const VectorModel>> VectorModel::make(VectorModelParts parts) {
  std::shared_ptr<const VectorModel> model(new VectorModel(std::move(parts)));
  if (const Status checked = model->check(); !checked.ok()) return checked.error();
  return model;
}

void VectorModel::by_text(std::string_view text, ItemVectors& out) const {
  std::array<float, 2 * kDims> mapped{};
  parts_.text->apply(text, std::span(mapped).first(parts_.text->dims()));
  std::copy_n(mapped.begin(), kDims, out.history.begin());
  std::copy_n(mapped.begin() + kDims, kDims, out.candidate.begin());
  normalise(out.candidate);
}

ItemVectors VectorModel::of(std::string_view item_id, std::string_view text) const {
  ItemVectors vectors;
  if (parts_.text) by_text(text, vectors);
  if (const auto found = rows_.find(item_id); found != rows_.end()) {
    const size_t row = found->second;
    const double evidence = parts_.evidence[row];
    const auto own = static_cast<float>(evidence / (evidence + parts_.evidence_half));
    const auto blend = [&](const std::vector<float>& rows, Vector& vector) {
      for (int k = 0; k < kDims; ++k) {
        vector[k] = own * rows[row * kDims + k] + (1 - own) * vector[k];
      }
    };
    blend(parts_.histories, vectors.history);
    if (!parts_.candidates.empty()) blend(parts_.candidates, vectors.candidate);
  }
  if (parts_.kind == VectorModelKind::kAls) vectors.candidate = vectors.history;
  normalise(vectors.candidate);
  return vectors;
}

Vector VectorModel::viewer(std::span<const Vector> history) const {
  Vector taste{};
  if (history.empty()) return taste;
  if (fold_in_) {
    fold_in_->solve(ConstMatrixView(history.front().data(), history.size(), kDims), taste);
  } else {
    for (const Vector& item : history) {
      for (float& x : taste) x *= static_cast<float>(parts_.nearness);
      add_scaled(item.data(), 1, taste.data(), kDims);
    }
  }
  normalise(taste);
  return taste;
}

}  // namespace shanhuo
