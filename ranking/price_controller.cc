// One step, in order: expired reservations fall out, the law moves each goal's price by what was
// inserted since the last step against what was due, nu follows the viewers' loss, the table goes
// out. Tested by: tests/ranking_price_controller_test.cc, which closes the loop with viewers who
// see 60 % of what is inserted, minutes later.
#include "ranking/price_controller.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <unordered_map>

#include "base/check.h"
#include "ranking/goal_account.h"
#include "ranking/loss_window.h"

namespace shanhuo {
namespace {

constexpr std::string_view kPrefix = "pr";
constexpr std::string_view kViewerKey = "prv";  // nu; a goal's key starts with "prg"

std::string goal_key(const ProgramId& program, size_t goal) {
  return std::string(kPrefix) + "g" + program.str() + '\0' + std::to_string(goal);
}

std::string encode_price(double price) {
  return {reinterpret_cast<const char*>(&price), sizeof(price)};
}

}  // namespace

struct PriceController::State {
  State(const PriceControllerOptions& o, std::unique_ptr<PriceLaw> l)
      : options(o), law(std::move(l)), traffic(o.hourly_traffic), window(o.loss_window) {}

  struct ProgramBooks {
    std::shared_ptr<const Program> program;
    std::vector<GoalAccount> goals;
    uint64_t inserted = 0;
    std::array<uint64_t, kShortfallCauses> causes{};
  };

  const PriceControllerOptions options;
  const std::unique_ptr<PriceLaw> law;
  const TrafficCurve traffic;

  std::shared_ptr<const ProgramSet> set;
  std::vector<ProgramBooks> books;                   // as set->programs
  std::unordered_map<uint32_t, size_t> by_hash;      // program_hash -> index
  std::map<std::string, double> restored;            // goal_key -> price, until its program comes
  std::array<double, kSurfaces> surface_inserted{};  // since the start, for goals of shares
  Millis now{INT64_MIN};
  Millis stepped{INT64_MIN};
  LossWindow window;
  PageLoss since_step;
  double nu = 0;
  uint64_t version = 0;

  StateWriter* writer = nullptr;
  std::vector<std::pair<std::string, std::string>> frozen;  // still to write

  // Engine time that never goes back; a first call at any time.
  Millis advance(Millis t) {
    if (t <= now) return now;
    const bool minute =
        now.count() == INT64_MIN || window_of(t, kMinute) != window_of(now, kMinute);
    now = t;
    if (!minute) return now;
    window.advance(now);
    for (ProgramBooks& book : books) {
      for (GoalAccount& goal : book.goals) goal.advance(now);
    }
    return now;
  }

  static double expected(GoalUnit unit, const Reservation& r) {
    switch (unit) {
      case GoalUnit::kViewable:
        return r.p_viewable;
      case GoalUnit::kClick:
        return r.p_viewable * r.p_click;
      case GoalUnit::kOrder:
        return r.p_viewable * r.p_order;
    }
    return 0;
  }
  static bool is_share(const Goal& goal) { return goal.share_of != Surface::kNone; }

  // Insertions that the program's caps leave now.
  int64_t insertions_left(const ProgramBooks& book) const {
    int64_t left = 1'000'000;
    for (const GoalAccount& goal : book.goals) {
      if (!is_share(goal.goal())) {
        left = std::min(left, goal.insertions_left());
      } else if (goal.goal().at_most > 0) {
        const double all = surface_inserted[static_cast<size_t>(goal.goal().share_of)];
        const double room = goal.goal().at_most * (all + 1) + 1 - goal.state.delivered;
        left = std::min(left, std::max<int64_t>(0, static_cast<int64_t>(std::floor(room))));
      }
    }
    return left;
  }

  void count(const Reservation& r, Millis at, bool fresh) {
    if (fresh) surface_inserted[static_cast<size_t>(r.surface)] += 1;
    for (const uint32_t hash : r.programs) {
      const auto found = by_hash.find(hash);
      if (hash == 0 || found == by_hash.end()) continue;
      ProgramBooks& book = books[found->second];
      book.inserted += fresh ? 1 : 0;
      for (GoalAccount& goal : book.goals) {
        if (is_share(goal.goal())) {
          if (fresh && goal.goal().share_of == r.surface) goal.state.delivered += 1;
          continue;
        }
        goal.reserve(expected(goal.goal().unit, r), at, fresh);
      }
    }
  }

  bool allowed(std::span<const Reservation> insertions) const {
    std::unordered_map<size_t, int64_t> named;
    for (const Reservation& r : insertions) {
      for (const uint32_t hash : r.programs) {
        const auto found = by_hash.find(hash);
        if (hash != 0 && found != by_hash.end()) ++named[found->second];
      }
    }
    return std::all_of(named.begin(), named.end(), [this](const auto& entry) {
      return entry.second <= insertions_left(books[entry.first]);
    });
  }

