#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

#include "features/exposure_token.h"

namespace shanhuo {
namespace {

constexpr int64_t kNow = 1'760'000'000'000;
constexpr int64_t kDayMs = 86'400'000;

TokenKey key(uint16_t id, uint8_t fill) {
  TokenKey made;
  made.id = id;
  made.secret.fill(fill);
  return made;
}

ExposureToken sample() {
  ExposureToken token;
  token.request_hash = request_hash("u1", "r1");
  token.surface = Surface::kFeed;
  token.position = 4;
  token.programs = {11, 12, 0, 0};
  token.variations = {variation_hash("stronger-boost", "control"), 0, 0, 0};
  token.propensity = 0.25F;
  token.price_version = 0x1234567890abcdefULL;
  token.issued_at = Millis(kNow);
  return token;
}

TokenVerdict verdict(const TokenKeys& keys, std::string_view text, std::string_view user,
                     std::string_view item, std::string_view request, int64_t ts = kNow,
                     EventType type = EventType::kClick) {
  return keys.verify(text, user, item, request, Millis(ts), type).verdict;
}

TEST(ExposureToken, ComesBackAsItWasMinted) {
  const TokenKeys keys({key(1, 3)});
  const ExposureToken token = sample();
  const std::string text = keys.mint(token, "u1", "i1");
  const VerifiedToken back = keys.verify(text, "u1", "i1", "r1", Millis(kNow), EventType::kOrder);
  ASSERT_EQ(back.verdict, TokenVerdict::kValid);
  EXPECT_FALSE(back.token.room);
  EXPECT_EQ(back.token.request_hash, token.request_hash);
  EXPECT_EQ(back.token.surface, token.surface);
  EXPECT_EQ(back.token.position, token.position);
  EXPECT_EQ(back.token.programs, token.programs);
  EXPECT_EQ(back.token.variations, token.variations);
  EXPECT_EQ(back.token.propensity, token.propensity);
  EXPECT_EQ(back.token.price_version, token.price_version);
  EXPECT_EQ(back.token.issued_at, token.issued_at);
  EXPECT_NE(back.token.identity, 0U);
  EXPECT_LE(text.size(), 84U);
  EXPECT_EQ(text, keys.mint(token, "u1", "i1"));
}

TEST(ExposureToken, EveryFlippedBitOfTheTextIsBad) {
  const TokenKeys keys({key(1, 3), key(2, 5)});
  for (int programs = 0; programs <= kProgramsPerItemMax;
       ++programs) {  // every remainder of 3 bytes
    ExposureToken token = sample();
    token.programs = {};
    for (int i = 0; i < programs; ++i) token.programs[i] = 77 + static_cast<uint32_t>(i);
    const std::string text = keys.mint(token, "u1", "i1");
    ASSERT_EQ(verdict(keys, text, "u1", "i1", ""), TokenVerdict::kValid);
    for (size_t bit = 0; bit < text.size() * 8; ++bit) {
      std::string flipped = text;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      ASSERT_EQ(verdict(keys, flipped, "u1", "i1", ""), TokenVerdict::kBad) << bit;
    }
    for (size_t size = 0; size < text.size(); ++size) {
      ASSERT_EQ(verdict(keys, text.substr(0, size), "u1", "i1", ""), TokenVerdict::kBad) << size;
    }
    for (const char* tail : {"=", "==", "A", "AA", " ", "\n"}) {
      ASSERT_EQ(verdict(keys, text + tail, "u1", "i1", ""), TokenVerdict::kBad);
    }
  }
}

TEST(ExposureToken, AnyTextIsSafeAndBad) {
  const TokenKeys keys({key(1, 3)});
  std::mt19937_64 random(1);
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (int n = 0; n < 20'000; ++n) {
    std::string text(random() % 200, '\0');
    for (char& c : text) {
      c = n % 2 == 0 ? static_cast<char>(random()) : kAlphabet[random() % kAlphabet.size()];
    }
    if (n % 4 == 1 && text.size() > 4) text.replace(0, 4, "AQEA");  // version 1, key 1
    ASSERT_EQ(verdict(keys, text, "u1", "i1", "r1"), TokenVerdict::kBad);
  }
}

TEST(ExposureToken, OfAnotherViewerItemOrRequestIsBad) {
  const TokenKeys keys({key(1, 3)});
  const std::string text = keys.mint(sample(), "u1", "i1");
  EXPECT_EQ(verdict(keys, text, "u1", "i1", "r1"), TokenVerdict::kValid);
  EXPECT_EQ(verdict(keys, text, "u1", "i1", ""), TokenVerdict::kValid);
  EXPECT_EQ(verdict(keys, text, "u2", "i1", "r1"), TokenVerdict::kBad);
  EXPECT_EQ(verdict(keys, text, "u1", "i2", "r1"), TokenVerdict::kBad);
  EXPECT_EQ(verdict(keys, text, "u1", "i1", "r2"), TokenVerdict::kBad);
  // The boundary between viewer and item is part of what is signed.
  const std::string shifted = keys.mint(sample(), "u1i", "1");
  EXPECT_EQ(verdict(keys, shifted, "u1", "i1", ""), TokenVerdict::kBad);
}

TEST(ExposureToken, OfARoomHoldsForEveryViewer) {
  const TokenKeys keys({key(1, 3)});
  ExposureToken token = sample();
  token.room = true;
  token.room_hash = hash64("room-9");
  token.request_hash = request_hash("", "r1");
  const std::string text = keys.mint(token, "", "i1");
  for (const char* viewer : {"u1", "u2", "u3"}) {
    const VerifiedToken back =
        keys.verify(text, viewer, "i1", "r1", Millis(kNow), EventType::kPlay);
    ASSERT_EQ(back.verdict, TokenVerdict::kValid);
    EXPECT_TRUE(back.token.room);
    EXPECT_EQ(back.token.room_hash, hash64("room-9"));
  }
  EXPECT_EQ(verdict(keys, text, "u1", "i2", "r1"), TokenVerdict::kBad);
  EXPECT_EQ(verdict(keys, text, "u1", "i1", "r2"), TokenVerdict::kBad);
}

TEST(ExposureToken, ExpiresAfterADayAndForOrdersAndRefundsAfterSeven) {
  const TokenKeys keys({key(1, 3)});
  const std::string text = keys.mint(sample(), "u1", "i1");
  for (int type = 0; type < kEventTypes; ++type) {
    const auto event = static_cast<EventType>(type);
    const bool order = event == EventType::kOrder || event == EventType::kRefund;
    const int64_t end = kNow + (order ? 7 : 1) * kDayMs;
    EXPECT_EQ(verdict(keys, text, "u1", "i1", "", end, event), TokenVerdict::kValid);
    EXPECT_EQ(verdict(keys, text, "u1", "i1", "", end + 1, event), TokenVerdict::kExpired);
    EXPECT_EQ(verdict(keys, text, "u2", "i1", "", end + 1, event), TokenVerdict::kBad);
    EXPECT_EQ(verdict(keys, text, "u1", "i1", "", kNow - 5'000, event), TokenVerdict::kValid);
  }
}

TEST(ExposureToken, IdsOf128BytesFit) {
  const TokenKeys keys({key(1, 3)});
  const std::string user(128, 'u'), item(128, 'i');
  ExposureToken token = sample();
  token.room = false;
  token.programs = {1, 2, 3, 4};
  token.variations = {1, 2, 3, 4};
  token.position = kPositionMax;
  const std::string text = keys.mint(token, user, item);
  EXPECT_EQ(verdict(keys, text, user, item, ""), TokenVerdict::kValid);
  EXPECT_EQ(verdict(keys, text, user + "u", item, ""), TokenVerdict::kBad);
  token.room = true;
  EXPECT_EQ(keys.mint(token, "", item).size(), 120U);
  token.city = 0xFFFFFFFF;
  EXPECT_EQ(keys.mint(token, "", item).size(), 126U);
}

TEST(ExposureToken, KeepsTheCityWhereThereIsOne) {
  const TokenKeys keys({key(1, 3)});
  for (const uint32_t city : {0U, 1U, 0x89ABCDEFU}) {
    ExposureToken token = sample();
    token.room = false;
    token.city = city;
    const std::string text = keys.mint(token, "u1", "i1");
    const VerifiedToken back = keys.verify(text, "u1", "i1", "", Millis(kNow), EventType::kClick);
    EXPECT_EQ(back.verdict, TokenVerdict::kValid);
    EXPECT_EQ(back.token.city, city);
  }
}

class KeyFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "shanhuo_keys_" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
    path_ = folder_ + "/token.keys";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& text) {
    std::ofstream(path_) << text;
    chmod(path_.c_str(), 0600);
  }
  std::string folder_, path_;
};

TEST_F(KeyFile, IsCreatedPrivateAndRotatedKeysStillVerify) {
  Result<TokenKeys> first = TokenKeys::load(path_);
  ASSERT_TRUE(first.ok());
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const std::string old_text = first.value().mint(sample(), "u1", "i1");

  Result<TokenKeys> second = first.value().rotate(path_);
  ASSERT_TRUE(second.ok());
  EXPECT_NE(second.value().current(), first.value().current());
  const std::string new_text = second.value().mint(sample(), "u1", "i1");
  EXPECT_NE(old_text, new_text);
  Result<TokenKeys> again = TokenKeys::load(path_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.value().current(), second.value().current());
  for (const TokenKeys& keys : {second.value(), again.value()}) {
    EXPECT_EQ(verdict(keys, old_text, "u1", "i1", "r1"), TokenVerdict::kValid);
    EXPECT_EQ(verdict(keys, new_text, "u1", "i1", "r1"), TokenVerdict::kValid);
  }
  EXPECT_EQ(verdict(first.value(), new_text, "u1", "i1", "r1"), TokenVerdict::kBad);
  for (size_t n = 0; n < 40; ++n) {
    Result<TokenKeys> next = again.value().rotate(path_);
    ASSERT_TRUE(next.ok());
    again = next;
  }
  EXPECT_EQ(again.value().size(), TokenKeys::kKeysMax);
  EXPECT_EQ(verdict(again.value(), old_text, "u1", "i1", "r1"), TokenVerdict::kBad);
}

TEST_F(KeyFile, IsRefusedWhenOthersMayReadItOrItIsMalformed) {
  const std::string hex(64, 'a');
  write("1 " + hex + "\n7 " + hex + "\n");
  ASSERT_TRUE(TokenKeys::load(path_).ok());
  EXPECT_EQ(TokenKeys::load(path_).value().current(), 7);
  for (const std::string& text :
       {std::string(), "1 " + hex.substr(1) + "\n", "0 " + hex + "\n", "65536 " + hex + "\n",
        "1 " + hex + "\n1 " + hex + "\n", "1  " + hex + "\n", std::string("x\n"),
        "1 " + hex + "zz\n", "1 " + hex + "\n\n"}) {
    write(text);
    EXPECT_FALSE(TokenKeys::load(path_).ok()) << text;
  }
  write("1 " + hex + "\n");
  chmod(path_.c_str(), 0640);
  EXPECT_FALSE(TokenKeys::load(path_).ok());
  EXPECT_FALSE(TokenKeys::load(folder_ + "/none/token.keys").ok());
}

TEST(ExposureToken, VerifiesInLessThanAMicrosecond) {
  const TokenKeys keys({key(1, 3)});
  const std::string text = keys.mint(sample(), "u1", "i1");
  constexpr int kRuns = 20'000;
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    int valid = 0;
    for (int n = 0; n < kRuns; ++n) {
      valid += verdict(keys, text, "u1", "i1", "r1") == TokenVerdict::kValid;
    }
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    ASSERT_EQ(valid, kRuns);
    best = std::min(best, spent.count() / kRuns);
  }
  std::printf("verify: %.0f ns\n", best);
}

}  // namespace
}  // namespace shanhuo
