#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "features/ledger_chain.h"
#include "features/ledger_verify.h"
#include "tests/ledger_export.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

const LedgerKeys& keys() {
  static const LedgerKeys keys("a secret of the tests, long enough");
  return keys;
}

void fill(LedgerChain& chain, int entries, int64_t step_ms, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < entries; ++i) {
    const Millis ts(1'790'000'000'000 + i * step_ms);
    chain.pass(ts);
    const auto fen = static_cast<int64_t>(random() % 100'000);
    chain.append({.kind = "order",
                  .ts = ts,
                  .fen = fen,
                  .order = keys().name_of("order", "o"),
                  .item = "kiwi \"gold\""});
  }
}

std::string export_of(int entries, int64_t step_ms = 60'000, uint64_t block = 65'536) {
  LedgerChain chain(keys(), block);
  fill(chain, entries, step_ms);
  return ledger_export(chain.waiting_from(0, UINT64_MAX), keys());
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(LedgerChainTest, AnExportHoldsAndSaysWhatItCovers) {
  LedgerVerifier verifier(keys().public_key());
  const Status good = verifier.all(export_of(200));
  ASSERT_TRUE(good.ok()) << good.error().message;
  EXPECT_EQ(verifier.entries(), 200U);
  EXPECT_EQ(verifier.checkpoints(), 3U);  // 200 minutes: three hours are over
  EXPECT_LT(verifier.sealed(), 200U);
  EXPECT_TRUE(LedgerVerifier().all(export_of(0)).ok());
}

TEST(LedgerChainTest, TenThousandChangedBytesAreAllFound) {
  const std::string text = export_of(40, 300'000, 16);
  std::mt19937_64 random(7);
  for (int i = 0; i < 10'000; ++i) {
    std::string changed = text;
    const size_t at = random() % text.size();
    const char before = changed[at];
    do changed[at] = static_cast<char>(random());
    while (changed[at] == before);
    const Status found = LedgerVerifier(keys().public_key()).all(changed);
    ASSERT_FALSE(found.ok()) << "byte " << at;
    if (i % 10 != 0) continue;
    ASSERT_FALSE(LedgerVerifier().all(changed).ok()) << "byte " << at << ", key not known";
  }
}

TEST(LedgerChainTest, ALineRemovedAddedOrMovedIsFoundAndNamed) {
  const std::vector<std::string> lines = lines_of(export_of(100, 120'000, 16));
  for (size_t i = 0; i < lines.size(); ++i) {
    std::vector<std::string> removed = lines, added = lines, moved = lines;
    removed.erase(removed.begin() + static_cast<std::ptrdiff_t>(i));
    added.insert(added.begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
    if (i + 1 < lines.size()) std::swap(moved[i], moved[i + 1]);
    for (const auto& wrong : {removed, added}) {
      const Status found = LedgerVerifier().all(joined_lines(wrong));
      ASSERT_FALSE(found.ok()) << i;
      EXPECT_FALSE(found.error().message.empty());
    }
    if (i + 1 == lines.size()) continue;
    EXPECT_FALSE(LedgerVerifier().all(joined_lines(moved)).ok()) << i;
  }
  std::vector<std::string> without = lines;
  without.erase(without.begin() + 5);
  EXPECT_EQ(LedgerVerifier().all(joined_lines(without)).error().message,
            "entry 4: number 5 stands in its place: removed, added or moved");
}

TEST(LedgerChainTest, ALedgerOfAnotherKeyIsNotOurs) {
  const LedgerKeys other("another secret, as long as the first one");
  LedgerChain chain(other, 16);
  fill(chain, 40, 60'000);
  const std::string text = ledger_export(chain.waiting_from(0, UINT64_MAX), other);
  EXPECT_TRUE(LedgerVerifier().all(text).ok());
  EXPECT_FALSE(LedgerVerifier(keys().public_key()).all(text).ok());
}

TEST(LedgerChainTest, ItGoesOnWhereACheckpointLeftItAndReadsTheRestFromDisk) {
  LedgerChain whole(keys(), 16), first(keys(), 16);
  MemoryState disk;
  fill(whole, 100, 60'000);
  fill(first, 70, 60'000);
  first.begin_checkpoint();
  first.append({.kind = "order", .ts = Millis(5)});  // after the checkpoint began: not in it
  while (!first.checkpoint_step(7, disk)) {
  }
  first.checkpoint_committed();
  EXPECT_EQ(first.waiting(), 1U);
  LedgerChain second(keys(), 16);
  ASSERT_TRUE(second.restore(disk).ok());
  std::mt19937_64 random(1);
  for (int i = 0; i < 100; ++i) {
    const auto fen = static_cast<int64_t>(random() % 100'000);
    if (i < 70) continue;
    const Millis ts(1'790'000'000'000 + i * 60'000);
    second.pass(ts);
    second.append({.kind = "order",
                   .ts = ts,
                   .fen = fen,
                   .order = keys().name_of("order", "o"),
                   .item = "kiwi \"gold\""});
  }
  EXPECT_EQ(second.head_line(), whole.head_line());
  const auto body = disk.get(LedgerChain::entry_key(69));
  ASSERT_TRUE(body.ok() && body.value().has_value());
  EXPECT_EQ(*body.value(), whole.waiting_from(69, 1).bodies.at(0));
}

TEST(MerkleTest, EveryLeafIsProvenInTreesOfEverySizeAndNoOtherIs) {
  std::vector<Digest> leaves;
  for (int n = 1; n <= 40; ++n) {
    leaves.push_back(digest_of(0, std::to_string(n)));
    MerkleFrontier frontier;
    for (const Digest& leaf : leaves) frontier.add(leaf);
    for (size_t i = 0; i < leaves.size(); ++i) {
      const std::vector<Digest> path = merkle_path(leaves, i);
      Digest root;
      ASSERT_TRUE(merkle_root_of(leaves[i], i, leaves.size(), path, root));
      EXPECT_EQ(root, frontier.root());
      ASSERT_TRUE(merkle_root_of(digest_of(0, "other"), i, leaves.size(), path, root));
      EXPECT_NE(root, frontier.root());
      std::vector<Digest> longer = path;
      longer.push_back(root);
      EXPECT_FALSE(merkle_root_of(leaves[i], i, leaves.size(), longer, root));
    }
  }
}

}  // namespace
}  // namespace shanhuo
