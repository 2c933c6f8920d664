// The books of all programs, used by price_controller.cc under its mutex: which goals there are,
// what was inserted for them, what their caps leave, and which traffic is theirs.
//
// Several goals of a program, and several programs of an item, each keep an account of their own:
// an exposure counts for every program that the answer names. Prices of all of them add; a cap of
// any of them forbids (allowed(), PriceTable); conflicts for a place resolve in the order of the
// ProgramSet: urgent, then priority, then id.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "features/state_machine.h"
#include "ranking/cause.h"
#include "ranking/goal_account.h"
#include "ranking/prices.h"
#include "ranking/request.h"
#include "ranking/resolve.h"
#include "ranking/traffic.h"

namespace shanhuo {

// One inserted item of an answer.
struct Reservation {
  Surface surface = Surface::kFeed;
  std::array<uint32_t, kProgramsPerItemMax> programs{};  // program_hash(); 0: none
  double p_viewable = 0;
  double p_click = 0;
  double p_order = 0;
  int32_t county = 0;  // of the item; 0: none
};

// Units delivered to a program in [from, to), by the fold's count (features/program_totals.h): the
// schedule of a total goal, a day (UTC+8) of a daily one. Asked for new goals in set_programs().
using DeliveredReader =
    std::function<double(const ProgramId& program, GoalUnit unit, Millis from, Millis to)>;

// What became of the pages that a program asked for, since it was first here. A checkpoint holds
// it; what was counted between the last one and a kill is missing.
struct Shortfall {
  Millis since{0};                                  // 0: never counted
  uint64_t inserted = 0;                            // items in answers
  std::array<uint64_t, kShortfallCauses> causes{};  // pages without it, by Cause
  std::array<double, kShortfallCauses> lost{};      // viewable units that these cost

  // value := since i64 | inserted varint | { cause u8 | pages varint | units f64 }*
  std::string encode() const;
  [[nodiscard]] bool decode(std::string_view in);
};

class PacingBooks {
 public:
  struct Book {
    explicit Book(TrafficCurve c) : curve(std::move(c)) {}

    std::shared_ptr<const Program> program;
    std::vector<GoalAccount> goals;
    TrafficCurve curve;  // expected requests an hour that the program asks for
    AudienceShare audience;
    Shortfall counts;
    uint64_t requests_stepped = 0;  // of its surfaces, at the last step
    uint64_t requests_noted = 0;    // of its surfaces, at the last minute
    uint64_t asked = 0;             // since the last minute
    bool asks = true;               // it ran below its caps all that minute
    bool fresh = true;              // has not seen a step
  };

  PacingBooks(const GoalAccount::Rules& rules, double first_price_share)
      : rules_(rules), first_price_share_(first_price_share) {}

  // Takes over a new set. Goals that stay the same keep their state; new ones take over what a
  // checkpoint, or a program of that name that was here before, left; their delivered units are
  // read from `delivered`.
  void take_over(const ProgramSet& set, const DeliveredReader& delivered,
                 const TrafficLearner& traffic, Millis now);

  // A new minute.
  void advance(const TrafficLearner& traffic, Millis now, bool keep_buckets);
  void step(const PriceLaw& law, const TrafficLearner& traffic, const LawStep& all, Millis now);

  // Whether no cap forbids an answer with these insertions.
  bool allowed(std::span<const Reservation> insertions) const;
  // Counts the insertions of one answer, and which programs asked for it. `fresh`: now, and not
  // read from the log of decisions.
  void count(std::span<const Reservation> insertions, std::span<const MissedProgram> missed,
             Millis at, bool fresh);
  // Units that arrived (1) or were taken back (-1).
  void deliver(uint32_t program, GoalUnit unit, Millis ts, Millis issued_at, double units);

  // The program's line of a table: the prices of its goals that want exposure, what caps leave.
  ProgramPrice price(size_t index) const;

  // Goals that re-solving may price: running ones below their aim whose traffic is known.
  std::vector<ResolveGoal> open_goals() const;
  // Moves the prices of those towards `prices`, each by at most `share` of itself.
  void move_towards(std::span<const ResolveGoal> goals, std::span<const double> prices,
                    double share);

  const std::vector<Book>& books() const { return books_; }

  // All records of a checkpoint; erases those of programs that are gone.
  //   "prj" id 0x00 unit per share ordinal (a digit each) := a goal (goal_account.h)
  //   "prp" id := the program's AudienceShare    "prs" id := its Shortfall
  void encode(std::vector<std::pair<std::string, std::string>>& records, StateWriter& writer);
  // One record, kept until take_over() meets its program. False: the bytes do not hold.
  [[nodiscard]] bool decode(std::string_view key, std::string_view value);

 private:
  void add_goals(Book& book, std::vector<GoalAccount> before, const DeliveredReader& delivered,
                 Millis now);
  GoalAccount new_goal(const Book& book, const Goal& goal, const std::string& key,
                       const DeliveredReader& delivered, Millis now);
  void keep(const Book& book);
  Book* find(uint32_t program);

  const GoalAccount::Rules rules_;
  const double first_price_share_;
  std::vector<Book> books_;                            // as the set's programs
  std::unordered_map<uint32_t, size_t> by_hash_;       // program_hash -> index
  std::unordered_map<std::string, std::string> kept_;  // records without a program, by key
  std::vector<std::string> gone_;                      // keys to erase from the checkpoint
  int64_t minutes_ = 0;
};

}  // namespace shanhuo
