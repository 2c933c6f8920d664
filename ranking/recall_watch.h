// Whether the index still finds what an exact scan would, for the viewers who really come: the
// recall that was measured when it was built is of made-up queries.
//
// offer() is called by requests, thread-safe, and never waits: one vector of `one_in` is kept, up
// to `samples_max` between two measurements; what comes while another one is kept is dropped.
// measure() belongs to one maintenance thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "features/item.h"

namespace shanhuo {

class RetrievalIndex;

struct RecallWatchOptions {
  int64_t one_in = 100;  // requests of viewers with a profile; 0: none are watched
  int samples_max = 16;  // each is one exact scan, 20 ns a row, every five seconds
};

class RecallWatch {
 public:
  explicit RecallWatch(RecallWatchOptions options);

  // `turn`: differs from request to request; decides whether it is one of the kept.
  void offer(const Vector& viewer, uint64_t turn);

  // Items, over all kept vectors: of the exact `k` nearest, how many the index finds, too.
  struct Recall {
    uint64_t wanted = 0, found = 0;
  };
  // Of the vectors kept since the last call, which are dropped then.
  Recall measure(const RetrievalIndex& index, size_t k);

 private:
  const RecallWatchOptions options_;
  std::mutex mutex_;
  std::vector<Vector> kept_;  // guarded by mutex_
};

}  // namespace shanhuo
