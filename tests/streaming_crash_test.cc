// kill -9 at random moments. The test starts itself again as a child (SHANHUO_CRASH_DIR is set)
// that appends and folds until it is killed, and says through a pipe what the log has acknowledged.
// In the end the log is read record by record and compared with what was acknowledged, and the
// fold's state with a single-threaded count over the log.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

constexpr Millis kStart{1'700'000'000'000};
constexpr int kBatch = 20;
constexpr int kKills = 20;

// Batch n has the same bytes whoever makes it: events n*kBatch.., some of them a repetition of the
// batch before, one in fifty garbage.
std::vector<std::string> batch_values(int64_t n) {
  std::vector<std::string> values;
  for (int64_t i = n * kBatch; i < (n + 1) * kBatch; ++i) {
    const int64_t id = i % 10 == 9 ? i - kBatch / 2 : i;
    if (i % 50 == 17) {
      values.push_back("\xff" + std::to_string(i));
      continue;
    }
    const std::string event_id = "e" + std::to_string(id), item = "i" + std::to_string(id % 13);
    values.push_back(encoded(simple_event(event_id, item, kStart + Millis(id))));
  }
  return values;
}

struct Acknowledged {
  int64_t batch;
  int64_t first_offset;
};

PipelineOptions crash_options() {
  PipelineOptions options;
  options.checkpoint_records = 300;
  options.checkpoint_interval_ms = 20;
  options.checkpoint_step_records = 3;
  return options;
}

// Batches from `n` on, each retried by the next child unless it was acknowledged; never returns.
[[noreturn]] void child(const std::string& directory, int64_t n, int pipe) {
  SmallEngine engine(directory, crash_options());
  if (!engine.pipeline->start().ok()) _exit(3);
  std::atomic<int> in_flight{0};
  for (;; ++n) {
    while (in_flight >= 4) std::this_thread::sleep_for(std::chrono::microseconds(50));
    const std::vector<std::string> values = batch_values(n);
    std::vector<AppendRecord> records;
    for (const std::string& value : values) records.push_back({"u1", value});
    ++in_flight;
    engine.log->append(Topic::kInteractions, 0, records, [&, n](Result<Appended> spans) {
      if (!spans.ok()) _exit(4);
      const Acknowledged ack{n, spans.value().front().first_offset};
      if (write(pipe, &ack, sizeof ack) != sizeof ack) _exit(5);
      --in_flight;
    });
  }
}

// Runs a child for `ms`, kills it, and collects what it was told.
void run_and_kill(const std::string& directory, int ms, std::vector<Acknowledged>& acknowledged) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const int64_t next = acknowledged.empty() ? 0 : acknowledged.back().batch + 1;
  const pid_t pid = fork();
  if (pid == 0) {
    setenv("SHANHUO_CRASH_DIR", directory.c_str(), 1);
    setenv("SHANHUO_CRASH_NEXT", std::to_string(next).c_str(), 1);
    setenv("SHANHUO_CRASH_PIPE", std::to_string(pipe_ends[1]).c_str(), 1);
    execl("/proc/self/exe", "streaming_crash_child", nullptr);
    _exit(6);
  }
  close(pipe_ends[1]);
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    kill(pid, SIGKILL);
  });
  Acknowledged ack{};
  while (read(pipe_ends[0], &ack, sizeof ack) == sizeof ack) acknowledged.push_back(ack);
  killer.join();
  close(pipe_ends[0]);
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
}

std::vector<std::string> read_topic(EmbeddedLog& log, Topic topic, bool keys) {
  std::vector<std::string> all;
  std::vector<LogRecord> records;
  auto reader = log.read(topic, {{0, 0}});
  Status polled = reader.value()->poll(1000, 0, records);
  for (; polled.ok() && !records.empty(); polled = reader.value()->poll(1000, 0, records)) {
    for (const LogRecord& record : records) all.emplace_back(keys ? record.key : record.value);
  }
  EXPECT_TRUE(polled.ok());
  return all;
}

TEST(Crash, KillingAtRandomLosesNothingAcknowledgedAndCountsNothingTwice) {
  const TempDir dir;
  std::mt19937 random(20);
  std::vector<Acknowledged> acknowledged;
  for (int i = 0; i < kKills; ++i) {
    run_and_kill(dir / "data", 120 + static_cast<int>(random() % 250), acknowledged);
    if (HasFatalFailure()) return;
  }
  ASSERT_GT(acknowledged.size(), 100u);

  SmallEngine engine(dir / "data", crash_options());
  const std::vector<std::string> log = read_topic(*engine.log, Topic::kInteractions, false);
  for (const Acknowledged& ack : acknowledged) {
    const std::vector<std::string> values = batch_values(ack.batch);
    ASSERT_LE(static_cast<size_t>(ack.first_offset) + values.size(), log.size());
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(log[static_cast<size_t>(ack.first_offset) + i], values[i]);
    }
  }

  std::map<std::string, uint64_t> counts;
  std::set<std::string> seen;
  uint64_t dead = 0, duplicate = 0;
  EventDecoder decoder;
  for (const std::string& value : log) {
    LogRecord record;
    record.value = value;
    Interaction event;
    if (!decoder.decode_record(record, event).empty()) {
      ++dead;
    } else if (!seen.insert(std::string(event.event_id)).second) {
      ++duplicate;
    } else {
      ++counts[std::string(event.item_id)];
    }
  }
  ASSERT_TRUE(engine.pipeline->start().ok());
  ASSERT_TRUE(engine.pipeline->stop().ok());
  const PipelineStats stats = engine.pipeline->stats();
  EXPECT_EQ(engine.machine.counts, counts);
  EXPECT_EQ(stats.accepted, log.size());
  EXPECT_EQ(stats.applied, seen.size());
  EXPECT_EQ(stats.duplicate, duplicate);
  EXPECT_EQ(stats.dead, dead);
  const std::vector<std::string> letters = read_topic(*engine.log, Topic::kDeadLetters, true);
  EXPECT_EQ(letters.size(), dead);
  EXPECT_EQ(std::set<std::string>(letters.begin(), letters.end()).size(), dead);
}

}  // namespace

void run_child(const char* directory) {
  child(directory, std::stoll(std::getenv("SHANHUO_CRASH_NEXT")),
        std::stoi(std::getenv("SHANHUO_CRASH_PIPE")));
}

}  // namespace shanhuo

int main(int argc, char** argv) {
  if (const char* directory = std::getenv("SHANHUO_CRASH_DIR")) shanhuo::run_child(directory);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
