// What the engine core touches outside itself, in memory and on one thread: a clock that is told
// the time, a log whose writes and syncs are steps of their own, and a store that can refuse.
// kill() and lose_power() are what the machine does to them; what was acknowledged survives both.
// For tests/streaming_simulation_test.cc.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "streaming/event_log.h"
#include "streaming/store.h"
#include "tests/memory_state.h"

namespace shanhuo {

class SimulatedClock final : public Clock {
 public:
  explicit SimulatedClock(Millis start) : now_(start) {}
  Millis now() const override { return now_; }
  int64_t monotonic_ns() const override { return now_.count() * 1'000'000; }
  void advance(Millis by) { now_ += by; }

 private:
  Millis now_;
};

// Of both the log and the store: what the disk and the operating system do wrong at the moment.
struct SimulatedTrouble {
  bool disk_full = false;
  std::function<bool()> poll_fails = [] { return false; };
  std::function<bool()> append_refused = [] { return false; };
  std::function<bool()> write_fails = [] { return false; };
};

// append() queues, write() takes what is queued to the operating system, sync() makes it durable,
// stamps and answers it. Stamps grow strictly from sync to sync, as in streaming/embedded_log.h.
class SimulatedLog final : public EventLog {
 public:
  struct Record {
    std::string key, value;
    ContentType content = ContentType::kProtobuf;
    Millis accepted_at;
    uint32_t partition = 0;
    int64_t offset = 0;
  };
  using Records = std::deque<std::shared_ptr<const Record>>;

  SimulatedLog(uint32_t partitions, const Clock& clock, SimulatedTrouble& trouble)
      : partitions_(partitions), clock_(clock), trouble_(trouble) {
    for (auto& topic : topics_) topic.resize(partitions);
  }

  uint32_t partitions(Topic) const override { return partitions_; }
  void append(Topic topic, uint32_t partition, const std::vector<AppendRecord>& records,
              Done done) override {
    CHECK(partition < partitions_);
    if (trouble_.append_refused()) return done(Error{ErrorCode::kUnavailable, "queue full"});
    Group& group = queued_.emplace_back(Group{topic, partition, {}, std::move(done)});
    for (const AppendRecord& record : records) {
      group.records.push_back({std::string(record.key), std::string(record.value), record.content,
                               Millis(), partition, 0});
    }
  }

  void write() {
    for (Group& group : queued_) written_.push_back(std::move(group));
    queued_.clear();
  }

  void sync() {
    const bool full = trouble_.disk_full;
    for (Group& group : std::exchange(written_, {})) {
      if (full) {
        group.done(Error{ErrorCode::kUnavailable, "disk full"});
      } else {
        group.done(Appended{publish(group)});
      }
    }
  }

  // The process dies: what the operating system has will be there, and nobody was told.
  void kill() {
    queued_.clear();
    for (Group& group : std::exchange(written_, {})) publish(group);
  }

  // The machine dies: of what was not synced a prefix of `groups` survives.
  void lose_power(size_t groups) {
    written_.resize(std::min(written_.size(), groups));
    kill();
  }
  size_t unsynced() const { return written_.size(); }

  Result<std::unique_ptr<LogReader>> read(Topic topic,
                                          const std::vector<LogPosition>& from) override {
    return std::unique_ptr<LogReader>(std::make_unique<Reader>(*this, topic, from));
  }
  int64_t first_offset(Topic topic, uint32_t partition) const override {
    return at(topic, partition).first;
  }
  int64_t end_offset(Topic topic, uint32_t partition) const override {
    const Partition& place = at(topic, partition);
    return place.first + static_cast<int64_t>(place.records.size());
  }
  void release(Topic topic, const std::vector<LogPosition>& below) override {
    for (const LogPosition& position : below) {
      at(topic, position.partition).released = position.next_offset;
    }
  }

  // Drops everything that was released: the hardest retention that is allowed.
  void retain() {
    for (auto& topic : topics_) {
      for (Partition& place : topic) {
        while (place.first < place.released && !place.records.empty()) {
          place.records.pop_front();
          ++place.first;
        }
      }
    }
  }

  // A block whose checksum does not hold any more, and the copy that an operator brings back.
  void corrupt(Topic topic, uint32_t partition, int64_t offset) {
    corrupt_.insert({topic, partition, offset});
  }
  void repair() { corrupt_.clear(); }
  // Takes the last `records` off, as another disk's copy would lack them; put_back() undoes it.
  void cut(Topic topic, uint32_t partition, size_t records) {
    Records& all = at(topic, partition).records;
    cut_ = {topic, partition, {all.end() - static_cast<std::ptrdiff_t>(records), all.end()}};
    all.resize(all.size() - records);
  }
  void put_back() {
    if (!cut_) return;
    auto& [topic, partition, records] = *cut_;
    Records& all = at(topic, partition).records;
    all.insert(all.end(), records.begin(), records.end());
    cut_.reset();
  }

  const Records& held(Topic topic, uint32_t partition) const {
    return at(topic, partition).records;
  }
  // Called for every record in the order in which it became durable.
  std::function<void(Topic, const Record&)> on_durable;

