// How one kind of value is read as another: the rules of ECMAScript, because the condition language
// (features/condition.h) and the assignment keys of experiments follow the JavaScript SDK that the
// apps around the engine already use. `10` is the text "10", a missing value is the number 0.
//
// Pure functions, thread-safe. Nothing is allocated unless a text outgrows the TextBuffer it is
// built in. Two deliberate differences: texts are UTF-8 and stay UTF-8 (order is still that of
// UTF-16 code units), and lower-casing knows one code point at a time (no final sigma, no U+0130).
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "features/attributes.h"

namespace shanhuo {

// A text under construction: in place up to kInPlaceBytes, on the heap beyond.
class TextBuffer {
 public:
  static constexpr size_t kInPlaceBytes = 512;

  void append(std::string_view text) {
    if (heap_.empty() && size_ + text.size() <= kInPlaceBytes) {
      if (!text.empty()) std::memcpy(bytes_ + size_, text.data(), text.size());
      size_ += text.size();
      return;
    }
    if (heap_.empty()) heap_.assign(bytes_, size_);
    heap_.append(text);
  }
  std::string_view view() const {
    return heap_.empty() ? std::string_view(bytes_, size_) : std::string_view(heap_);
  }

 private:
  size_t size_ = 0;
  char bytes_[kInPlaceBytes];  // the first size_ are set
  std::string heap_;           // not empty once the text has outgrown bytes_
};

// All but null, false, 0, NaN and "". Empty arrays and objects are true.
bool truthy(const AttributeView& value);

// The text of a number: the shortest digits that read back the same, a point only where needed, an
// exponent below 1e-6 and from 1e21. Written into `room`.
std::string_view number_text(double number, std::array<char, 32>* room);

// The text of any value: "null", "true", elements joined by "," (null ones empty), "[object
// Object]". A text is returned as it stands, everything else is appended to `room`.
std::string_view text_of(const AttributeView& value, TextBuffer* room);

// The number of a text ("" is 0, "0x1F" is 31, " 12 " is 12, "12px" is NaN) and of any value.
double number_of_text(std::string_view text);
double number_of(const AttributeView& value);

// Negative, zero or positive, in the order of UTF-16 code units.
int compare_texts(std::string_view a, std::string_view b);

// Appends `text` in lower case (Unicode 14, simple mappings; malformed bytes unchanged).
void append_lower_case(std::string_view text, TextBuffer* room);

// Appends a version ("v1.10.0-beta.2+build", or a number) in a form whose text order is the order
// of versions. What is no version counts as "0".
void append_padded_version(const AttributeView& version, TextBuffer* room);

// True when both have the same compact JSON: no coercion, order of keys and elements counts.
bool same_json(const AttributeView& a, const AttributeView& b);

}  // namespace shanhuo
