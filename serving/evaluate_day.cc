// One day, 200 programs, 832 counties, bursts and an outage, under the shipped law and its peers.
#include <algorithm>
#include <span>
#include <utility>

#include "serving/day_run.h"
#include "serving/evaluate.h"
#include "serving/program_status.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

constexpr std::string_view kShipped = "remaining_goal";
constexpr double kWorstCounty = 0.8;
// Of the peers, as shares of missed_value_fen.
constexpr std::pair<std::string_view, const char*> kStrengths[] = {{"fixed_boost", "0.1"},
                                                                   {"pid", "0.5"}};
// Constant prices, and counties as fair as can be.
constexpr const char* kTeacher[] = {"prices.law=fixed_boost", "prices.law_strength=0.06",
                                    "prices.fairness_alpha=4", "prices.fairness_lambda_fen=0.2"};

// Defaults, but for what a recorded day needs: which items are popular is found by the wall's
// clock, and a day is to be the same each time.
Result<EngineOptions> options_of(const std::vector<std::string>& settings) {
  EngineOptions options;
  ConfigErrors errors;
  const auto set = [&](const std::string& setting) { set_engine_option(setting, options, errors); };
  set("clock=caller");
  set("calibration.score_kind=probability");
  set("retrieval.popular_pool=0");
  for (const std::string& setting : settings) set(setting);
  if (errors.empty()) return options;
  return Error{ErrorCode::kInvalid, errors.front().to_string()};
}

class DaySuite {
 public:
  DaySuite(const DayPlan& plan, std::vector<std::string> laws, std::vector<std::string> settings,
           const SuiteProgress& progress)
      : plan_(plan), laws_(std::move(laws)), settings_(std::move(settings)), progress_(progress) {}

  Result<SuiteReport> run() {
    for (const std::string& law : laws_) {
      const Result<EngineOptions> known = options_of(settings_of(law));
      if (!known.ok()) return known.error();
    }
    programs_ = day_programs(plan_);
    catalogue_ = day_catalogue(plan_, programs_);
    set_teacher_goals(plan_, programs_);
    const Result<DayResult> teacher = day(with(kTeacher));
    if (!teacher.ok()) return teacher.error();
    std::vector<double> delivered;
    for (const DayResult::Goal& goal : teacher.value().goals) delivered.push_back(goal.delivered);
    set_goals(plan_, delivered, programs_);
    SuiteTable table = empty_table();
    table.rows.push_back(row("(teacher)", teacher.value()));
    SuiteReport report;
    SuiteTable missed{"missed",
                      "goals that were missed or passed by too much",
                      {"law", "program", "unit", "goal", "delivered"},
                      {}};
    for (const std::string& law : laws_) {
      const Result<DayResult> result = day(settings_of(law));
      if (!result.ok()) return result.error().within(law);
      table.rows.push_back(row(law, result.value()));
      list_missed(law, result.value(), missed);
      if (law == kShipped) report.met = met(result.value());
    }
    report.suite = "allocation-day";
    report.notes.push_back("seed " + std::to_string(plan_.seed) + ", " +
                           std::to_string(plan_.programs) + " programs, " +
                           std::to_string(plan_.counties) + " counties; peers: law_strength 0.1 " +
                           "(fixed_boost), 0.5 (pid)");
    report.tables.push_back(std::move(table));
    if (!missed.rows.empty()) report.tables.push_back(std::move(missed));
    return report;
  }

 private:
  Result<DayResult> day(const std::vector<std::string>& settings) {
    const Result<EngineOptions> options = options_of(settings);
    if (!options.ok()) return options.error();
    std::vector<std::pair<std::string, std::string>> files;
    for (const DayProgram& program : programs_) {
      files.emplace_back(program.id + ".yaml", program_yaml(program));
    }
    auto engine = DayEngine::open(options.value(), files, catalogue_);
    if (!engine.ok()) return engine.error();
    const auto done = static_cast<double>(days_++), all = static_cast<double>(laws_.size() + 1);
    DayRun run(plan_, programs_, [&](double share) { progress_((done + share) / all); });
    return run.run(*engine.value());
  }

