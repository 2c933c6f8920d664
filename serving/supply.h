// What programs could get, counted over recorded traffic: the arithmetic behind forecasts, the
// attainability check, and who competes with whom (contract 2.5).
//
// For one program, per day: requests seen -> of its surfaces, audience and area -> insertions that
// its slots allow -> that its frequency caps leave, viewer by viewer -> that programs before it in
// the order of conflicts leave -> times P(viewable), and times P(click) or P(order) for goals of
// those. What viewers would lose is not in it: prices decide that while the program runs.
//
// Pure: everything is passed in. Cost: about a microsecond a request and program.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "features/feature_store.h"
#include "ranking/options.h"
#include "ranking/world.h"
#include "serving/traffic_book.h"

namespace shanhuo {

// A program in the survey, in the order in which conflicts resolve.
struct SurveyedProgram {
  const Program* program = nullptr;
  std::vector<ItemIndex> items;  // that its condition names now, ascending
  double units_wanted_day = 0;   // of viewable exposures, from now to the deadline
};

struct Supply {
  double days_seen = 0;  // of traffic, in days' worth
  uint64_t viewers_sampled = 0;
  double requests_day = 0;            // all
  double asked_day = 0;               // of its surfaces, audience and area
  double viewers_day = 0;             // different ones among those
  double slots_day = 0;               // insertions that its slots allow
  double capped_day = 0;              // that its frequency caps leave
  double left_day = 0;                // that programs before it leave
  double viewable_share = 0;          // of insertions
  size_t items = 0, items_ready = 0;  // ready: there, in stock, not blocked
  double p_click = 0, p_order = 0;    // of a viewable exposure, over the ready items
  double season_share = 1;            // of the days to come with a ready item in season

  // A day's viewable exposures, clicks or orders in season.
  double units_day(GoalUnit unit) const;
};

// Another program that asks for the same pages. Shares are of the first program's, 0..1.
struct Competitor {
  size_t program = 0;  // index into the survey
  double pages = 0, viewers = 0, items = 0;
  double taken = 0;  // of its insertions that are lost to the other one, which comes before it
};

// The survey of some programs over one sample; keeps references.
class SupplySurvey {
 public:
  // `hourly`: a day's traffic by hour (UTC+8), to scale what is less than a day.
  SupplySurvey(const TrafficSample& sample, const World& world, const FeatureStore& features,
               const RankingOptions& options, std::span<const double> hourly,
               std::vector<SurveyedProgram> programs, Millis now);

  Supply of(size_t program) const;
  // Those with which it shares pages, most taken first, then most pages.
  std::vector<Competitor> competitors(size_t program, size_t most) const;

 private:
  struct Cap {
    Millis window;
    int64_t most;
  };
  struct Asked {
    std::vector<uint32_t> pages;    // indices into order_, ascending
    std::vector<float> insertions;  // that its caps leave on each
    double slots = 0, capped = 0, seen = 0;
    double intensity = 0;  // share of those insertions that it wants
  };

  void ask(size_t program, const RankRequest& request, const ViewerState& viewer, uint32_t page);
  void insert_within_caps(size_t program);
  std::vector<Cap> caps_of(const SurveyedProgram& program) const;
  int slots_of(const Program& program, const SampledRequest& page) const;
  double viewable_at(const Program& program, int slots) const;
  double rivalry(size_t program, size_t other) const;
  std::vector<float> taken_before(size_t program) const;
  double left_of(float insertions, float taken) const;
  Competitor compare(size_t program, size_t other, const std::vector<float>& taken) const;
  void describe_items(const SurveyedProgram& program, Supply& supply) const;
  double per_day(double sampled) const;

  const TrafficSample& sample_;
  const World& world_;
  const FeatureStore& features_;
  const RankingOptions& options_;
  const std::vector<SurveyedProgram> programs_;
  const Millis now_;
  double days_ = 0;
  std::vector<uint32_t> order_;  // of sample_.requests, by viewer, then time
  uint64_t viewers_ = 0;
  std::vector<Asked> asked_;
};

// Items that the program's condition names, ascending: from the world when it holds this revision.
std::vector<ItemIndex> items_of_program(const Program& program, const World& world);

// Traffic between two moments in days' worth, by the day's curve. Requires: 24 weights.
double traffic_days(std::span<const double> hourly, Millis from, Millis to);

}  // namespace shanhuo
