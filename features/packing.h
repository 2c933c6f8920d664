// Small binary pieces of which checkpoint keys and values are made: variable-length integers
// (LEB128, little end first), fixed little-endian ones for values, fixed big-endian ones for keys,
// so that keys sort like the numbers.
//
// Writing appends to a string. Reading takes from the front of a view and answers false, leaving it
// in any state, when the bytes do not hold. Pure.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace shanhuo {

inline void put_varint(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

inline bool take_varint(std::string_view* in, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !in->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in->front());
    in->remove_prefix(1);
    if (shift == 63 && byte > 1) return false;
    *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Signed: small magnitudes stay short (zigzag).
inline void put_signed(std::string* out, int64_t value) {
  put_varint(out, (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
}

inline bool take_signed(std::string_view* in, int64_t* value) {
  uint64_t raw = 0;
  if (!take_varint(in, &raw)) return false;
  *value = static_cast<int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
  return true;
}

template <typename T>
void put_fixed(std::string* out, T value) {
  static_assert(std::endian::native == std::endian::little);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

template <typename T>
bool take_fixed(std::string_view* in, T* value) {
  if (in->size() < sizeof(T)) return false;
  std::memcpy(value, in->data(), sizeof(T));
  in->remove_prefix(sizeof(T));
  return true;
}

inline void put_text(std::string* out, std::string_view text) {
  put_varint(out, text.size());
  out->append(text);
}

inline bool take_text(std::string_view* in, std::string_view* text) {
  uint64_t size = 0;
  if (!take_varint(in, &size) || size > in->size()) return false;
  *text = in->substr(0, size);
  in->remove_prefix(size);
  return true;
}

inline void put_key32(std::string* key, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) key->push_back(static_cast<char>(value >> shift));
}

inline bool take_key32(std::string_view* in, uint32_t* value) {
  if (in->size() < 4) return false;
  *value = 0;
  for (int i = 0; i < 4; ++i) *value = *value << 8 | static_cast<uint8_t>((*in)[i]);
  in->remove_prefix(4);
  return true;
}

// Negative numbers sort before positive ones.
inline void put_key64(std::string* key, int64_t value) {
  const uint64_t bits = static_cast<uint64_t>(value) ^ (uint64_t{1} << 63);
  put_key32(key, static_cast<uint32_t>(bits >> 32));
  put_key32(key, static_cast<uint32_t>(bits));
}

inline bool take_key64(std::string_view* in, int64_t* value) {
  uint32_t high = 0, low = 0;
  if (!take_key32(in, &high) || !take_key32(in, &low)) return false;
  *value = static_cast<int64_t>((static_cast<uint64_t>(high) << 32 | low) ^ (uint64_t{1} << 63));
  return true;
}

}  // namespace shanhuo