  std::vector<std::string> with(std::span<const char* const> more) const {
    std::vector<std::string> settings = settings_;
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
  }
  std::vector<std::string> settings_of(const std::string& law) const {
    std::vector<std::string> settings = settings_;
    settings.push_back("prices.law=" + law);
    for (const auto& [name, strength] : kStrengths) {
      if (name == law) settings.push_back(std::string("prices.law_strength=") + strength);
    }
    return settings;
  }

  bool over(const DayResult::Goal& goal) const {
    return goal.delivered > goal.target + std::max(3.0, 0.005 * goal.target);
  }
  size_t goals_met(const DayResult& result) const {
    return static_cast<size_t>(std::ranges::count_if(
        result.goals, [](const DayResult::Goal& goal) { return goal.delivered >= goal.target; }));
  }
  size_t goals_over(const DayResult& result) const {
    return static_cast<size_t>(
        std::ranges::count_if(result.goals, [this](const auto& goal) { return over(goal); }));
  }
  bool met(const DayResult& result) const {
    return goals_met(result) == programs_.size() && goals_over(result) == 0 &&
           result.caps_exceeded == 0 &&
           result.loss_worst <= EngineOptions().ranking.user_loss_budget &&
           DayResult::worst(result.weighted) >= kWorstCounty;
  }

  void list_missed(const std::string& law, const DayResult& result, SuiteTable& missed) const {
    for (size_t p = 0; p < programs_.size(); ++p) {
      const DayResult::Goal& goal = result.goals[p];
      if (goal.delivered >= goal.target && !over(goal)) continue;
      if (law != kShipped) continue;
      missed.rows.push_back({cell(law), cell(programs_[p].id),
                             cell(std::string(goal_unit_name(programs_[p].unit))),
                             cell(goal.target, 0), cell(goal.delivered, 0)});
    }
  }

  static SuiteTable empty_table() {
    return {"laws",
            "a day of each law; the teacher's gave the goals",
            {"law", "goals met", "of", "short, units %", "over", "caps exceeded",
             "loss, worst 10 min %", "windows", "worst county", "by views", "pages", "inserted",
             "degraded"},
            {}};
  }
  std::vector<SuiteCell> row(const std::string& law, const DayResult& result) const {
    double missed = 0, all = 0;
    for (const DayResult::Goal& goal : result.goals) {
      missed += std::max(0.0, goal.target - goal.delivered);
      all += goal.target;
    }
    return {cell(law),
            cell(static_cast<double>(goals_met(result)), 0),
            cell(static_cast<double>(programs_.size()), 0),
            cell(100 * missed / all, 2),
            cell(static_cast<double>(goals_over(result)), 0),
            cell(static_cast<double>(result.caps_exceeded), 0),
            cell(100 * result.loss_worst, 3),
            cell(static_cast<double>(result.windows), 0),
            cell(DayResult::worst(result.weighted), 3),
            cell(DayResult::worst(result.viewable), 3),
            cell(static_cast<double>(result.pages), 0),
            cell(static_cast<double>(result.inserted), 0),
            cell(static_cast<double>(result.degraded), 0)};
  }

  const DayPlan plan_;
  const std::vector<std::string> laws_, settings_;
  const SuiteProgress& progress_;
  std::string catalogue_;
  std::vector<DayProgram> programs_;
  int days_ = 0;
};

}  // namespace

Result<SuiteReport> evaluate_allocation_day(const SuiteInput& input,
                                            const SuiteProgress& progress) {
  DayPlan plan;
  plan.seed = input.seed;
  plan.pages = static_cast<int>(input.pages);
  plan.programs = static_cast<int>(input.programs);
  plan.counties = static_cast<int>(input.counties);
  plan.viewers = std::max(500, plan.pages / 25);
  return DaySuite(plan, input.laws, input.settings, progress).run();
}

}  // namespace shanhuo
