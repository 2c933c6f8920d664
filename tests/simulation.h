// One run of the deterministic simulation: see tests/streaming_simulation_test.cc, which includes
// this. It draws from its seed what is sent, in which order the steps come, and what goes wrong.
// simulation_compare.h says what must be equal in the end.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "tests/simulated_process.h"
#include "tests/simulated_traffic.h"

namespace shanhuo {

// What happened in the runs, to see that the faults do come.
struct Happened {
  uint64_t kills = 0, power_losses = 0, refused = 0, gaps = 0, corrupt = 0, restarts_refused = 0,
           checkpoints = 0, checkpoints_failed = 0, accepted = 0, duplicate = 0, late = 0, dead = 0;

  using Field = std::pair<const char*, uint64_t Happened::*>;
  static constexpr std::array<Field, 12> kFields = {{
      {"kills", &Happened::kills},
      {"power losses", &Happened::power_losses},
      {"appends refused", &Happened::refused},
      {"logs cut short and refused", &Happened::gaps},
      {"stops at a block that does not hold", &Happened::corrupt},
      {"restarts refused", &Happened::restarts_refused},
      {"checkpoints", &Happened::checkpoints},
      {"checkpoints that failed", &Happened::checkpoints_failed},
      {"events accepted", &Happened::accepted},
      {"duplicate", &Happened::duplicate},
      {"late", &Happened::late},
      {"dead", &Happened::dead},
  }};

  Happened& operator+=(const Happened& other) {
    for (const auto& [name, field] : kFields) this->*field += other.*field;
    return *this;
  }
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed),
        world_(draw_world()),
        clock_(kSimulatedStart),
        log_(world_.partitions, clock_, trouble_),
        keys_(simulated_keys()),
        traffic_(seed ^ 0x5eed, keys_),
        oracle_(world_.partitions, world_.caller_clock, world_.items_max) {
    log_.on_durable = [this](Topic topic, const SimulatedLog::Record& record) {
      if (topic == Topic::kItems || topic == Topic::kInteractions) tell_oracle(topic, record);
      if (topic == Topic::kDeadLetters) letters_.push_back(record);
    };
    trouble_.poll_fails = [this] { return troubled_ && chance(3); };
    trouble_.append_refused = [this] { return troubled_ && chance(5); };
    trouble_.write_fails = [this] { return troubled_ && chance(10); };
  }

  void run(int steps) {
    while (steps-- > 0) step();
    troubled_ = trouble_.disk_full = false;
    if (chance(50)) kill();
    end();
  }

  void compare();
  uint32_t partitions() const { return world_.partitions; }
  bool drops_records() const { return retain_always_; }
  uint64_t digest() const;
  const Happened& happened() const { return happened_; }
  // State records that hold what was counted, not how it came about.
  std::map<std::string, std::string> counted_records() const;
  // The same log folded at one go by a process that nothing happens to.
  std::map<std::string, std::string> folded_again();

 private:
  uint64_t below(uint64_t end) { return random_() % end; }
  bool chance(uint64_t percent) { return below(100) < percent; }

