// One step, in order: expired reservations fall out, the law moves each goal's price by what was
// inserted since the last step against what was due, nu follows the viewers' loss, the table goes
// out. Steps are due in engine time: whoever comes first, a request or the upkeep, takes them, so
// that a recorded day runs through as many steps at any speed. Tested by:
// tests/ranking_price_controller_test.cc, which closes the loop with viewers who see 60 % of what
// is inserted, minutes later; tests/ranking_pacing_test.cc; tests/serving_evaluate_day_test.cc.
#include "ranking/price_controller.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr std::string_view kPrefix = "pr";
constexpr std::string_view kViewerKey = "prv", kTrafficKey = "prt", kWelfareKey = "prw";
constexpr std::string_view kTriedKey = "prn";
constexpr double kLossAim = 0.85;       // of eps: what nu steers for, below what the account pays
constexpr double kPagesPerMove = 100;   // nu moves by viewer_price_step while so many pages cost 2x
constexpr double kReopened = 0.5;       // how full the account is again before losses go on
constexpr double kBraked = 0.5;         // below so full, nu rises towards its bound
constexpr Millis kWelfareStep{10'000};  // between two tables of county prices

std::shared_ptr<const FestivalCalendar> calendar_of(const std::string& festivals) {
  Result<FestivalCalendar> calendar = read_festivals(festivals);
  CHECK(calendar.ok());
  if (calendar.value().empty()) return nullptr;
  return std::make_shared<const FestivalCalendar>(std::move(calendar).value());
}

}  // namespace

struct PriceController::State {
  State(const PriceControllerOptions& o, std::unique_ptr<PriceLaw> l)
      : options(o),
        law(std::move(l)),
        traffic(o.hourly_traffic, calendar_of(o.festivals)),
        books({o.reservation, o.finish_early, o.finish_early_share}, o.first_price_share),
        welfare(o.welfare),
        window(o.loss_window),
        account(o.user_loss_budget),
        tried(o.explore_new_budget) {}

  const PriceControllerOptions options;
  const std::unique_ptr<PriceLaw> law;

  std::shared_ptr<const ProgramSet> set;
  TrafficLearner traffic;
  PacingBooks books;
  CountyWelfare welfare;
  std::shared_ptr<const CountyPrices> counties;
  Millis counties_made{INT64_MIN};
  Millis now{INT64_MIN};
  Millis stepped{INT64_MIN};
  Millis resolved{INT64_MIN};
  bool replaying = true;  // before the first step: decisions of before a restart are being read
  LossWindow window;
  LossAccount account;
  bool lossless = false;  // the account was empty and is not half full again
  LossAccount tried;      // what new items may cost
  bool tries_new = true;  // false: as lossless, of that account
  PageLoss since_step;
  uint64_t pages_since_step = 0;
  double pages = 0;  // that steps have seen
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
    traffic.advance(now);
    books.advance(traffic, now, replaying);
    return now;
  }

  void step() {
    replaying = false;
    stepped = now;
    pages += static_cast<double>(pages_since_step);
    const double share =
        since_step.organic_fen > 0 ? since_step.loss_fen / since_step.organic_fen : 0;
    books.step(*law, traffic,
               {.requests = pages, .loss_share = share, .loss_budget = options.user_loss_budget},
               now);
    pages_since_step = 0;
    step_viewer_price();
    if (counties_made.count() == INT64_MIN || now - counties_made >= kWelfareStep) {
      counties = welfare.table();
      counties_made = now;
    }
  }

  // By what was lost too much, in pages' worth of the budget: the same for any length of a step.
  void step_viewer_price() {
    const double budget = options.user_loss_budget;
    if (since_step.organic_fen > 0 && budget > 0 && account.mean_page_fen() > 0) {
      const double over = since_step.loss_fen - kLossAim * budget * since_step.organic_fen;
      const double pages = over / (budget * account.mean_page_fen());
      nu = std::clamp(nu + options.viewer_price_step * pages / kPagesPerMove, 0.0,
                      options.viewer_price_max);
    }
    since_step = {};
  }

  // nu; while the account runs low, with a brake that grows to the bound; above all when it is
  // empty.
  double viewer_price() const {
    if (options.user_loss_budget <= 0 || lossless) return kLosslessPrice;
    const double brake = std::clamp((kBraked - account.filled()) / kBraked, 0.0, 1.0);
    return std::min(options.viewer_price_max, nu + brake * brake * options.viewer_price_max);
  }
};

PriceController::PriceController(const PriceControllerOptions& options,
                                 std::unique_ptr<PriceLaw> law)
    : state_(std::make_unique<State>(options, std::move(law))),
      published_(std::make_shared<PriceTable>()),
      resolver_(options.resolve) {
  state_->set = std::make_shared<ProgramSet>();
}

PriceController::~PriceController() = default;

void PriceController::set_programs(std::shared_ptr<const ProgramSet> programs,
                                   const DeliveredReader& delivered, Millis now) {
  const std::lock_guard lock(mutex_);
  State& s = *state_;
  s.advance(now);
  s.books.take_over(*programs, delivered, s.traffic, s.now);
  s.set = std::move(programs);
  publish();
}

void PriceController::publish() {
  State& s = *state_;
  auto table = std::make_shared<PriceTable>();
  table->version = ++s.version;
  table->viewer_price = s.viewer_price();
  table->user_loss_budget = s.options.user_loss_budget;
  table->programs_version = s.set->version;
  table->counties = s.counties;
  table->tries_new = s.tries_new;
  table->programs.reserve(s.books.books().size());
  for (size_t i = 0; i < s.books.books().size(); ++i) {
    ProgramPrice price = s.books.price(i);
    if (price.fairness > 0) price.fairness = s.welfare.factor(price.fairness);
    table->programs.push_back(price);
  }
  published_.set(std::move(table));
}