 private:
  struct Group {
    Topic topic;
    uint32_t partition;
    std::vector<Record> records;
    Done done;
  };
  struct Partition {
    int64_t first = 0, released = 0;
    Records records;
  };

  class Reader final : public LogReader {
   public:
    Reader(SimulatedLog& log, Topic topic, std::vector<LogPosition> from)
        : log_(log), topic_(topic), positions_(std::move(from)) {}

    Status poll(size_t records_max, int, std::vector<LogRecord>& out) override {
      out.clear();
      held_.clear();
      if (log_.trouble_.poll_fails()) return Error{ErrorCode::kIo, "the disk did not answer"};
      while (out.size() < records_max) {
        LogPosition* next = nullptr;
        const Status looked = earliest(next);
        if (!looked.ok()) return looked;
        if (next == nullptr) break;
        held_.push_back(log_.record(topic_, *next));
        const Record& record = *held_.back();
        out.push_back({record.partition, record.offset, record.accepted_at, 0, record.content,
                       record.key, record.value});
        ++next->next_offset;
      }
      return {};
    }

    int64_t position(uint32_t partition) const override {
      for (const LogPosition& position : positions_) {
        if (position.partition == partition) return position.next_offset;
      }
      CHECK(!"a partition of the reader");
    }

   private:
    Status earliest(LogPosition*& next) {
      Millis least;
      for (LogPosition& position : positions_) {
        const auto [topic, partition, offset] =
            std::tuple(topic_, position.partition, position.next_offset);
        if (offset < log_.first_offset(topic, partition) ||
            offset > log_.end_offset(topic, partition)) {
          return Error{ErrorCode::kNotFound, "a gap"};
        }
        if (offset == log_.end_offset(topic, partition)) continue;
        if (log_.corrupt_.contains({topic, partition, offset})) {
          return Error{ErrorCode::kCorrupt, "a block does not hold"};
        }
        const Millis stamp = log_.record(topic, position)->accepted_at;
        if (next != nullptr && stamp >= least) continue;
        next = &position;
        least = stamp;
      }
      return {};
    }

    SimulatedLog& log_;
    const Topic topic_;
    std::vector<LogPosition> positions_;
    Records held_;
  };

  const Partition& at(Topic topic, uint32_t partition) const {
    return topics_[static_cast<size_t>(topic)][partition];
  }
  Partition& at(Topic topic, uint32_t partition) {
    return topics_[static_cast<size_t>(topic)][partition];
  }
  std::shared_ptr<const Record> record(Topic topic, const LogPosition& position) const {
    const Partition& place = at(topic, position.partition);
    return place.records[static_cast<size_t>(position.next_offset - place.first)];
  }

  LogSpan publish(Group& group) {
    last_stamp_ = std::max(last_stamp_ + Millis(1), clock_.now());
    const int64_t first = end_offset(group.topic, group.partition);
    for (Record& record : group.records) {
      record.accepted_at = last_stamp_;
      record.offset = end_offset(group.topic, group.partition);
      Records& all = at(group.topic, group.partition).records;
      all.push_back(std::make_shared<const Record>(std::move(record)));
      if (on_durable) on_durable(group.topic, *all.back());
    }
    return {group.partition, first, end_offset(group.topic, group.partition) - 1};
  }

  const uint32_t partitions_;
  const Clock& clock_;
  SimulatedTrouble& trouble_;
  std::array<std::vector<Partition>, kTopics> topics_;
  std::deque<Group> queued_, written_;
  Millis last_stamp_;
  std::set<std::tuple<Topic, uint32_t, int64_t>> corrupt_;
  std::optional<std::tuple<Topic, uint32_t, Records>> cut_;
};

// A checkpoint's disk: what was written is there for whoever opens it next.
class SimulatedStore final : public StateStore {
 public:
  // `disk` outlives the process, this object does not.
  SimulatedStore(MemoryState& disk, SimulatedTrouble& trouble) : disk_(disk), trouble_(trouble) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    const auto found = disk_.records.find(std::string(key));
    if (found == disk_.records.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  Status write(Batch& batch, bool sync) override {
    CHECK(sync);
    if (trouble_.disk_full || trouble_.write_fails()) return Error{ErrorCode::kIo, "refused"};
    batch.replay(disk_);
    return {};
  }
  Status backup(const std::string&) override {
    return Error{ErrorCode::kUnavailable, "not simulated"};
  }
  Status purge(std::string_view, std::string_view) override {
    if (trouble_.write_fails()) return Error{ErrorCode::kIo, "refused"};
    return {};
  }
  Status scan(std::string_view prefix, const Visit& visit) const override {
    return disk_.scan(prefix, visit);
  }
  Status scan_range(std::string_view from, std::string_view to, const Visit& visit) const override {
    return disk_.scan_range(from, to, visit);
  }

 private:
  MemoryState& disk_;
  SimulatedTrouble& trouble_;
};

}  // namespace shanhuo
