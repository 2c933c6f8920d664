// The one writer and the one reader of the grammar in exposure_token.h. A reader that has checked
// the mac trusts what it authenticates; before that it trusts the length alone. The text is
// canonical (one text for each byte string), so a changed text is always a changed token.
//
// Tested by tests/features_exposure_token_test.cc.
#include "features/exposure_token.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <sstream>

#include "base/check.h"
#include "features/key_file.h"

namespace shanhuo {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kMacBytes = 16;
constexpr size_t kFixedBytes = 1 + 2 + 1 + 1 + 3 + 8 + 6 + 4 + 8;
constexpr size_t kBodyBytesMax =
    kFixedBytes + 8 + 4 * (kProgramsPerItemMax + kVariationsPerTokenMax) + 4;
constexpr size_t kTokenBytesMin = kFixedBytes + kMacBytes;
constexpr size_t kTokenBytesMax = kBodyBytesMax + kMacBytes;
constexpr size_t kTextBytesMax = (kTokenBytesMax * 8 + 5) / 6;
constexpr size_t kMacInputMax = kBodyBytesMax + 2 * (1 + kIdBytesMax);
static_assert(kTokenBytesMin == 50 && kTokenBytesMax == 94 && kTextBytesMax == 126);
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr Millis kLifetime{86'400'000};
constexpr Millis kOrderLifetime{7 * 86'400'000LL};

constexpr std::array<uint8_t, 256> kSixBits = [] {
  std::array<uint8_t, 256> table{};
  table.fill(0xFF);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return table;
}();

using Mac = std::array<uint8_t, kMacBytes>;

std::string_view text_of(const uint8_t* mac) {
  return {reinterpret_cast<const char*>(mac), kMacBytes};
}

std::string base64url(const uint8_t* bytes, size_t size) {
  std::string text;
  text.reserve((size * 8 + 5) / 6);
  uint32_t pending = 0;
  int bits = 0;
  for (size_t i = 0; i < size; ++i) {
    pending = pending << 8 | bytes[i];
    for (bits += 8; bits >= 6; bits -= 6) text.push_back(kAlphabet[(pending >> (bits - 6)) & 63]);
  }
  if (bits > 0) text.push_back(kAlphabet[(pending << (6 - bits)) & 63]);
  return text;
}

// The number of bytes, or 0 when `text` is not the one text of any. libsodium's decoder takes some
// bytes above 127 for letters (1.0.18).  Requires: text.size() <= kTextBytesMax.
size_t decode_base64url(std::string_view text, std::array<uint8_t, kTokenBytesMax>& out) {
  uint32_t pending = 0, wrong = 0;
  int bits = 0;
  size_t size = 0;
  for (const char c : text) {
    const uint32_t six = kSixBits[static_cast<uint8_t>(c)];
    wrong |= six & 0xC0;
    pending = pending << 6 | six;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[size++] = static_cast<uint8_t>(pending >> bits);
  }
  const bool canonical = bits < 6 && (pending & ((1U << bits) - 1)) == 0;
  return wrong == 0 && canonical ? size : 0;
}

class Bytes {
 public:
  void put(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) data_[size_++] = static_cast<uint8_t>(value >> (8 * i));
  }
  void put(std::string_view text) {
    CHECK(text.size() <= kIdBytesMax);
    put(text.size(), 1);
    if (!text.empty()) std::memcpy(data_.data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  void put_raw(const uint8_t* from, size_t size) {
    std::memcpy(data_.data() + size_, from, size);
    size_ += size;
  }
  const uint8_t* data() const { return data_.data(); }
  size_t size() const { return size_; }

 private:
  std::array<uint8_t, kMacInputMax> data_;
  size_t size_ = 0;
};

// Requires: as many bytes as are taken.
class Cursor {
 public:
  explicit Cursor(const uint8_t* at) : at_(at) {}
  uint64_t take(int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= uint64_t{*at_++} << (8 * i);
    return value;
  }

 private:
  const uint8_t* at_;
};

template <size_t n>
int leading(const std::array<uint32_t, n>& hashes) {
  return static_cast<int>(std::find(hashes.begin(), hashes.end(), 0U) - hashes.begin());
}

struct Shape {
  bool room;
  int programs, variations;
  bool city;
  size_t body_bytes() const {
    return kFixedBytes + (room ? 8 : 0) + 4 * static_cast<size_t>(programs + variations) +
           (city ? 4 : 0);
  }
};

Shape shape_of(uint8_t byte) {
  return {(byte & 1) != 0, (byte >> 1) & 7, (byte >> 4) & 7, (byte & 0x80) != 0};
}

void put_body(Bytes& bytes, uint16_t key, const ExposureToken& token) {
  const int programs = leading(token.programs), variations = leading(token.variations);
  CHECK(token.position >= 0 && token.position <= kPositionMax);
  CHECK(token.issued_at.count() >= 0 && token.issued_at.count() < int64_t{1} << 48);
  uint32_t propensity;
  std::memcpy(&propensity, &token.propensity, sizeof(propensity));
  bytes.put(kVersion, 1);
  bytes.put(key, 2);
  const uint32_t city = token.city != 0 ? 0x80 : 0;
  bytes.put((token.room ? 1U : 0U) | programs << 1 | variations << 4 | city, 1);
  bytes.put(static_cast<uint64_t>(token.surface), 1);
  bytes.put(static_cast<uint64_t>(token.position), 3);
  bytes.put(token.request_hash, 8);
  bytes.put(static_cast<uint64_t>(token.issued_at.count()), 6);
  bytes.put(propensity, 4);
  bytes.put(token.price_version, 8);
  if (token.room) bytes.put(token.room_hash, 8);
  for (int i = 0; i < programs; ++i) bytes.put(token.programs[i], 4);
  for (int i = 0; i < variations; ++i) bytes.put(token.variations[i], 4);
  if (token.city != 0) bytes.put(token.city, 4);
}

// Requires: a body whose length fits its shape.
ExposureToken take_body(const uint8_t* body) {
  Cursor cursor(body);
  cursor.take(3);  // version, key
  const Shape shape = shape_of(static_cast<uint8_t>(cursor.take(1)));
  ExposureToken token;
  token.room = shape.room;
  token.surface = static_cast<Surface>(cursor.take(1));
  token.position = static_cast<int32_t>(cursor.take(3));
  token.request_hash = cursor.take(8);
  token.issued_at = Millis(static_cast<int64_t>(cursor.take(6)));
  const auto propensity = static_cast<uint32_t>(cursor.take(4));
  std::memcpy(&token.propensity, &propensity, sizeof(propensity));
  token.price_version = cursor.take(8);
  if (shape.room) token.room_hash = cursor.take(8);
  for (int i = 0; i < shape.programs; ++i)
    token.programs[i] = static_cast<uint32_t>(cursor.take(4));
  for (int i = 0; i < shape.variations; ++i) {
    token.variations[i] = static_cast<uint32_t>(cursor.take(4));
  }
  if (shape.city) token.city = static_cast<uint32_t>(cursor.take(4));
  return token;
}

// `bytes` holds the body; the viewer and the item are appended for the mac.
Mac mac_of(Bytes& bytes, const TokenKey& key, std::string_view viewer, std::string_view item) {
  bytes.put(viewer);
  bytes.put(item);
  Mac mac;
  keyed_digest(key.secret, {bytes.data(), bytes.size()}, mac);
  return mac;
}

TokenKey new_key(uint16_t id) {
  TokenKey key;
  key.id = id;
  random_bytes(key.secret);
  return key;
}

std::string key_file_text(const std::vector<TokenKey>& keys) {
  std::string text;
  for (const TokenKey& key : keys) {
    text += std::to_string(key.id) + ' ' + to_hex(key.secret) + '\n';
  }
  return text;
}

bool parse_key(std::string_view line, TokenKey& out) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return false;
  const auto [end, error] = std::from_chars(line.data(), line.data() + space, out.id);
  if (error != std::errc() || end != line.data() + space || out.id == 0) return false;
  std::string hex(line.substr(space + 1));
  for (char& c : hex) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  return from_hex(hex, out.secret);
}

Result<std::vector<TokenKey>> parse_keys(const std::string& text) {
  std::vector<TokenKey> keys;
  std::istringstream file(text);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::string place = "line " + std::to_string(number) + ": ";
    TokenKey key;
    if (!parse_key(line, key)) {
      return Error{ErrorCode::kInvalid, place + "not `id hexkey` (1..65535, 64 hex digits)"};
    }
    for (const TokenKey& other : keys) {
      if (other.id == key.id) return Error{ErrorCode::kInvalid, place + "an id given before"};
    }
    keys.push_back(key);
  }
  if (keys.empty() || keys.size() > TokenKeys::kKeysMax) {
    return Error{ErrorCode::kInvalid, std::to_string(keys.size()) + " keys, allowed are 1.." +
                                          std::to_string(TokenKeys::kKeysMax)};
  }
  return keys;
}

}  // namespace

