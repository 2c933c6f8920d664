// Exposure tokens: the proof, carried by each inserted item and brought back by the viewer's
// events, that this engine put this item at this place for this viewer (contract 2.2). Nothing is
// looked up and nobody can forge one.
//
//   token   = base64url(bytes), RFC 4648 section 5, no padding, unused bits zero
//   bytes   = body mac
//   body    = version:u8(1) key:u16 shape:u8 surface:u8 position:u24 request:u64 issued_ms:u48
//             propensity:f32 price_version:u64 [room:u64] program:u32*P variation:u32*V [city:u32]
//   shape   = room:bit 0, P: bits 1..3 (0..4), V: bits 4..6 (0..4), city: bit 7
//   mac     = BLAKE2b-128 keyed with the secret of `key`, over
//             body len(viewer):u8 viewer len(item):u8 item        viewer is empty in a room token
//   all little-endian. 50..94 bytes, 67..126 characters.
//
// TokenKeys is immutable and thread-safe: publish a rotated one whole (base/published.h). verify()
// allocates nothing and compares in constant time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/ids.h"
#include "base/result.h"
#include "features/digest.h"
#include "features/interaction.h"
#include "features/viewer.h"

namespace shanhuo {

inline constexpr int kVariationsPerTokenMax = 4;

// Names a request in tokens and insertions. `user_id` is empty for a room.
inline uint64_t request_hash(std::string_view user_id, std::string_view request_id) {
  return hash_combine(hash64(user_id), hash64(request_id));
}
// The 32-bit name of a variation in tokens; never 0.
inline uint32_t variation_hash(std::string_view experiment, std::string_view variation) {
  return static_cast<uint32_t>(hash_combine(hash64(experiment), hash64(variation))) | 1U;
}

struct ExposureToken {
  bool room = false;          // bound to room_hash instead of a viewer
  uint64_t room_hash = 0;     // hash64(room_id); 0 without a room
  uint64_t request_hash = 0;  // request_hash(user_id or "", request_id)
  Surface surface = Surface::kNone;
  int32_t position = 0;                                  // 0..kPositionMax
  std::array<uint32_t, kProgramsPerItemMax> programs{};  // program_hash(); 0: none, at the end
  std::array<uint32_t, kVariationsPerTokenMax>
      variations{};      // variation_hash(); 0: none, at the end
  uint32_t city = 0;     // city_hash() (segment_rates.h) of the request; 0: none, and in a room
  float propensity = 1;  // probability with which the item was chosen
  uint64_t price_version = 0;
  Millis issued_at;       // engine time, 0 .. 2^48 - 1
  uint64_t identity = 0;  // set by verify(): 64 bits of the mac; one exposure each (and viewer)
};

enum class TokenVerdict : uint8_t {
  kValid,
  kBad,      // malformed, forged, unknown key, or of another viewer, item or request
  kExpired,  // genuine, but ts is past issue + 24 h (7 d for order and refund)
};

struct VerifiedToken {
  TokenVerdict verdict = TokenVerdict::kBad;
  ExposureToken token;  // set unless kBad
};

struct TokenKey {
  uint16_t id = 0;
  Digest secret{};
};

class TokenKeys {
 public:
  static constexpr size_t kKeysMax = 32;  // rotating beyond forgets the oldest

  // Oldest first; the last one signs, all verify. Requires: 1..kKeysMax, ids distinct.
  explicit TokenKeys(std::vector<TokenKey> keys);

  // Reads a key file: lines `id hexkey` (1..65535, 64 hex digits), oldest first; creates it, mode
  // 0600, with one new key when it is missing. Refuses a file that others may read, or that is
  // malformed.
  static Result<TokenKeys> load(const std::string& path);
  // Adds a new current key, replaces the file atomically, returns the new ring.
  Result<TokenKeys> rotate(const std::string& path) const;

  uint16_t current() const { return keys_.back().id; }
  size_t size() const { return keys_.size(); }

  // The token's text. `user_id` is ignored when token.room. Requires: fields in their ranges, ids
  // valid.
  std::string mint(const ExposureToken& token, std::string_view user_id,
                   std::string_view item_id) const;

  // `request_id` is the event's, empty when it gave none; `ts` and `type` are the event's.
  VerifiedToken verify(std::string_view text, std::string_view user_id, std::string_view item_id,
                       std::string_view request_id, Millis ts, EventType type) const;

 private:
  const TokenKey* find(uint16_t id) const;

  std::vector<TokenKey> keys_;
};

}  // namespace shanhuo
