#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "streaming/checkpoint.h"
#include "streaming/state_claim.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;
constexpr int kKeys = 50;

StateClaim claim(const std::string& data) {
  Result<StateClaim> taken = StateClaim::take(data);
  CHECK(taken.ok());
  return std::move(taken).value();
}

StateClaim whole_claim(const std::string& data, const std::string& leader = "me") {
  StateClaim made = claim(data);
  const Status filled = made.fill(leader);
  EXPECT_TRUE(filled.ok()) << filled.error().message;
  return made;
}

// One atomic batch, as a checkpoint is: every key gets this number.
void write_all(Store& store, int number, size_t padding = 0) {
  Batch batch;
  for (int key = 0; key < kKeys; ++key) {
    batch.put("k" + std::to_string(key), std::to_string(number) + "/" + std::string(padding, '.'));
  }
  CHECK(store.write(batch, true).ok());
}

// The number that every key has; -1: they differ, or some are missing.
int read_all(const std::string& path) {
  auto store = Store::open(path, {});
  CHECK(store.ok());
  std::set<int> numbers;
  int keys = 0;
  const Status read = store.value()->scan("k", [&](std::string_view, std::string_view value) {
    numbers.insert(std::stoi(std::string(value)));
    ++keys;
    return Status();
  });
  return read.ok() && keys == kKeys && numbers.size() == 1 ? *numbers.begin() : -1;
}

std::unique_ptr<Store> open(const std::string& path, const StoreOptions& options = {}) {
  auto store = Store::open(path, options);
  CHECK(store.ok());
  return std::move(store).value();
}

TEST(StateClaim, OfManyWhoClaimAtOnceEachGetsANumberOfItsOwnAndTheLastHolds) {
  const TempDir dir;
  const std::string data = dir / "data";
  std::mutex mutex;
  std::vector<StateClaim> claims;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 5; ++n) {
        const StateClaim made = claim(data);
        const std::lock_guard lock(mutex);
        claims.push_back(made);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> epochs;
  for (const StateClaim& made : claims) {
    epochs.insert(made.epoch());
    EXPECT_EQ(made.holds().ok(), made.epoch() == 40) << made.epoch();
  }
  EXPECT_EQ(epochs.size(), 40u);
  EXPECT_EQ(*epochs.rbegin(), 40u);
}

TEST(StateClaim, TheFirstOneBeginsWithNothingAndTheNextWithWhatItHad) {
  const TempDir dir;
  const std::string data = dir / "data";
  const StateClaim first = whole_claim(data, "one");
  write_all(*open(dir / "data/state.1"), 7);
  EXPECT_EQ(newest_claim(data).value().leader, "one");
  const StateClaim second = claim(data);
  EXPECT_EQ(newest_claim(data).value().leader, "");
  ASSERT_TRUE(second.fill("two").ok());
  EXPECT_EQ(newest_claim(data).value().leader, "two");
  EXPECT_EQ(newest_claim(data).value().epoch, 2u);
  EXPECT_EQ(second.folder(), "state.2");
  EXPECT_EQ(read_all(dir / "data/state.2"), 7);
}

TEST(StateClaim, TheStateOfAnEngineThatRanAloneIsTakenOverAndOfOneThatRunsIsNot) {
  const TempDir dir;
  const std::string data = dir / "data";
  fs::create_directories(data);
  std::ofstream(dir / "data/decisions.counter") << "12345678";
  auto alone = open(dir / "data/state");
  write_all(*alone, 3);
  EXPECT_EQ(claim(data).fill("me").error().code, ErrorCode::kConflict);
  alone.reset();
  const StateClaim second = whole_claim(data);
  EXPECT_EQ(read_all(dir / "data/state.2"), 3);
  EXPECT_TRUE(fs::exists(dir / "data/state.2/decisions.counter"));
  second.remove_older();
  EXPECT_FALSE(fs::exists(dir / "data/state"));
  EXPECT_FALSE(fs::exists(dir / "data/state.1"));
  EXPECT_FALSE(fs::exists(dir / "data/decisions.counter"));
  EXPECT_EQ(read_all(dir / "data/state.2"), 3);
}

