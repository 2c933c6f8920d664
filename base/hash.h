// Hashes that are the same on every machine and in every version, because they are kept on disk
// (deduplication, sketches, text n-grams) or agreed with others. Not for secrets: tokens are
// authenticated by features/exposure_token.h.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace shanhuo {

// Finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection whose output bits all depend on
// all input bits.
constexpr uint64_t mix64(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

__extension__ using Uint128 = unsigned __int128;

namespace detail {

// The last `left` <= 16 of `bytes`, little end first, zeros behind them. Without a copy of unknown
// length, which would cost more than the rest of a short hash.
inline void load_tail(std::string_view bytes, size_t left, uint64_t (&words)[2]) {
  static_assert(std::endian::native == std::endian::little);
  const char* const end = bytes.data() + bytes.size();
  if (bytes.size() >= 16 && left > 0) {
    Uint128 last;
    std::memcpy(&last, end - 16, 16);
    last >>= 8 * (16 - left);
    std::memcpy(words, &last, 16);
    return;
  }
  if (left >= 8) {
    std::memcpy(&words[0], end - left, 8);
    if (left == 8) return;
    std::memcpy(&words[1], end - 8, 8);
    words[1] >>= 8 * (16 - left);
    return;
  }
  for (const char* p = end; left > 0; --left) words[0] = words[0] << 8 | static_cast<uint8_t>(*--p);
}

}  // namespace detail

// 64-bit hash of bytes: 16 bytes a step, 128-bit multiply folded (the construction of wyhash, Wang
// Yi 2019).
inline uint64_t hash64(std::string_view bytes, uint64_t seed = 0) {
  constexpr uint64_t k0 = 0xa0761d6478bd642fULL, k1 = 0xe7037ed1a0b428dbULL;
  const auto fold = [](uint64_t a, uint64_t b) {
    const auto product = static_cast<Uint128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  const char* p = bytes.data();
  size_t left = bytes.size();
  uint64_t state = mix64(seed ^ k0 ^ bytes.size());
  while (left > 16) {
    uint64_t words[2];
    std::memcpy(words, p, 16);
    state = fold(words[0] ^ k1, words[1] ^ state);
    p += 16;
    left -= 16;
  }
  uint64_t words[2] = {0, 0};
  detail::load_tail(bytes, left, words);
  return mix64(fold(words[0] ^ k1, words[1] ^ state) ^ bytes.size());
}

constexpr uint64_t hash_combine(uint64_t a, uint64_t b) {
  return mix64(a * 0x9e3779b97f4a7c15ULL + b);
}

}  // namespace shanhuo
