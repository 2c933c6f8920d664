#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "serving/worker.h"

namespace shanhuo {
namespace {

// Holds a worker's thread until let go.
class Gate {
 public:
  std::function<void()> job() {
    return [this] {
      entered_.set_value();
      open_.get_future().wait();
    };
  }
  void wait_entered() { entered_.get_future().wait(); }
  void open() { open_.set_value(); }

 private:
  std::promise<void> entered_, open_;
};

TEST(Worker, RunsWhatIsPostedOnAThreadOfItsOwn) {
  Worker worker(1, 10);
  std::promise<std::thread::id> ran;
  ASSERT_TRUE(worker.post([&] { ran.set_value(std::this_thread::get_id()); }));
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
}

TEST(Worker, RunsJobsInTheOrderTheyCame) {
  std::vector<int> order;
  {
    Worker worker(1, 100);
    for (int i = 0; i < 100; ++i) {
      if (!worker.post([&order, i] { order.push_back(i); })) order.push_back(-1 - i);
    }
  }
  ASSERT_EQ(order.size(), 100U);
  // Jobs may have been taken while posting, but none overtakes another.
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(Worker, RefusesWhatDoesNotFitAndTakesMoreOnceThereIsRoom) {
  Gate gate;
  std::atomic<int> ran{0};
  {
    Worker worker(1, 2);
    ASSERT_TRUE(worker.post(gate.job()));
    gate.wait_entered();
    EXPECT_TRUE(worker.post([&] { ++ran; }));
    EXPECT_TRUE(worker.post([&] { ++ran; }));
    EXPECT_FALSE(worker.post([&] { ran += 100; }));
    gate.open();
    std::promise<void> done;
    while (!worker.post([&] { done.set_value(); })) std::this_thread::yield();
    done.get_future().wait();
    EXPECT_EQ(ran, 2);
  }
  EXPECT_EQ(ran, 2);
}

TEST(Worker, AFullQueueDoesNotKeepTheJob) {
  Gate gate;
  auto owned = std::make_shared<int>(1);
  Worker worker(1, 1);
  ASSERT_TRUE(worker.post(gate.job()));
  gate.wait_entered();
  ASSERT_TRUE(worker.post([] {}));
  EXPECT_FALSE(worker.post([owned] {}));
  EXPECT_EQ(owned.use_count(), 1);
  gate.open();
}

TEST(Worker, StoppingRunsWhatIsQueuedFirst) {
  Gate gate;
  std::atomic<int> ran{0};
  std::thread opener;
  {
    Worker worker(2, 50);
    ASSERT_TRUE(worker.post(gate.job()));
    gate.wait_entered();
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(worker.post([&] { ++ran; }));
    }
    opener = std::thread([&] { gate.open(); });
  }
  opener.join();
  EXPECT_EQ(ran, 40);
}

TEST(Worker, ThreadsRunJobsSideBySide) {
  Gate first, second;
  Worker worker(2, 10);  // after the gates: its threads are in them until it is gone
  ASSERT_TRUE(worker.post(first.job()));
  ASSERT_TRUE(worker.post(second.job()));
  first.wait_entered();
  second.wait_entered();  // would wait for ever on one thread
  first.open();
  second.open();
}

TEST(Worker, TakesJobsFromManyThreadsAndRunsEachOnce) {
  std::atomic<int> posted{0}, ran{0};
  {
    Worker worker(3, 16);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          if (worker.post([&] { ++ran; })) ++posted;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(ran, posted);
  EXPECT_GT(posted, 0);
}

}  // namespace
}  // namespace shanhuo