TEST(StateClaim, OneThatEndedBetweenClaimAndCopyIsNoSource) {
  const TempDir dir;
  const std::string data = dir / "data";
  whole_claim(data);
  write_all(*open(dir / "data/state.1"), 5);
  claim(data);  // ended before it copied anything
  const StateClaim cut = claim(data);
  fs::copy_file(dir / "data/state.1/CURRENT", dir / "data/state.3/CURRENT");  // ... amid it
  const StateClaim whole = whole_claim(data);
  EXPECT_EQ(whole.epoch(), 4u);
  EXPECT_EQ(read_all(dir / "data/state.4"), 5);
  EXPECT_EQ(cut.fill("late").error().code, ErrorCode::kConflict);
  whole.remove_older();
  EXPECT_EQ(cut.holds().error().code, ErrorCode::kConflict);
}

TEST(StateClaim, WhoeverIsFencedRemovesNothingAndWhoeverGivesBackIsGone) {
  const TempDir dir;
  const std::string data = dir / "data";
  const StateClaim first = whole_claim(data), second = whole_claim(data);
  const StateClaim third = whole_claim(data);
  second.remove_older();
  EXPECT_TRUE(fs::exists(dir / "data/state.1"));
  third.give_back();
  EXPECT_TRUE(second.holds().ok());
  EXPECT_EQ(first.holds().error().code, ErrorCode::kConflict);
  second.give_back();
  first.give_back();
  EXPECT_EQ(newest_claim(data).value().epoch, 0u);
  EXPECT_EQ(first.holds().error().message, "fenced: state.1 was removed");
}

TEST(StateClaim, ARebuiltStateGetsTheNextNumberAndFencesWhoeverLeads) {
  const TempDir dir;
  const std::string data = dir / "data";
  const StateClaim first = whole_claim(data);
  write_all(*open(dir / "data/state.rebuilding"), 9);
  ASSERT_TRUE(install_state(data, "state.rebuilding").ok());
  EXPECT_EQ(first.holds().error().code, ErrorCode::kConflict);
  whole_claim(data);
  EXPECT_EQ(read_all(dir / "data/state.3"), 9);
}

TEST(StateClaim, ACopyDoesNotChangeWhatItWasMadeFrom) {
  const TempDir dir;
  const std::string data = dir / "data";
  whole_claim(data);
  StoreOptions options;
  options.write_buffer_bytes = 64 << 10;
  auto source = open(dir / "data/state.1", options);
  for (int number = 0; number < 50; ++number) write_all(*source, number, 100);
  whole_claim(data);
  {
    auto copy = open(dir / "data/state.2", options);
    for (int number = 1'000; number < 1'050; ++number) write_all(*copy, number, 100);
    ASSERT_TRUE(copy->purge("", "").ok());
  }
  source.reset();
  EXPECT_EQ(read_all(dir / "data/state.1"), 49);
  EXPECT_EQ(read_all(dir / "data/state.2"), 1'049);
}

// The owner of the source writes, flushes and compacts all the while: what is copied is one of its
// batches, whole, and none that was done before the claim is missing.
TEST(StateClaim, ACopyOfAStateInUseIsOneMomentOfIt) {
  const TempDir dir;
  const std::string data = dir / "data";
  whole_claim(data);
  StoreOptions options;
  options.write_buffer_bytes = 64 << 10;  // a flush every dozen batches
  auto source = open(dir / "data/state.1", options);
  write_all(*source, 0);
  std::atomic<int> done{0};
  std::atomic<bool> stopping{false};
  std::thread owner([&] {
    for (int number = 1; !stopping.load(); ++number) {
      write_all(*source, number, 100);
      done.store(number);
      if (number % 97 == 0) CHECK(source->purge("", "").ok());
    }
  });
  for (int i = 0; i < 30; ++i) {
    const int before = done.load();
    const StateClaim copy = whole_claim(data);
    const int number = read_all(dir / ("data/" + copy.folder()));
    EXPECT_GE(number, before);
    EXPECT_LE(number, done.load() + 1);
    copy.give_back();
  }
  stopping.store(true);
  owner.join();
}

}  // namespace
}  // namespace shanhuo