  // A goal that is a share of a surface's insertions: the price follows the deficit in units.
  void step_share_goal(GoalAccount& goal) const {
    const double all = surface_inserted[static_cast<size_t>(goal.goal().share_of)];
    const double due = goal.goal().at_least * all;
    GoalState& state = goal.state;
    const double move = 0.05 * (due - state.delivered) / std::max(10.0, due);
    state.price =
        std::clamp(state.price + move * state.missed_value_fen, 0.0, state.missed_value_fen);
  }

  void step_goals() {
    for (ProgramBooks& book : books) {
      if (!book.program->runs_at(now)) continue;
      for (GoalAccount& goal : book.goals) {
        if (is_share(goal.goal())) {
          step_share_goal(goal);
          continue;
        }
        goal.advance(now);
        goal.state.curve_now = goal.curve(traffic, now);
        law->step(goal.state, goal.curve_before);
        goal.curve_before = goal.state.curve_now;
        goal.state.inserted_expected = 0;
      }
    }
  }

  void step_viewer_price() {
    if (since_step.organic_fen > 0) {
      const double over = since_step.loss_fen / since_step.organic_fen - options.user_loss_budget;
      nu = std::clamp(nu + options.viewer_price_step * over, 0.0, options.viewer_price_max);
    }
    since_step = {};
  }

