// A vector for an item that nobody has trained one for: from its title, category, tags, county,
// creator and kind.
//
// Pure and deterministic; thread-safe. Output: unit length (all zero only for an item without any
// text). Two items are close when they share words, a category, a county: what a new item has
// before its first view.
#pragma once

#include "features/item.h"

namespace shanhuo {

// How much each field says about taste. The squares are the fields' shares of the cosine of two
// items that agree in all of them.
struct TextEncoderOptions {
  float category = 0.70F;
  float title = 0.50F;
  float tags = 0.35F;
  float county = 0.25F;
  float kind = 0.20F;
  float creator = 0.15F;
};

Vector encode_item(const Item& item, const TextEncoderOptions& options);

// Adds `scale` times the unit vector of `text`'s character n-grams (1 to 3 code points) to `sum`.
void add_text(std::string_view text, uint64_t seed, float scale, Vector& sum);

// Scales to unit length; a zero vector stays zero.
void normalise(Vector& vector);
float dot(const Vector& a, const Vector& b);

}  // namespace shanhuo
