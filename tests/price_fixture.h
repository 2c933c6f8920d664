// Programs, goals and reservations for tests of the price controller.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ranking/price_controller.h"

namespace shanhuo {

inline constexpr Millis kStart{1'789'833'600'000};  // 2026-09-20 00:00 UTC+8

inline Goal viewable(double at_least, double at_most = 0, double missed_value_fen = 3) {
  return {GoalUnit::kViewable, at_least,       at_most,
          GoalPeriod::kTotal,  Surface::kNone, missed_value_fen};
}

inline std::shared_ptr<Program> program_of(std::string_view id, std::vector<Goal> goals,
                                           Millis end = kStart + kDay, Millis start = kStart) {
  auto program = std::make_shared<Program>();
  program->id = ProgramId(id);
  program->start = start;
  program->end = end;
  program->surfaces.fill(true);
  program->goals = std::move(goals);
  return program;
}

inline std::shared_ptr<const ProgramSet> set_of(std::vector<std::shared_ptr<Program>> programs,
                                                std::string version = "v1") {
  auto set = std::make_shared<ProgramSet>();
  for (auto& program : programs) set->programs.push_back(std::move(program));
  set->version = std::move(version);
  return set;
}

// Has delivered nothing before.
inline double nothing(const ProgramId&, GoalUnit, Millis, Millis) { return 0; }

inline std::unique_ptr<PriceController> controller_of(const PriceControllerOptions& options = {}) {
  return std::make_unique<PriceController>(options, remaining_goal_law({}));
}

inline Reservation insertion_of(const std::vector<std::string_view>& programs,
                                double p_viewable = 0.6) {
  Reservation reservation;
  for (size_t i = 0; i < programs.size(); ++i) reservation.programs[i] = program_hash(programs[i]);
  reservation.p_viewable = p_viewable;
  return reservation;
}

}  // namespace shanhuo