  // nu, and above 80 % of the budget in the window a brake that grows to the maximum at 100 %.
  double braked() const {
    if (options.user_loss_budget <= 0) return options.viewer_price_max;
    const double over = (window.ratio() / options.user_loss_budget - 0.8) / 0.2;
    const double brake = std::clamp(over, 0.0, 1.0);
    return std::min(options.viewer_price_max, nu + brake * brake * options.viewer_price_max);
  }
};

PriceController::PriceController(const PriceControllerOptions& options,
                                 std::unique_ptr<PriceLaw> law)
    : state_(std::make_unique<State>(options, std::move(law))),
      published_(std::make_shared<PriceTable>()) {
  state_->set = std::make_shared<ProgramSet>();
}

PriceController::~PriceController() = default;

void PriceController::set_programs(std::shared_ptr<const ProgramSet> programs,
                                   const DeliveredReader& delivered, Millis now) {
  const std::lock_guard lock(mutex_);
  State& s = *state_;
  s.advance(now);
  const GoalAccount::Rules rules{s.options.reservation, s.options.finish_early,
                                 s.options.finish_early_share};
  std::vector<State::ProgramBooks> books;
  for (const auto& program : programs->programs) {
    State::ProgramBooks book;
    const auto old = s.by_hash.find(program_hash(program->id.view()));
    if (old != s.by_hash.end()) book = std::move(s.books[old->second]);
    book.program = program;
    std::vector<GoalAccount> before = std::move(book.goals);
    book.goals.clear();
    for (size_t g = 0; g < program->goals.size(); ++g) {
      const Goal& goal = program->goals[g];
      if (g < before.size() && before[g].goal().unit == goal.unit &&
          before[g].goal().per == goal.per && before[g].goal().share_of == goal.share_of) {
        before[g].update(*program, goal);
        book.goals.push_back(std::move(before[g]));
        continue;
      }
      GoalAccount account(*program, goal, rules);
      account.advance(s.now);
      if (!State::is_share(goal)) {
        account.state.delivered =
            delivered(program->id, goal.unit, account.period_start(), account.period_end());
      }
      account.curve_before = account.state.curve_now = account.curve(s.traffic, s.now);
      const auto price = s.restored.find(goal_key(program->id, g));
      account.state.price = price != s.restored.end()
                                ? std::min(price->second, goal.missed_value_fen)
                                : s.options.first_price_share * goal.missed_value_fen;
      book.goals.push_back(std::move(account));
    }
    books.push_back(std::move(book));
  }
  s.books = std::move(books);
  s.set = std::move(programs);
  s.by_hash.clear();
  for (size_t i = 0; i < s.books.size(); ++i) {
    s.by_hash.emplace(program_hash(s.books[i].program->id.view()), i);
  }
  publish();
}

void PriceController::publish() {
  State& s = *state_;
  auto table = std::make_shared<PriceTable>();
  table->version = ++s.version;
  table->viewer_price = s.braked();
  table->user_loss_budget = s.options.user_loss_budget;
  table->programs_version = s.set->version;
  table->programs.resize(s.books.size());
  for (size_t i = 0; i < s.books.size(); ++i) {
    ProgramPrice& price = table->programs[i];
    for (const GoalAccount& goal : s.books[i].goals) {
      if (!State::is_share(goal.goal()) && !goal.wants() && goal.state.price > 0) continue;
      double& sum = goal.goal().unit == GoalUnit::kViewable ? price.fen_per_unit
                    : goal.goal().unit == GoalUnit::kClick  ? price.fen_per_click
                                                            : price.fen_per_order;
      sum += goal.state.price;
    }
    price.insertions_left = s.insertions_left(s.books[i]);
    price.exhausted = price.insertions_left == 0;
  }
  published_.set(std::move(table));
}

bool PriceController::reserve(std::span<const Reservation> insertions, const PageLoss& loss,
                              std::span<const MissedProgram> missed, Millis now) {
  const std::lock_guard lock(mutex_);
  State& s = *state_;
  const Millis at = s.advance(now);
  if (!s.allowed(insertions)) {
    publish();
    return false;
  }
  for (const Reservation& insertion : insertions) s.count(insertion, at, true);
  s.window.add(at, loss);
  s.since_step.organic_fen += loss.organic_fen;
  s.since_step.loss_fen += loss.loss_fen;
  for (const MissedProgram& miss : missed) {
    const auto cause = static_cast<size_t>(miss.cause);
    if (static_cast<size_t>(miss.program) < s.books.size() && cause < kShortfallCauses) {
      ++s.books[miss.program].causes[cause];
    }
  }
  return true;
}

void PriceController::replay(std::span<const Reservation> insertions, Millis issued_at) {
  const std::lock_guard lock(mutex_);
  for (const Reservation& insertion : insertions) state_->count(insertion, issued_at, false);
}

void PriceController::observe(uint32_t program, GoalUnit unit, Millis ts, Millis issued_at) {
  const std::lock_guard lock(mutex_);
  const auto found = state_->by_hash.find(program);
  if (found == state_->by_hash.end()) return;
  for (GoalAccount& goal : state_->books[found->second].goals) {
    if (goal.goal().unit == unit && !State::is_share(goal.goal())) goal.deliver(ts, issued_at, 1);
  }
}

void PriceController::withdraw(uint32_t program, GoalUnit unit, Millis ts) {
  const std::lock_guard lock(mutex_);
  const auto found = state_->by_hash.find(program);
  if (found == state_->by_hash.end()) return;
  for (GoalAccount& goal : state_->books[found->second].goals) {
    if (goal.goal().unit == unit && !State::is_share(goal.goal())) goal.deliver(ts, ts, -1);
  }
}

bool PriceController::step(Millis now) {
  const std::lock_guard lock(mutex_);
  State& s = *state_;
  const Millis at = s.advance(now);
  if (s.stepped.count() != INT64_MIN && at - s.stepped < s.options.step) return false;
  s.stepped = at;
  s.step_goals();
  s.step_viewer_price();
  publish();
  return true;
}

std::vector<ProgramStatus> PriceController::status(Millis now) const {
  const std::lock_guard lock(mutex_);
  const State& s = *state_;
  const Millis at = std::max(now, s.now);
  std::vector<ProgramStatus> all;
  for (const State::ProgramBooks& book : s.books) {
    ProgramStatus status;
    status.id = book.program->id.str();
    status.inserted = book.inserted;
    status.causes = book.causes;
    for (const GoalAccount& account : book.goals) {
      status.goals.push_back(
          goal_status(account, s.traffic, at,
                      s.surface_inserted[static_cast<size_t>(account.goal().share_of)]));
    }
    all.push_back(std::move(status));
  }
  return all;
}

double PriceController::user_loss_ratio() const {
  const std::lock_guard lock(mutex_);
  return state_->window.ratio();
}

void PriceController::begin_checkpoint(StateWriter& writer) {
  const std::lock_guard lock(mutex_);
  State& s = *state_;
  s.writer = &writer;
  s.frozen.clear();
  s.frozen.emplace_back(std::string(kViewerKey), encode_price(s.nu));
  for (const State::ProgramBooks& book : s.books) {
    for (size_t g = 0; g < book.goals.size(); ++g) {
      s.frozen.emplace_back(goal_key(book.program->id, g), encode_price(book.goals[g].state.price));
    }
  }
}

bool PriceController::checkpoint_step(size_t records_max) {
  const std::lock_guard lock(mutex_);
  State& s = *state_;
  for (size_t i = 0; i < records_max && !s.frozen.empty(); ++i) {
    s.writer->put(s.frozen.back().first, s.frozen.back().second);
    s.frozen.pop_back();
  }
  if (s.frozen.empty()) s.writer = nullptr;
  return s.frozen.empty();
}

Status PriceController::restore(const StateReader& reader) {
  const std::lock_guard lock(mutex_);
  State& s = *state_;
  return reader.scan(kPrefix, [&](std::string_view key, std::string_view value) -> Status {
    double price = 0;
    if (value.size() != sizeof(price)) {
      return Error{ErrorCode::kCorrupt,
                   "price record of " + std::to_string(value.size()) + " bytes, 8 are expected"};
    }
    std::memcpy(&price, value.data(), sizeof(price));
    if (!std::isfinite(price)) return Error{ErrorCode::kCorrupt, "price record is not finite"};
    if (key == kViewerKey) {
      s.nu = std::clamp(price, 0.0, s.options.viewer_price_max);
    } else {
      s.restored[std::string(key)] = price;
    }
    return {};
  });
}

}  // namespace shanhuo