TokenKeys::TokenKeys(std::vector<TokenKey> keys) : keys_(std::move(keys)) {
  CHECK(!keys_.empty() && keys_.size() <= kKeysMax);
}

Result<TokenKeys> TokenKeys::load(const std::string& path) {
  const auto text = read_key_file(path);
  if (!text.ok()) return text.error();
  if (!text.value()) {
    TokenKeys fresh({new_key(1)});
    const Status written = write_key_file(path, key_file_text(fresh.keys_));
    if (!written.ok()) return written.error();
    return fresh;
  }
  Result<std::vector<TokenKey>> keys = parse_keys(*text.value());
  if (!keys.ok()) return keys.error().within(path);
  return TokenKeys(std::move(keys).value());
}

Result<TokenKeys> TokenKeys::rotate(const std::string& path) const {
  std::vector<TokenKey> keys = keys_;
  uint16_t id = current();
  do {
    id = id == UINT16_MAX ? 1 : id + 1;
  } while (find(id) != nullptr);
  keys.push_back(new_key(id));
  if (keys.size() > kKeysMax) keys.erase(keys.begin());
  const Status written = write_key_file(path, key_file_text(keys));
  if (!written.ok()) return written.error();
  return TokenKeys(std::move(keys));
}

const TokenKey* TokenKeys::find(uint16_t id) const {
  for (auto it = keys_.rbegin(); it != keys_.rend(); ++it) {
    if (it->id == id) return &*it;
  }
  return nullptr;
}

