// What the fold does when its state wants room or could not be read (StateMachine::make_room()).
#include <gtest/gtest.h>

#include <utility>

#include "streaming/pipeline.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

// Counts, and says what a test tells it to.
class DemandingMachine final : public StateMachine, public Checkpointed {
 public:
  DeadReason apply(const Interaction&, const FoldContext&) override {
    ++folded;
    return {};
  }
  void forget(std::string_view) override {}
  Result<StateRoom> make_room() override {
    if (unreadable) return Error{ErrorCode::kCorrupt, "a viewer cannot be read"};
    return room;
  }
  void begin_checkpoint(StateWriter&) override { ++begun; }
  bool checkpoint_step(size_t) override { return true; }
  void checkpoint_committed() override {
    ++committed;
    room = StateRoom::kEnough;
  }
  Status restore(const StateReader&) override { return {}; }

  StateRoom room = StateRoom::kEnough;
  bool unreadable = false;
  int folded = 0, begun = 0, committed = 0;
};

class StateRoomTest : public testing::Test {
 protected:
  StateRoomTest() {
    log_ = std::move(EmbeddedLog::open(directory_ / "log", {}, clock_)).value();
    checkpoints_ =
        CheckpointStore::on_this_thread(std::move(Store::open(directory_ / "state", {})).value());
    PipelineParts parts;
    parts.log = log_.get();
    parts.checkpoints = checkpoints_.get();
    parts.dedup = {&dedup_};
    parts.machine = &machine_;
    parts.apply_catalogue = [](const CatalogueChange&) { return Status(); };
    parts.checkpointed = {&dedup_, &machine_};
    parts.clock = &clock_;
    PipelineOptions options;
    options.poll_timeout_ms = 0;
    options.checkpoint_interval_ms = 1'000'000;  // only when the state wants one
    pipeline_ = std::make_unique<Pipeline>(parts, options);
    CHECK(pipeline_->open().ok());
  }

  void send(int count) {
    for (int n = 0; n < count; ++n) {
      const std::string event = encoded(simple_event("e" + std::to_string(++sent_), "i", kNow));
      ASSERT_TRUE(append_wait(*log_, Topic::kInteractions, {{"", event}}).ok());
    }
  }

  static constexpr Millis kNow{1'790'000'000'000};
  const TempDir directory_;
  const ManualClock clock_{kNow};
  std::unique_ptr<EmbeddedLog> log_;
  std::unique_ptr<CheckpointStore> checkpoints_;
  Deduplicator dedup_{"e0"};
  DemandingMachine machine_;
  std::unique_ptr<Pipeline> pipeline_;  // dies first
  int sent_ = 0;
};

TEST_F(StateRoomTest, ACheckpointThatIsWantedSoonBeginsAndTheFoldGoesOn) {
  send(3);
  machine_.room = StateRoom::kCheckpointSoon;
  EXPECT_EQ(pipeline_->turn(), Pipeline::Turn::kOn);
  EXPECT_EQ(machine_.folded, 3);
  EXPECT_EQ(machine_.begun, 1);
  send(2);
  EXPECT_EQ(pipeline_->turn(), Pipeline::Turn::kOn);
  EXPECT_EQ(machine_.folded, 5);
}

TEST_F(StateRoomTest, NothingIsFoldedBeforeACheckpointThatMustComeFirst) {
  send(3);
  machine_.room = StateRoom::kCheckpointFirst;
  EXPECT_EQ(pipeline_->turn(), Pipeline::Turn::kOn);
  send(4);
  for (int turns = 0; pipeline_->turn() != Pipeline::Turn::kPause; ++turns) {
    ASSERT_LT(turns, 10);  // it is being gathered, then written
  }
  EXPECT_EQ(pipeline_->turn(), Pipeline::Turn::kPause);
  EXPECT_EQ(machine_.folded, 3);
  EXPECT_EQ(machine_.committed, 0);
  EXPECT_TRUE(checkpoints_->write_pending());
  EXPECT_EQ(pipeline_->turn(), Pipeline::Turn::kOn);
  EXPECT_EQ(machine_.committed, 1);
  while (pipeline_->stats().lag_records > 0) {
    ASSERT_NE(pipeline_->turn(), Pipeline::Turn::kEnd);
  }
  EXPECT_EQ(machine_.folded, 7);
}

TEST_F(StateRoomTest, AStateThatCannotBeReadEndsTheFoldAndMakesNoCheckpoint) {
  send(3);
  machine_.room = StateRoom::kCheckpointSoon;
  machine_.unreadable = true;
  EXPECT_EQ(pipeline_->turn(), Pipeline::Turn::kEnd);
  EXPECT_EQ(pipeline_->stats().failure, "a viewer cannot be read");
  EXPECT_EQ(machine_.begun, 0);
}

}  // namespace
}  // namespace shanhuo
