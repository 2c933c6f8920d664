// Arithmetic of PackedVector (user_state.h): decay, add a multiple of an item's vector, unpack.
//
// The two forms of add give the same bytes: with vector instructions when the processor has AVX2
// (asked once), and plain, for other processors and for tests. Pure functions, no allocation.
#pragma once

#include <cstdint>

#include "features/user_state.h"

namespace shanhuo {

// packed = packed * decay + weight * direction, rounded with the dither of event `n`.
// `direction_top` is largest_component(direction), or 0 when the weight is.
void add_to_interest(PackedVector& packed, float decay, float weight, const Vector& direction,
                     float direction_top, uint32_t n);
void add_to_interest_plain(PackedVector& packed, float decay, float weight, const Vector& direction,
                           float direction_top, uint32_t n);

float largest_component(const Vector& vector);  // absolute

void unpack_interest(const PackedVector& packed, Vector& out);

}  // namespace shanhuo