bool PriceController::reserve(std::span<const Reservation> insertions, const PageLoss& page,
                              std::span<const MissedProgram> missed, Millis now) {
  const std::lock_guard lock(mutex_);
  State& s = *state_;
  const Millis at = s.advance(now);
  const PageLoss tried{page.organic_fen, page.tried_fen};
  const bool paid = s.account.pays(page), tries = s.tried.pays(tried);
  if (!paid || !tries || !s.books.allowed(insertions)) {
    s.lossless = s.lossless || !paid;
    s.tries_new = s.tries_new && tries;
    publish();
    return false;
  }
  s.traffic.count(page.surface, at);
  s.welfare.request(at);
  for (const Reservation& insertion : insertions) {
    s.welfare.expose(insertion.county, insertion.p_viewable, at);
  }
  s.books.count(insertions, missed, at, true);
  s.window.add(at, page);
  s.account.add(page);
  s.tried.add(tried);
  ++s.pages_since_step;
  s.since_step.organic_fen += page.organic_fen;
  s.since_step.loss_fen += page.loss_fen;
  bool reopened = s.lossless && s.account.filled() >= kReopened;
  if (reopened) s.lossless = false;
  if (!s.tries_new && s.tried.filled() >= kReopened) reopened = s.tries_new = true;
  const bool overdue = s.stepped.count() != INT64_MIN && at - s.stepped >= s.options.step;
  if (overdue) s.step();
  if (overdue || reopened) publish();
  return true;
}

void PriceController::replay(std::span<const Reservation> insertions, Millis issued_at) {
  const std::lock_guard lock(mutex_);
  state_->books.count(insertions, {}, issued_at, false);
}

void PriceController::observe(uint32_t program, GoalUnit unit, Millis ts, Millis issued_at) {
  const std::lock_guard lock(mutex_);
  state_->books.deliver(program, unit, ts, issued_at, 1);
}

void PriceController::withdraw(uint32_t program, GoalUnit unit, Millis ts) {
  const std::lock_guard lock(mutex_);
  state_->books.deliver(program, unit, ts, ts, -1);
}

bool PriceController::step(Millis now) {
  const std::lock_guard lock(mutex_);
  State& s = *state_;
  const Millis at = s.advance(now);
  if (s.stepped.count() != INT64_MIN && at - s.stepped < s.options.step) return false;
  s.step();
  publish();
  return true;
}

bool PriceController::resolve(Millis now) {
  std::vector<ResolveGoal> goals;
  double nu = 0;
  {
    const std::lock_guard lock(mutex_);
    State& s = *state_;
    const Millis at = s.advance(now), period = s.options.resolve.period;
    if (!s.law->may_resolve() || period.count() <= 0 || s.lossless) return false;
    if (s.resolved.count() != INT64_MIN && at - s.resolved < period) return false;
    s.resolved = at;
    goals = s.books.open_goals();
    nu = s.viewer_price();
  }
  const std::vector<double> prices = resolver_.solve(goals, nu);
  if (prices.empty()) return false;
  const std::lock_guard lock(mutex_);
  state_->books.move_towards(goals, prices, state_->options.resolve.move_share);
  publish();
  return true;
}

std::vector<ProgramStatus> PriceController::status(Millis now) const {
  const std::lock_guard lock(mutex_);
  const State& s = *state_;
  const Millis at = std::max(now, s.now);
  std::vector<ProgramStatus> all;
  for (const PacingBooks::Book& book : s.books.books()) {
    ProgramStatus status;
    status.id = book.program->id.str();
    status.counts = book.counts;
    for (const GoalAccount& account : book.goals) {
      status.goals.push_back(goal_status(account, book.curve, at, account.surface_inserted()));
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
  std::string viewers;
  put_fixed(&viewers, s.nu);
  s.account.encode(&viewers);
  put_fixed(&viewers, s.now.count());
  s.frozen.emplace_back(kViewerKey, std::move(viewers));
  std::string traffic, welfare, tried;
  s.tried.encode(&tried);
  s.frozen.emplace_back(kTriedKey, std::move(tried));
  s.traffic.encode(&traffic);
  s.welfare.encode(&welfare);
  s.frozen.emplace_back(kTrafficKey, std::move(traffic));
  s.frozen.emplace_back(kWelfareKey, std::move(welfare));
  s.books.encode(s.frozen, writer);
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
    const auto empty = [&value](bool good) { return good && value.empty(); };
    bool good = true;
    int64_t now = 0;
    if (key == kViewerKey) {
      good = take_fixed(&value, &s.nu) && std::isfinite(s.nu) && s.account.decode(&value) &&
             take_fixed(&value, &now) && value.empty();
      s.nu = std::clamp(s.nu, 0.0, s.options.viewer_price_max);
      s.now = Millis(now);
    } else if (key == kTriedKey) {
      good = empty(s.tried.decode(&value));
    } else if (key == kTrafficKey) {
      good = empty(s.traffic.decode(&value));
    } else if (key == kWelfareKey) {
      good = empty(s.welfare.decode(&value));
    } else {
      good = s.books.decode(key, value);
    }
    if (good) return {};
    return Error{ErrorCode::kCorrupt, "prices: a malformed record of the checkpoint"};
  });
}

}  // namespace shanhuo
