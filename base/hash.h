// Hashes that are the same on every machine and in every version, because they are kept on disk
// (deduplication, sketches, text n-grams) or agreed with others. Not for secrets: tokens are
// authenticated by features/exposure_token.h.
#pragma once

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
  if (left > 0) std::memcpy(words, p, left);
  return mix64(fold(words[0] ^ k1, words[1] ^ state) ^ bytes.size());
}

constexpr uint64_t hash_combine(uint64_t a, uint64_t b) {
  return mix64(a * 0x9e3779b97f4a7c15ULL + b);
}

}  // namespace shanhuo
