// What a program's goals will have at their deadlines, whether they can be met, and with whom the
// program competes, in numbers and in sentences that show the arithmetic (contract 2.5).
//
// A goal under way goes on as its status says; one that has not begun gets what the survey of
// recorded traffic leaves it (serving/supply.h). Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "ranking/price_controller.h"
#include "serving/supply.h"

namespace shanhuo {

struct GoalForecast {
  Goal goal;
  double target = 0;      // of the period
  double delivered = 0;   // so far
  double days_left = 0;   // until the deadline, from now or from the start
  double needed_day = 0;  // units a day that are still to come
  double available_day = 0;
  std::optional<bool> attainable;  // absent: no traffic was recorded, or a goal that is a share
  double value = 0, low = 0, high = 0;  // at the deadline, with a 90 % interval
  std::string message;
};

struct Conflict {
  std::string program;
  bool before = false;  // comes before this one where both want a slot
  Competitor shares;
  std::string message;
};

struct ProgramForecast {
  Supply supply;
  std::vector<GoalForecast> goals;
  std::vector<Conflict> conflicts;
  std::vector<std::string> warnings;  // what an operator should know before it starts
};

// What the forecast is made from; borrowed.
struct ForecastParts {
  const TrafficSample& sample;
  const World& world;
  const FeatureStore& features;
  const RankingOptions& options;
  std::span<const double> hourly;
  const std::vector<ProgramStatus>& status;  // of the world's programs
  Millis now;
};

// `program` need not be one of the world's; when the world has one of its id, it takes its place.
ProgramForecast forecast(const Program& program, const ForecastParts& parts);

void write_forecast(JsonWriter& json, const Program& program, const ProgramForecast& forecast);

}  // namespace shanhuo
