// One connection of a replay: a bounded queue of batches, and the thread that sends them in order.
//
// push() and finish() belong to the reader; the rest is the lane's own thread. A batch that cannot
// be delivered stops the lane: push() then returns false, and finish() says why.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "serving/api_client.h"
#include "serving/replay.h"
#include "streaming/json.h"

namespace shanhuo {

// Consecutive lines, as one request takes them.
struct ReplayBatch {
  std::string text;             // lines, each with its '\n'
  std::vector<uint64_t> lines;  // their numbers in the file, from 1
};

class ReplayLane {
 public:
  ReplayLane(ReplayKind kind, const ReplayOptions& options, ApiClient client);
  ~ReplayLane();  // finish()

  // Waits for room. False: the lane has failed.
  bool push(ReplayBatch batch);
  // Sends what waits, ends the thread. The lane's part of the summary.
  Result<ReplaySummary> finish();

 private:
  void run();
  Status send(const ReplayBatch& batch);
  Status read_answer(const ReplayBatch& batch, const std::string& answer);
  std::string wrap(const ReplayBatch& batch) const;
  void reject(uint64_t line, const std::string& reason, uint64_t count = 1);

  // Constant after construction.
  const ReplayKind kind_;
  const ReplayOptions options_;

  // The lane's thread alone, then whoever has called finish().
  ApiClient client_;
  json::Document document_;
  ReplaySummary summary_;

  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ReplayBatch> queue_;
  bool closed_ = false;
  Status failure_;

  std::thread thread_;
};

}  // namespace shanhuo
