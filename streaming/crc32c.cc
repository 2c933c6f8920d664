// The processor's own instruction where it has one (SSE 4.2: 8 bytes a step), else a table, a byte
// a step. Both divide by the polynomial 0x1EDC6F41, bits reflected. Tested by
// tests/streaming_log_test.cc with the vectors of RFC 3720, B.4.
#include "streaming/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace shanhuo {
namespace {

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0x82F63B78u : 0);
    table[byte] = rest;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = make_table();

uint32_t by_table(std::string_view bytes, uint32_t state) {
  for (const char c : bytes)
    state = kTable[(state ^ static_cast<uint8_t>(c)) & 0xFF] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t by_instruction(std::string_view bytes, uint32_t state) {
  uint64_t wide = state;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  state = static_cast<uint32_t>(wide);
  for (; i < bytes.size(); ++i) state = _mm_crc32_u8(state, static_cast<uint8_t>(bytes[i]));
  return state;
}
#endif

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~by_instruction(bytes, ~crc);
#endif
  return ~by_table(bytes, ~crc);
}

}  // namespace shanhuo
