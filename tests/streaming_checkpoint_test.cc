#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "streaming/checkpoint.h"
#include "streaming/record_chunks.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

// Puts what it is told to, one record a step.
class Scripted final : public Checkpointed {
 public:
  std::map<std::string, std::string> next;
  std::map<std::string, std::string> restored;

  void begin_checkpoint(StateWriter& writer) override {
    writer_ = &writer;
    frozen_ = std::exchange(next, {});
  }
  bool checkpoint_step(size_t) override {
    if (frozen_.empty()) return true;
    const auto record = frozen_.extract(frozen_.begin());
    if (record.mapped().empty()) {
      writer_->erase(record.key());
    } else {
      writer_->put(record.key(), record.mapped());
    }
    return frozen_.empty();
  }
  Status restore(const StateReader& reader) override {
    return reader.scan("it", [&](std::string_view key, std::string_view value) {
      restored.emplace(key, value);
      return Status();
    });
  }

 private:
  std::map<std::string, std::string> frozen_;
  StateWriter* writer_ = nullptr;
};

std::unique_ptr<CheckpointStore> open_store(const TempDir& dir, const std::string& name = "state") {
  auto store = CheckpointStore::open(dir / name);
  EXPECT_TRUE(store.ok());
  return std::move(store).value();
}

Result<CheckpointPosition> write(CheckpointStore& store, Scripted& part, int64_t offset,
                                 bool purge = false) {
  store.begin({&part}, {{Topic::kInteractions, 0, offset, 99}});
  while (!store.step(1)) {
  }
  store.commit(purge);
  store.wait();
  auto outcome = store.outcome();
  EXPECT_TRUE(outcome.has_value());
  EXPECT_FALSE(store.outcome().has_value());
  return *outcome;
}

TEST(Checkpoint, StateAndPositionComeBackTogether) {
  const TempDir dir;
  {
    auto store = open_store(dir);
    Scripted part;
    const auto nothing = store->restore({&part});
    ASSERT_TRUE(nothing.ok());
    EXPECT_EQ(nothing.value().sequence, 0u);
    part.next = {{"it1", "a"}, {"it2", "b"}};
    ASSERT_TRUE(write(*store, part, 10).ok());
    part.next = {{"it1", ""}, {"it3", "c"}};
    ASSERT_TRUE(write(*store, part, 20, true).ok());
    part.next = {{"it4", "never committed"}};
    store->begin({&part}, {{Topic::kInteractions, 0, 30, 0}});
    while (!store->step(1)) {
    }
    EXPECT_FALSE(store->idle());
  }
  auto store = open_store(dir);
  Scripted part;
  const auto position = store->restore({&part});
  ASSERT_TRUE(position.ok());
  EXPECT_EQ(position.value().sequence, 2u);
  ASSERT_EQ(position.value().sources.size(), 1u);
  EXPECT_EQ(position.value().sources[0].next_offset, 20);
  EXPECT_EQ(position.value().sources[0].last_digest, 99u);
  const std::map<std::string, std::string> expected = {{"it2", "b"}, {"it3", "c"}};
  EXPECT_EQ(part.restored, expected);
}

TEST(Checkpoint, AManifestThatDoesNotHoldIsRefused) {
  const TempDir dir;
  std::string manifest;
  {
    auto store = open_store(dir);
    Scripted part;
    ASSERT_TRUE(write(*store, part, 10).ok());
    manifest = *store->store().get("!manifest").value();
  }
  for (size_t at = 0; at < manifest.size(); ++at) {
    std::string broken = manifest;
    broken[at] = static_cast<char>(broken[at] ^ 1);
    {
      auto raw = Store::open(dir / "state", {});
      Batch batch;
      batch.put("!manifest", at + 1 < manifest.size() ? broken : broken.substr(0, at));
      ASSERT_TRUE(raw.value()->write(batch, true).ok());
    }
    auto store = open_store(dir);
    Scripted part;
    const auto position = store->restore({&part});
    ASSERT_FALSE(position.ok()) << at;
    EXPECT_EQ(position.error().code, ErrorCode::kCorrupt);
  }
}

