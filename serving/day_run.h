// One simulated day in front of one engine: viewers come, ask for pages, and what they did is sent
// as events a minute later; a judge who knows the programs' files watches the answers.
//
// A page has twenty places; its organic scores are P(click). A viewer sees a place with a
// probability that falls with the place, within minutes, and clicks and orders what is seen by a
// rate of the item and a liking of their own, which the engine does not know. What is not seen
// sends nothing.
//
// One thread speaks to the engine and waits until it has folded each minute's events, and what
// becomes of an item on a page hangs on the seed, the page and the item alone. Two runs differ by
// what the engine builds beside its answers: vector index and popular lists.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "configs/engine_options.h"
#include "serving/day_engine.h"
#include "serving/day_plan.h"
#include "streaming/json.h"

namespace shanhuo {

struct DayResult {
  struct Goal {
    double target = 0, delivered = 0;  // as the engine says at the end
  };
  std::vector<Goal> goals;  // one of each program
  uint64_t pages = 0, inserted = 0, events = 0;
  uint64_t degraded = 0;         // pages on which a stage was left out
  uint64_t caps_exceeded = 0;    // insertions past a frequency cap
  double loss_worst = 0;         // of the engine's own account, over any 10 minutes of
  uint64_t windows = 0;          // at least 1,000 pages; looked at each minute
  std::vector<double> viewable;  // by county: exposures that were seen
  std::vector<double> weighted;  // the same by position: insertions times how often such are seen

  // The worst county's share of the mean.
  static double worst(const std::vector<double>& counties);
};

// Viewers' loss / organic value is looked at over windows of so many pages and more.
inline constexpr uint64_t kLossWindowPages = 1'000;

class DayRun {
 public:
  // `progress` is called with the share of the day that is over.
  DayRun(const DayPlan& plan, const std::vector<DayProgram>& programs,
         std::function<void(double)> progress);
  Result<DayResult> run(DayEngine& engine);

 private:
  struct Good {
    int county = 0;
    double p_click = 0;
  };
  struct Shown {
    int64_t at_ms;
    std::string item;
    std::vector<std::string> programs;
  };
  // One item of a page that a program put there.
  struct Boost {
    std::string item, token;
    int position = 0;
    std::vector<std::string> programs;
  };

  void schedule_page();
  Status take_page();
  void write_request(uint32_t viewer);
  void react(uint32_t viewer, const Boost& boost);
  void judge(uint32_t viewer, const Boost& boost);
  uint64_t count_shown(const std::vector<Shown>& shown, const DayCap& cap,
                       const Boost& boost) const;
  Status end_minute();
  Status post_events(int64_t until_ms);
  Result<DayResult> finish();

  const DayPlan& plan_;
  const std::vector<DayProgram>& programs_;
  const std::function<void(double)> progress_;
  DayEngine* engine_ = nullptr;
  Random random_;
  int64_t now_ms_, minute_ms_;
  std::map<std::string, Good, std::less<>> goods_;
  std::multimap<int64_t, std::string> pending_;  // events as JSON lines, by when they are sent
  json::Document document_;
  std::string request_id_, request_;
  std::map<uint32_t, std::vector<Shown>> shown_;             // by viewer, oldest first
  std::vector<uint64_t> minute_pages_;                       // of the last minutes
  std::vector<std::array<double, kDayPlaces>> inserted_at_;  // by county and place
  std::array<double, kDayPlaces> placed_{}, seen_{};         // by place
  DayResult result_;
};

}  // namespace shanhuo