  World draw_world() {
    World world;
    world.partitions = static_cast<uint32_t>(1 + below(3));
    world.caller_clock = chance(15);
    world.items_max = chance(15) ? 10 : 1'024;
    world.pipeline.partitions = world.pipeline.items_partitions = world.partitions;
    world.pipeline.caller_clock = world.caller_clock;
    world.pipeline.poll_records_max = 1 + below(40);
    world.pipeline.poll_timeout_ms = 0;
    world.pipeline.checkpoint_records = static_cast<int64_t>(1 + below(60));
    world.pipeline.checkpoint_step_records = 1 + below(60);
    world.pipeline.letters_in_flight_max = 1 + below(20);
    world.pipeline.purge_interval_ms = static_cast<int64_t>(below(20'000));
    retain_always_ = chance(30);
    return world;
  }

  // ---- The steps ----

  void step() {
    const uint64_t percent = below(100);
    if (percent < 26) return produce();
    if (percent < 32) return log_.write();
    if (percent < 43) return sync();
    if (percent < 80) return turn();
    if (percent < 91) return write_checkpoint();
    if (percent < 96) return pass_time();
    if (percent < 98) return change_trouble();
    if (chance(50))
      kill();
    else if (chance(50))
      lose_power();
    else
      damage_log();
  }

  void produce() {
    if (!unanswered_.empty() && chance(20)) return send_again();
    const bool items = chance(12);
    std::vector<TrafficRecord> batch;
    const std::string user = traffic_.any_viewer();
    for (uint64_t n = 1 + below(6); n > 0; --n) {
      batch.push_back(items ? traffic_.catalogue_change()
                            : traffic_.interaction(user, clock_.now().count()));
    }
    const auto partition = static_cast<uint32_t>(hash64(user) % world_.partitions);
    send({items ? Topic::kItems : Topic::kInteractions, items ? 0 : partition, std::move(batch)});
  }

  struct Batch {
    Topic topic;
    uint32_t partition;
    std::vector<TrafficRecord> records;
  };

  // A producer that is not answered does not know, and sends again: so nothing is lost, and some
  // things come twice.
  void send(Batch batch) {
    const uint64_t number = next_batch_++;
    std::vector<AppendRecord> records;
    for (const TrafficRecord& record : batch.records) {
      meanings_.try_emplace({record.content, record.key, record.value}, record.meaning);
      records.push_back({record.key, record.value, record.content});
    }
    const auto [topic, partition] = std::pair(batch.topic, batch.partition);
    unanswered_.emplace(number, std::move(batch));
    log_.append(topic, partition, records, [this, number](const Result<Appended>& first) {
      happened_.refused += first.ok() ? 0 : 1;
      if (first.ok()) unanswered_.erase(number);
    });
  }

  void send_again() {
    auto it = unanswered_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(below(unanswered_.size())));
    send(unanswered_.extract(it).mapped());
  }

  void sync() {
    log_.write();
    log_.sync();
  }

  // A process that does not come up is started again.
  bool up() {
    if (process_) return true;
    process_ = std::make_unique<Process>(world_, log_, disk_, trouble_, clock_);
    const Status opened = process_->pipeline->open();
    if (opened.ok()) return true;
    ++happened_.restarts_refused;
    EXPECT_TRUE(opened.error().code == ErrorCode::kIo || damaged_) << opened.error().message;
    process_.reset();
    repair();
    return false;
  }

  void turn() {
    if (!up()) return;
    if (process_->pipeline->turn() != Pipeline::Turn::kEnd) return;
    EXPECT_TRUE(damaged_) << process_->pipeline->stats().failure;
    ++happened_.corrupt;
    kill();
    repair();
  }

  void write_checkpoint() {
    if (process_) static_cast<void>(process_->checkpoints->write_pending());
    if (retain_always_ && !damaged_) log_.retain();
  }

  void pass_time() {
    if (chance(85)) return clock_.advance(Millis(static_cast<int64_t>(below(20'000))));
    clock_.advance(Millis(static_cast<int64_t>(below(chance(90) ? 3'600'000 : 30 * 3'600'000))));
  }

  void change_trouble() {
    if (chance(50)) {
      trouble_.disk_full = !trouble_.disk_full && chance(30);
    } else {
      troubled_ = !troubled_;
    }
  }

  void kill() {
    ++happened_.kills;
    note_and_drop();
    log_.kill();
  }

  void lose_power() {
    ++happened_.power_losses;
    note_and_drop();
    log_.lose_power(below(log_.unsynced() + 1));
  }

  void note_and_drop() {
    if (!process_) return;
    const PipelineStats stats = process_->pipeline->stats();
    EXPECT_EQ(stats.accepted, stats.applied + stats.duplicate + stats.late + stats.dead);
    happened_.checkpoints += stats.checkpoints;
    happened_.checkpoints_failed += stats.checkpoints_failed;
    process_.reset();
  }

  // The process dies, and its log comes back torn: a block does not hold, or the end is missing.
  void damage_log() {
    kill();
    const auto partition = static_cast<uint32_t>(below(world_.partitions));
    const size_t held = log_.held(Topic::kInteractions, partition).size();
    if (held == 0) return;
    damaged_ = true;
    if (chance(50)) {
      log_.corrupt(
          Topic::kInteractions, partition,
          log_.first_offset(Topic::kInteractions, partition) + static_cast<int64_t>(below(held)));
      return;
    }
    const size_t lost = 1 + below(held);
    log_.cut(Topic::kInteractions, partition, lost);
    // A checkpoint that knows of what is missing refuses to start.
    const bool known = checkpointed(disk_, Topic::kInteractions, partition) >
                       log_.end_offset(Topic::kInteractions, partition);
    if (known) ++happened_.gaps;
    EXPECT_FALSE(up() && known);
    kill();
    repair();
  }

  void repair() {
    if (!damaged_) return;
    damaged_ = false;
    log_.repair();
    log_.put_back();
  }

  // Everything that waits is sent, folded and checkpointed; then all items are put once more, so
  // that what was counted can be asked for.
  void end() {
    repair();
    drain();
    send({Topic::kItems, 0, traffic_.put_everything()});
    drain();
  }

  void drain() {
    for (int rounds = 0; !unanswered_.empty() || !at_rest(); ++rounds) {
      sync();
      turn();
      write_checkpoint();
      clock_.advance(Millis(1'000));
      if (!unanswered_.empty()) send_again();
      ASSERT_LT(rounds, 20'000) << "the fold does not end";
    }
  }

  bool at_rest() {
    return process_ && letters_.size() >= oracle_.letters.size() && all_durable(*process_, disk_);
  }

  void tell_oracle(Topic topic, const SimulatedLog::Record& record) {
    // Records become durable in the order of their stamps; of one stamp there is one group.
    const auto found = meanings_.find({record.content, record.key, record.value});
    ASSERT_NE(found, meanings_.end());
    const std::string place = std::string(topic_name(topic)) + "/" +
                              std::to_string(record.partition) + "/" +
                              std::to_string(record.offset);
    if (topic == Topic::kItems) {
      oracle_.items_record(found->second, place);
    } else {
      oracle_.interactions_record(found->second, record.partition, record.accepted_at.count(),
                                  place);
    }
  }

  void compare_fold() const;
  void compare_letters() const;
  void compare_items() const;
  void compare_item(const std::string& id, const FoldOracle::Item& want) const;
  void compare_rest() const;

  std::mt19937_64 random_;
  bool retain_always_ = false;
  const World world_;
  SimulatedClock clock_;
  SimulatedTrouble trouble_;
  SimulatedLog log_;
  MemoryState disk_;
  const TokenKeys keys_;
  Traffic traffic_;
  FoldOracle oracle_;
  std::map<std::tuple<ContentType, std::string, std::string>, OracleRecord> meanings_;
  std::map<uint64_t, Batch> unanswered_;
  uint64_t next_batch_ = 0;
  std::vector<SimulatedLog::Record> letters_;
  bool troubled_ = false, damaged_ = false;
  std::unique_ptr<Process> process_;
  Happened happened_;
};

}  // namespace shanhuo
