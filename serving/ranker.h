// One rank call, from parsed request to answer bytes: the same slate for a repeated request, the
// viewer and the prices as they are now, the page (ranking/recommender.h), reservation, tokens, the
// decision record.
//
// Thread-safe. Fails open: whatever breaks inside, and whenever the deadline nears, the organic
// list goes back with the stage named in `degraded`.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/published.h"
#include "configs/boosting_switch.h"
#include "configs/engine_options.h"
#include "configs/experiment.h"
#include "configs/imported_flags.h"
#include "features/exposure_token.h"
#include "features/feature_store.h"
#include "models/calibration.h"
#include "ranking/price_controller.h"
#include "ranking/recommender.h"
#include "ranking/retrieval.h"
#include "ranking/room_book.h"
#include "serving/decision_book.h"
#include "serving/engine_time.h"
#include "serving/exposure_book.h"
#include "serving/exposure_memory.h"
#include "serving/metrics.h"
#include "serving/page_meters.h"
#include "serving/rank_codec.h"
#include "serving/scratch_pool.h"
#include "serving/slate_book.h"
#include "serving/traffic_book.h"

namespace shanhuo {

// What ranking works with; all of it outlives the Ranker and is thread-safe.
struct RankerParts {
  const EngineOptions& options;  // all but `ranking`, which may change
  const Published<RankingOptions>& ranking;
  const EngineTime& time;
  const Interner& interner;
  FeatureStore& features;
  const Published<World>& world;
  const Published<Graduates>& graduates;
  const Published<TokenKeys>& keys;
  IndexRetriever& retriever;
  PriceController& prices;
  const CalibrationLearner& calibration;
  DecisionBook& decisions;
  Metrics& metrics;
  TrafficBook& requests;
  const Published<ExperimentSet>& experiments;
  const Published<ImportedFlags>& imported;
  ExposureBook& exposures;
  ValueModels values{};
  const BoostingSwitch* boosting = nullptr;  // nullptr: on
  const PageMeters* meters = nullptr;        // nullptr: nothing is counted
};

// What a request is ranked with aside (dry_run.h).
struct RankSide {
  std::shared_ptr<const World> world;
  std::shared_ptr<const Graduates> graduates;
  std::shared_ptr<const PriceTable> prices;  // of world's programs
  std::shared_ptr<const ExperimentSet> experiments;
  Retriever* retriever;  // outlives the call
};

struct RankAnswer {
  bool conflict = false;  // the request id was used with another body
  std::string body;       // in the call's format
};

class Ranker {
 public:
  explicit Ranker(const RankerParts& parts);
  ~Ranker();

  // `call.request.now` is engine time; `deadline_ns` monotonic; `caller` names the token's owner.
  // With the caller's clock prices move behind each answer, where that is due, and nowhere else: a
  // recorded day takes the same steps at any speed.
  RankAnswer answer(RankCall& call, std::string_view caller, uint64_t body_hash,
                    int64_t deadline_ns);

  // The page that a feed's request would get with `side`, whether boosting is on or not; reserves,
  // counts and remembers nothing. May throw what allocation throws.
  Slate rank_aside(RankCall& call, const RankSide& side);

  // Takes a durable decision over after a restart: slates, rooms, frequency, reservations.
  void restore(const Decision& decision);
  // Forgets a viewer's slates and insertions.
  void forget(std::string_view user_id);

  SlateBook& slates() { return slates_; }
  const ExposureMemory& exposures() const { return exposures_; }

 private:
  struct Scratch;
  struct Page;  // one answer being made

  void decide(RankCall& call, int64_t deadline_ns, Page& page);
  void look_up(RankCall& call, Page& page, bool boosting);
  void join_experiments(const RankRequest& request, Page& page);
  void rank_feed(const RankCall& call, Page& page);
  void rank_in_room(const RankCall& call, Page& page);
  bool reserve(const Page& page, Surface surface, Millis now);
  void mint_tokens(const RankCall& call, Page& page);
  void write_answer(const RankCall& call, Page& page);
  void record(const RankCall& call, Page& page, std::string_view caller, uint64_t body_hash);
  void record_insertions(const RankRequest& request, const Page& page);
  void count(const RankRequest& request, const Page& page);
  void count_exposures(const RankRequest& request, const Page& page);

  const RankerParts parts_;
  SlateBook slates_;
  RoomBook rooms_;
  ExposureMemory exposures_;
  ScratchPool<Scratch> scratch_;
  // A viewer's requests are answered one after the other, so that copies of one get one slate and
  // frequency caps hold among those that come at once. Without a viewer: a request's copies are.
  std::array<std::mutex, 1024> turns_;
};

// The viewer's side of a decision: retries and scores are found under (user, or room without one,
// and request).
uint64_t slate_key(const RankRequest& request);

}  // namespace shanhuo
