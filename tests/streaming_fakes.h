// What the tests of streaming/ share: a directory of their own, random events, a state machine that
// behaves (counts, checkpoints, refuses), and a whole small engine of log, checkpoints and
// pipeline.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "features/dedup.h"
#include "streaming/codec.h"
#include "streaming/embedded_log.h"
#include "streaming/pipeline.h"

namespace shanhuo {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "shanhuo-XXXXXX").string();
    CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Appends and waits; the first offset.
inline Result<int64_t> append_wait(EventLog& log, Topic topic,
                                   const std::vector<AppendRecord>& records,
                                   uint32_t partition = 0) {
  std::promise<Result<Appended>> answer;
  log.append(topic, partition, records, [&](Result<Appended> spans) { answer.set_value(spans); });
  const Result<Appended> appended = answer.get_future().get();
  if (!appended.ok()) return appended.error();
  return appended.value().front().first_offset;
}

// Counts events by item, and mixes every call into a digest that depends on their order. Refuses
// items called "refused".
class CountingMachine final : public StateMachine, public Checkpointed {
 public:
  DeadReason apply(const Interaction& event, const FoldContext& context) override {
    if (event.item_id == "refused") return "bad_token";
    const std::string item(context.late ? "late" : event.item_id);
    ++counts[item];
    dirty_.insert(item);
    digest = hash_combine(digest, hash64(event.event_id) + static_cast<uint64_t>(context.offset));
    return {};
  }
  void forget(std::string_view user_id) override { forgotten.emplace_back(user_id); }
  Status catalogue(const CatalogueChange& change) {
    digest = hash_combine(digest, hash64(encode_catalogue_change(change)));
    return {};
  }

  void begin_checkpoint(StateWriter& writer) override {
    writer_ = &writer;
    for (const std::string& item : dirty_) frozen_["it" + item] = std::to_string(counts[item]);
    frozen_["it!digest"] = std::to_string(digest);
    dirty_.clear();
  }
  bool checkpoint_step(size_t records_max) override {
    while (!frozen_.empty() && records_max-- > 0) {
      writer_->put(frozen_.begin()->first, frozen_.begin()->second);
      frozen_.erase(frozen_.begin());
    }
    return frozen_.empty();
  }
  Status restore(const StateReader& reader) override {
    return reader.scan("it", [&](std::string_view key, std::string_view value) {
      const uint64_t number = std::stoull(std::string(value));
      if (key == "it!digest") {
        digest = number;
      } else {
        counts[std::string(key.substr(2))] = number;
      }
      return Status();
    });
  }

  std::map<std::string, uint64_t> counts;
  uint64_t digest = 0;
  std::vector<std::string> forgotten;

 private:
  std::set<std::string> dirty_;
  std::map<std::string, std::string> frozen_;
  StateWriter* writer_ = nullptr;
};

// Log, checkpoints, state and pipeline in one directory, as serving/ composes them.
struct SmallEngine {
  explicit SmallEngine(const std::string& directory, PipelineOptions options = {},
                       const Clock* clock = nullptr, StateMachine* other_machine = nullptr)
      : clock_in_use(clock != nullptr ? *clock : wall) {
    auto opened = EmbeddedLog::open(directory + "/log", {}, clock_in_use);
    CHECK(opened.ok());
    log = std::move(opened).value();
    auto store = CheckpointStore::open(directory + "/state");
    CHECK(store.ok());
    checkpoints = std::move(store).value();
    parts.log = log.get();
    parts.checkpoints = checkpoints.get();
    parts.dedup = {&dedup};
    parts.machine = other_machine != nullptr ? other_machine : &machine;
    parts.apply_catalogue = [this](const CatalogueChange& change) {
      return machine.catalogue(change);
    };
    parts.checkpointed = {&dedup, &machine};
    parts.clock = &clock_in_use;
    pipeline = std::make_unique<Pipeline>(parts, options);
  }

  WallClock wall;
  const Clock& clock_in_use;
  std::unique_ptr<EmbeddedLog> log;
  std::unique_ptr<CheckpointStore> checkpoints;
  Deduplicator dedup{"e0"};
  CountingMachine machine;
  PipelineParts parts;
  std::unique_ptr<Pipeline> pipeline;  // dies first
};

inline Interaction simple_event(std::string_view event_id, std::string_view item_id, Millis ts) {
  Interaction event;
  event.event_id = event_id;
  event.user_id = "u1";
  event.item_id = item_id;
  event.ts = ts;
  return event;
}

inline std::string encoded(const Interaction& event) {
  std::string bytes;
  encode_event(event, bytes);
  return bytes;
}

}  // namespace shanhuo