std::string TokenKeys::mint(const ExposureToken& token, std::string_view user_id,
                            std::string_view item_id) const {
  Bytes body;
  put_body(body, current(), token);
  Bytes token_bytes = body;
  const Mac mac = mac_of(body, keys_.back(), token.room ? std::string_view() : user_id, item_id);
  token_bytes.put_raw(mac.data(), mac.size());
  return base64url(token_bytes.data(), token_bytes.size());
}

VerifiedToken TokenKeys::verify(std::string_view text, std::string_view user_id,
                                std::string_view item_id, std::string_view request_id, Millis ts,
                                EventType type) const {
  std::array<uint8_t, kTokenBytesMax> bytes;
  if (text.size() > kTextBytesMax || user_id.size() > kIdBytesMax || item_id.size() > kIdBytesMax) {
    return {};
  }
  const size_t size = decode_base64url(text, bytes);
  if (size < kTokenBytesMin || bytes[0] != kVersion) return {};
  const Shape shape = shape_of(bytes[3]);
  if (size != shape.body_bytes() + kMacBytes || shape.programs > kProgramsPerItemMax ||
      shape.variations > kVariationsPerTokenMax) {
    return {};
  }
  const TokenKey* key = find(static_cast<uint16_t>(bytes[1] | bytes[2] << 8));
  if (key == nullptr) return {};
  Bytes body;
  body.put_raw(bytes.data(), shape.body_bytes());
  const std::string_view viewer = shape.room ? std::string_view() : user_id;
  const Mac mac = mac_of(body, *key, viewer, item_id);
  const uint8_t* given = bytes.data() + shape.body_bytes();
  if (!equal_secrets(text_of(mac.data()), text_of(given))) return {};

  VerifiedToken verified;
  verified.token = take_body(bytes.data());
  verified.token.identity = Cursor(given).take(8);
  if (!request_id.empty() && verified.token.request_hash != request_hash(viewer, request_id)) {
    return {};
  }
  const bool order = type == EventType::kOrder || type == EventType::kRefund;
  const Millis end = verified.token.issued_at + (order ? kOrderLifetime : kLifetime);
  verified.verdict = ts > end ? TokenVerdict::kExpired : TokenVerdict::kValid;
  return verified;
}

}  // namespace shanhuo