TEST(Checkpoint, WhatIsGatheredInChunksBecomesOneBatchByKeyAndThenInItsOrder) {
  struct List final : StateWriter {
    std::vector<std::pair<std::string, std::optional<std::string>>> all;
    void put(std::string_view key, std::string_view value) override {
      all.emplace_back(key, value);
    }
    void erase(std::string_view key) override { all.emplace_back(key, std::nullopt); }
  };
  RecordChunks chunks;
  EXPECT_TRUE(chunks.empty());
  List expected;
  for (int round = 0; round < 2; ++round) {
    std::mt19937_64 random(static_cast<uint64_t>(round));
    for (int i = 0; i < 40; ++i) {
      const std::string key = "it" + std::to_string(random() % 10);
      // Empty ones, small ones, and some that are larger than a chunk.
      const size_t most = RecordChunks::kChunkBytes + (1u << 16);
      const std::string value(i % 5 == 0 ? i % 2 : random() % most,
                              static_cast<char>('a' + i % 26));
      for (StateWriter* writer :
           {static_cast<StateWriter*>(&chunks), static_cast<StateWriter*>(&expected)}) {
        if (i % 7 == 3) {
          writer->erase(key);
        } else {
          writer->put(key, value);
        }
      }
    }
    const Batch batch = chunks.take();
    EXPECT_TRUE(chunks.empty());
    EXPECT_EQ(batch.count(), 40u);
    List replayed;
    batch.replay(replayed);
    std::stable_sort(expected.all.begin(), expected.all.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    EXPECT_EQ(replayed.all, std::exchange(expected.all, {}));
  }
  EXPECT_EQ(chunks.take().count(), 0u);
}

TEST(Checkpoint, ABackupRestoresElsewhere) {
  const TempDir dir;
  auto store = open_store(dir);
  Scripted part;
  part.next = {{"it1", "a"}};
  ASSERT_TRUE(write(*store, part, 10).ok());
  ASSERT_TRUE(store->backup(dir / "copy").ok());
  auto copy = open_store(dir, "copy");
  Scripted restored;
  EXPECT_EQ(copy->restore({&restored}).value().sources[0].next_offset, 10);
  EXPECT_EQ(restored.restored.at("it1"), "a");
}

// Two processes on one state, which no file system with locks would allow: a map in memory does.
class SharedStore final : public StateStore {
 public:
  explicit SharedStore(std::map<std::string, std::string>& records) : records_(records) {}
  Status write(Batch& batch, bool) override {
    struct Writer final : StateWriter {
      explicit Writer(std::map<std::string, std::string>& given) : records(given) {}
      void put(std::string_view key, std::string_view value) override {
        records[std::string(key)] = value;
      }
      void erase(std::string_view key) override { records.erase(std::string(key)); }
      std::map<std::string, std::string>& records;
    } writer(records_);
    batch.replay(writer);
    return {};
  }
  Result<std::optional<std::string>> get(std::string_view key) const override {
    const auto found = records_.find(std::string(key));
    return found == records_.end() ? std::nullopt : std::optional(found->second);
  }
  Status scan(std::string_view, const Visit&) const override { return {}; }
  Status scan_range(std::string_view, std::string_view, const Visit&) const override { return {}; }
  Status backup(const std::string&) override { return {}; }
  Status purge(std::string_view, std::string_view) override { return {}; }

 private:
  std::map<std::string, std::string>& records_;
};

Result<CheckpointPosition> write_here(CheckpointStore& store, Scripted& part, int64_t offset) {
  store.begin({&part}, {{Topic::kInteractions, 0, offset, 99}});
  while (!store.step(1)) {
  }
  store.commit(false);
  EXPECT_TRUE(store.write_pending());
  return *store.outcome();
}

TEST(Checkpoint, OneWhoDoesNotKnowTheLastOneIsRefusedAndWritesNothing) {
  std::map<std::string, std::string> records;
  Scripted parts[2];
  const auto one = CheckpointStore::on_this_thread(std::make_unique<SharedStore>(records));
  const auto two = CheckpointStore::on_this_thread(std::make_unique<SharedStore>(records));
  ASSERT_TRUE(write_here(*one, parts[0], 10).ok());
  ASSERT_TRUE(two->restore({&parts[1]}).ok());
  ASSERT_TRUE(write_here(*two, parts[1], 20).ok());
  ASSERT_TRUE(write_here(*two, parts[1], 30).ok());
  const auto before = records;
  parts[0].next = {{"it1", "a zombie's"}};
  const auto refused = write_here(*one, parts[0], 15);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_EQ(one->stats().fenced, 1u);
  EXPECT_EQ(records, before);
}

TEST(Checkpoint, AFenceIsAskedBeforeEachWrite) {
  std::map<std::string, std::string> records;
  Scripted part;
  const auto store = CheckpointStore::on_this_thread(std::make_unique<SharedStore>(records));
  Status owned;
  store->set_fence([&] { return owned; });
  ASSERT_TRUE(write_here(*store, part, 10).ok());
  const auto before = records;
  owned = Error{ErrorCode::kConflict, "fenced: state.8 is newer than state.7"};
  EXPECT_FALSE(store->owned().ok());
  EXPECT_EQ(write_here(*store, part, 20).error().message, owned.error().message);
  EXPECT_EQ(records, before);
}

TEST(Store, PurgeTakesErasedValuesOffTheDisk) {
  const TempDir dir;
  const std::string secret = "a viewer who wants to be forgotten";
  const auto on_disk = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(dir / "store")) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(file)), {});
      if (bytes.find(secret) != std::string::npos) return true;
    }
    return false;
  };
  auto store = std::move(Store::open(dir / "store", {})).value();
  Batch batch;
  batch.put("vp1", secret);
  batch.put("vp2", "somebody else");
  ASSERT_TRUE(store->write(batch, true).ok());
  EXPECT_TRUE(on_disk());
  batch.clear();
  batch.erase("vp1");
  ASSERT_TRUE(store->write(batch, true).ok());
  ASSERT_TRUE(store->purge("", "").ok());
  for (int i = 0; i < 100 && on_disk(); ++i) {  // files are deleted in the background
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_FALSE(on_disk());
  EXPECT_EQ(*store->get("vp2").value(), "somebody else");
  EXPECT_FALSE(store->get("vp1").value().has_value());
}

TEST(Store, ScansPrefixesAndRangesInOrderAndStopsAtAnError) {
  const TempDir dir;
  auto store = std::move(Store::open(dir / "store", {})).value();
  Batch batch;
  for (const char* key : {"a", "b1", "b2", "b\xff", "c"}) batch.put(key, key);
  ASSERT_TRUE(store->write(batch, false).ok());
  std::string keys;
  const auto note = [&](std::string_view key, std::string_view) {
    keys += std::string(key) + " ";
    return key == "b2" ? Status(Error{ErrorCode::kInvalid, "enough"}) : Status();
  };
  EXPECT_FALSE(store->scan("b", note).ok());
  EXPECT_EQ(keys, "b1 b2 ");
  keys.clear();
  EXPECT_TRUE(store->scan_range("b3", "c", note).ok());
  EXPECT_EQ(keys, "b\xff ");
  Cursor cursor = store->cursor();
  cursor.seek_at_most("b3");
  ASSERT_TRUE(cursor.valid());
  EXPECT_EQ(cursor.key(), "b2");
}

}  // namespace
}  // namespace shanhuo
