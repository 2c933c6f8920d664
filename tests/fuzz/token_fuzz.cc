// Tokens, as viewers send them back. The first byte chooses: `f`: the bytes are a token's fields,
// which must come back from its text, and from no text that differs in one place; any other: the
// bytes are a text, which is refused unless it is the very text of what it says.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.h"
#include "features/exposure_token.h"

namespace shanhuo {
namespace {

constexpr std::string_view kUser = "viewer-1", kItem = "item-1", kRequest = "request-1";

TokenKey key_of(uint16_t id) {
  TokenKey key;
  key.id = id;
  key.secret.fill(static_cast<uint8_t>(id));
  return key;
}

// The ring before key 8 came, and now.
const TokenKeys& old_keys() {
  static const TokenKeys ring({key_of(7)});
  return ring;
}
const TokenKeys& keys() {
  static const TokenKeys ring({key_of(7), key_of(8)});
  return ring;
}

VerifiedToken verify(std::string_view text, Millis at) {
  return keys().verify(text, kUser, kItem, "", at, EventType::kImpression);
}

bool same(const ExposureToken& a, const ExposureToken& b) {
  return a.room == b.room && a.room_hash == b.room_hash && a.request_hash == b.request_hash &&
         a.surface == b.surface && a.position == b.position && a.programs == b.programs &&
         a.variations == b.variations && a.price_version == b.price_version &&
         a.issued_at == b.issued_at &&
         std::memcmp(&a.propensity, &b.propensity, sizeof a.propensity) == 0;
}

ExposureToken token_from(FuzzedDataProvider& bytes) {
  ExposureToken token;
  token.room = bytes.ConsumeBool();
  if (token.room) token.room_hash = bytes.ConsumeIntegral<uint64_t>();
  token.request_hash = request_hash(token.room ? std::string_view() : kUser, kRequest);
  token.surface = static_cast<Surface>(bytes.ConsumeIntegralInRange<int>(0, kSurfaces - 1));
  token.position = bytes.ConsumeIntegralInRange<int32_t>(0, kPositionMax);
  const int programs = bytes.ConsumeIntegralInRange<int>(0, kProgramsPerItemMax);
  const int variations = bytes.ConsumeIntegralInRange<int>(0, kVariationsPerTokenMax);
  for (int i = 0; i < programs; ++i) {
    token.programs[static_cast<size_t>(i)] = bytes.ConsumeIntegral<uint32_t>() | 1;
  }
  for (int i = 0; i < variations; ++i) {
    token.variations[static_cast<size_t>(i)] = bytes.ConsumeIntegral<uint32_t>() | 1;
  }
  token.propensity = bytes.ConsumeProbability<float>();
  token.price_version = bytes.ConsumeIntegral<uint64_t>();
  token.issued_at = Millis(bytes.ConsumeIntegralInRange<int64_t>(0, (int64_t{1} << 40) - 1));
  return token;
}

void check_fields(FuzzedDataProvider& bytes) {
  const ExposureToken token = token_from(bytes);
  std::string text = keys().mint(token, kUser, kItem);
  const VerifiedToken fresh =
      keys().verify(text, kUser, kItem, kRequest, token.issued_at, EventType::kImpression);
  CHECK(fresh.verdict == TokenVerdict::kValid);
  CHECK(same(fresh.token, token));
  const Millis week_later{token.issued_at.count() + 8 * 86'400'000LL};
  CHECK(verify(text, week_later).verdict == TokenVerdict::kExpired);
  CHECK(
      keys().verify(text, kUser, "item-2", kRequest, token.issued_at, EventType::kClick).verdict ==
      TokenVerdict::kBad);

  char& changed = text[bytes.ConsumeIntegralInRange<size_t>(0, text.size() - 1)];
  const char other = bytes.ConsumeIntegral<char>();
  if (changed == other) return;
  changed = other;
  CHECK(verify(text, token.issued_at).verdict == TokenVerdict::kBad);
}

void check_text(std::string_view text) {
  const VerifiedToken answer = verify(text, Millis(1'000));
  if (answer.verdict == TokenVerdict::kBad) return;
  CHECK(text == keys().mint(answer.token, kUser, kItem) ||
        text == old_keys().mint(answer.token, kUser, kItem));
}

}  // namespace
}  // namespace shanhuo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  if (data[0] == 'f') {
    FuzzedDataProvider bytes(data + 1, size - 1);
    shanhuo::check_fields(bytes);
  } else {
    shanhuo::check_text({reinterpret_cast<const char*>(data) + 1, size - 1});
  }
  return 0;
}
