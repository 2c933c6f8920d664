// Worker: a few threads for requests that wait or compute longer than a server thread may (writes
// of items, reports, backups). Bounded: what does not fit is refused, and the caller answers 503.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace shanhuo {

class Worker {
 public:
  Worker(int threads, size_t queue_max);
  ~Worker();  // runs what is queued, then joins
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False, and `job` is not kept, when the queue is full or the worker is stopping. Thread-safe.
  [[nodiscard]] bool post(std::function<void()> job);

 private:
  void run();

  const size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace shanhuo
