// One run of serving/what_if.h: recorded requests, one set of programs, prices and caps of its own.
// One thread; reads from the engine, which is stopped, and changes nothing of it.
#pragma once

#include <memory>

#include "features/frequency.h"
#include "ranking/recommender.h"
#include "ranking/retrieval.h"
#include "ranking/room_book.h"
#include "serving/engine.h"
#include "serving/what_if.h"
#include "streaming/decision.h"

namespace shanhuo {

class WhatIfReplay {
 public:
  // Goals begin with what the folder counts as delivered before the day of `from`.
  WhatIfReplay(const Engine& engine, const std::shared_ptr<const ProgramSet>& programs,
               Millis from);

  // Requires: decision.context; times that do not fall.
  void page(const Decision& decision);
  const WhatIfOutcome& outcome() const { return outcome_; }

 private:
  Slate rank_page(const RankRequest& request, const RankContext& context);
  Slate rank_in_room(const RankRequest& request, const RankContext& context, bool& first);
  bool reserve(const RankRequest& request, const Slate& slate);
  void count(const RankRequest& request, const Slate& slate, bool first_in_room);

  const Engine& engine_;
  const std::shared_ptr<const RankingOptions> options_;
  std::shared_ptr<const World> world_;
  IndexRetriever retriever_;
  PriceController prices_;
  FrequencyLedger frequency_;
  RoomBook rooms_;
  RankScratch scratch_;
  std::shared_ptr<const PriceTable> table_;
  WhatIfOutcome outcome_;
};

void add_units(WhatIfOutcome::Units& units, double p_viewable, double p_click, double p_order);

}  // namespace shanhuo
