// The rank requests of late, as they came, so that a change can be tried on them (dry_run.h). A
// request costs a move of its body; those of rooms, and of viewers who want no profile, are left
// out.
//
// Under load it keeps one of 2^k, so that it reaches back a minute or more. Bounded in number and
// bytes; in memory alone. Thread-safe; a request that finds it busy is left out.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "ranking/request.h"
#include "serving/rank_codec.h"

namespace shanhuo {

struct RecentRequest {
  RankFormat format = RankFormat::kJson;
  std::string body;
  uint64_t user_hash = 0;
  Millis at;  // engine time
};

class RequestRing {
 public:
  struct Limits {
    size_t requests_max = 2'000;
    size_t bytes_max = 32u << 20;
    int64_t reach_ns = 60'000'000'000;  // that it reaches back at least, once it is full
  };
  explicit RequestRing(const Limits& limits) : limits_(limits) {}

  // `body` is moved from when it is kept. `at_ns`: monotonic, of its receipt.
  void offer(const RankRequest& request, RankFormat format, std::string& body, int64_t at_ns);
  void forget(std::string_view user_id);
  // Newest first.
  std::vector<std::shared_ptr<const RecentRequest>> newest(size_t most) const;

 private:
  struct Kept {
    std::shared_ptr<const RecentRequest> request;
    int64_t at_ns;
  };

  const Limits limits_;
  std::atomic<uint64_t> offered_{0};
  std::atomic<int> halvings_{0};  // changes under mutex_
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::deque<Kept> kept_;  // oldest first
  size_t bytes_ = 0;
  uint64_t since_halving_ = 0;  // kept since halvings_ last changed
};

}  // namespace shanhuo
