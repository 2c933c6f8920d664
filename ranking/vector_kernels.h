// The arithmetic of vector search: products of one query with many rows of kDims components,
// row-major. As floats, and as integers of a quarter of the bytes, because a scan is bound by the
// bytes that it reads.
//
// Pure. Kernels are chosen at run time: AVX2 where the processor has it, else plain loops. The
// coded products are integers until the last multiplication, so that both give the same bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "features/item.h"

namespace shanhuo {

// out[i] = inner product of row i and `query`.
void inner_products(const float* rows, size_t n, const float* query, float* out);

// code[j] = row[j] / scale, rounded; the largest component becomes 127. Returns the scale, 0 for a
// row of zeros.
float encode_row(const float* row, int8_t* code);

// A query in 16 bits a component; the largest becomes 32,767. Its own scale is dropped: it changes
// no order.
using CodedQuery = std::array<int16_t, kDims>;
CodedQuery encode_query(const Vector& query);

// out[i] = scales[i] * (codes of row i, times query): proportional to the inner product, up to
// rounding. Works in groups of kCodeGroup rows: codes and scales are read, and out is written, up
// to n rounded up to a whole group.
inline constexpr size_t kCodeGroup = 4;
void coded_products(const int8_t* codes, const float* scales, size_t n, const CodedQuery& query,
                    float* out);
// The same without vector instructions, for tests.
void coded_products_plain(const int8_t* codes, const float* scales, size_t n,
                          const CodedQuery& query, float* out);

// Positions of the scores that are `threshold` or more, ascending, into `out`, which has room for
// n; returns how many. Reads scores up to n rounded up to a multiple of 8.
size_t at_least(const float* scores, size_t n, float threshold, uint32_t* out);

}  // namespace shanhuo
