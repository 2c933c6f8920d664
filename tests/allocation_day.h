// One day of requests against a PriceController, without a process: programs of every kind, viewers
// who see part of what is inserted minutes later, bursts, an outage. Everything follows from a
// seed.
//
// Feasible goals by construction: the same requests are first answered by a teacher with constant
// prices that spends part of the loss budget; goals are a share of what that delivered.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "ranking/price_controller.h"

namespace shanhuo {

struct DayPlan {
  uint64_t seed = 1;
  int programs = 40, counties = 100, requests = 40'000;
  int items_per_county = 4;
  int candidates = 24;        // of a request
  double feasible = 0.9;      // goals as a share of what the teacher delivered, less two deviations
  double local_share = 0.35;  // of that, for programs of a few counties
  double teacher_share = 0.03;  // of p_j: its prices
  double teacher_nu = 5;
  bool bursts = true, outage = true;
  double alpha = 4, lambda_fen = 0.2;
  double budget = 0.02;
  Millis resolve{300'000};
};

struct DayProgram {
  std::string id;
  bool national = false;  // every county's items, treated fairly; else those of a few counties
  bool night = false;     // an audience that is there at night
  GoalUnit unit = GoalUnit::kViewable;
  std::vector<uint8_t> has;  // per county
  double delivered = 0;
};

struct DayResult {
  std::vector<ProgramStatus> programs;
  std::vector<double> county_exposures;  // viewable ones
  double loss_share = 0, worst_run = 0;  // of the day; of any 1,000 requests in a row
  int refused = 0;
  uint64_t inserted = 0;
};

class AllocationDay {
 public:
  static constexpr Millis kStart{1'789'833'600'000};  // 2026-09-20 00:00 UTC+8
  static constexpr int kSlots = 20;
  static constexpr double kMissedFen = 3;

  explicit AllocationDay(const DayPlan& plan) : plan_(plan) {
    make_programs();
    make_times();
    std::vector<double> prices(programs_.size(), plan_.teacher_share * kMissedFen);
    std::mt19937_64 random(plan_.seed * 77);
    for (double& price : prices) price *= 0.5 + uniform(random);
    teach(prices);
  }

  // Goals as a set of programs; with hard caps at the most that may be delivered over.
  std::shared_ptr<const ProgramSet> programs(double goals = 1) const {
    auto set = std::make_shared<ProgramSet>();
    for (const DayProgram& p : programs_) {
      auto program = std::make_shared<Program>();
      program->id = ProgramId(p.id);
      program->start = kStart;
      program->end = kStart + kDay;
      program->surfaces.fill(true);
      program->fairness_by_county = p.national;
      const double share = p.national ? plan_.feasible : plan_.feasible * plan_.local_share;
      const double sure = share * p.delivered - 2 * std::sqrt(share * p.delivered);
      const double least = std::max(1.0, std::floor(goals * sure));
      const double most = least + std::max(3.0, std::floor(0.005 * least));
      program->goals.push_back(
          {p.unit, least, most, GoalPeriod::kTotal, Surface::kNone, missed_value(p.unit)});
      set->programs.push_back(std::move(program));
    }
    set->version = "day";
    return set;
  }

  static PriceControllerOptions options(const DayPlan& plan) {
    PriceControllerOptions options;
    options.resolve.period = plan.resolve;
    options.user_loss_budget = plan.budget;
    options.welfare.alpha = plan.alpha;
    options.welfare.lambda_fen = plan.lambda_fen;
    return options;
  }

  DayResult run(std::unique_ptr<PriceLaw> law, double goals = 1) {
    PriceControllerOptions controls = options(plan_);
    if (law->name() != "remaining_goal") controls.resolve.period = Millis(0);
    PriceController controller(controls, std::move(law));
    controller.set_programs(
        programs(goals), [](const ProgramId&, GoalUnit, Millis, Millis) { return 0.0; }, kStart);
    DayResult result;
    result.county_exposures.assign(plan_.counties, 0);
    std::mt19937_64 random(plan_.seed);
    std::vector<PageLoss> pages;
    for (const Millis now : times_) {
      arrive(controller, now, result);
      controller.step(now);
      controller.resolve(now);
      Page page = next_page(random, now);
      const auto table = controller.table();
      if (controller.resolver().wants(now)) controller.resolver().add(snapshot(page, *table), now);
      choose(page, *table);
      const bool good = answer(controller, page, now);
      result.refused += good ? 0 : 1;
      if (good) {
        pages.push_back({page.organic, page.loss});
        result.inserted += page.chosen.size();
      }
    }
    arrive(controller, kStart + kDay, result);
    controller.step(kStart + kDay);
    judge_losses(pages, result);
    result.programs = controller.status(kStart + kDay);
    return result;
  }

  // Share of a county in what all could get, by equal weights: nobody's supply is short here.
  double fair_share(const DayResult& result) const {
    double sum = 0;
    for (const double exposures : result.county_exposures) sum += exposures;
    return sum / static_cast<double>(plan_.counties);
  }

  const std::vector<DayProgram>& day_programs() const { return programs_; }

 private:
  struct Candidate {
    int county = 0;
    double p_click = 0, p_order = 0, value = 0;
    std::array<int, kProgramsPerItemMax> programs{-1, -1, -1, -1};
  };
  struct Chosen {
    int candidate = 0, slot = 0;
  };
  struct Page {
    std::vector<Candidate> candidates;
    std::array<double, kSlots> slide{};  // what the viewer loses if all from p on slide down
    double organic = 0, loss = 0;
    std::vector<Chosen> chosen;
    uint64_t fate = 0;  // seeds what becomes of it
  };
  struct Seen {
    Millis at, issued;
    uint32_t program;
    GoalUnit unit;
    int county;  // of a viewable one, told once; -1: another
    bool operator>(const Seen& other) const { return at > other.at; }
  };

  static double uniform(std::mt19937_64& random) {
    return static_cast<double>(random() >> 11) * 0x1p-53;
  }
  static double examine(int slot) {
    static const std::array<double, kSlots> kExamine = [] {
      std::array<double, kSlots> p{};
      for (int i = 0; i < kSlots; ++i) p[i] = 0.9 * std::pow(0.96, i);
      return p;
    }();
    return kExamine[slot];
  }
  static double missed_value(GoalUnit unit) {
    return unit == GoalUnit::kViewable ? kMissedFen
           : unit == GoalUnit::kClick  ? 20 * kMissedFen
                                       : 200 * kMissedFen;
  }
  static double rate(GoalUnit unit, const Candidate& c) {
    return unit == GoalUnit::kViewable ? 1 : unit == GoalUnit::kClick ? c.p_click : c.p_order;
  }

  void make_programs() {
    std::mt19937_64 random(plan_.seed * 31);
    const int national = std::max(2, plan_.programs / 5);
    for (int i = 0; i < plan_.programs; ++i) {
      DayProgram p;
      p.id = "program-" + std::to_string(1000 + i);
      p.national = i < national;
      p.night = !p.national && i % 7 == 5;
      if (!p.national && i % 10 == 6) p.unit = GoalUnit::kClick;
      if (!p.national && i % 10 == 9) p.unit = GoalUnit::kOrder;
      p.has.assign(plan_.counties, p.national ? 1 : 0);
      const int size = p.unit == GoalUnit::kViewable ? 3 : 12;
      for (int k = 0; !p.national && k < size; ++k) p.has[random() % plan_.counties] = 1;
      programs_.push_back(std::move(p));
    }
    std::vector<int> items(programs_.size(), 0);
    for (int c = 0; c < plan_.counties; ++c) {
      for (int k = 0; k < plan_.items_per_county; ++k) {
        Candidate item;
        item.county = c;
        item.p_click = 0.005 + 0.02 * uniform(random);
        item.p_order = item.p_click * 0.5;
        // Every other item is a local program's, where one has the county: of the one with the
        // fewest so far. Of the others, every second belongs to two national programs.
        int named = 0, fewest = -1;
        for (int p = national; p < plan_.programs && k % 2 == 1; ++p) {
          if (programs_[p].has[c] == 0) continue;
          if (fewest < 0 || items[p] < items[fewest]) fewest = p;
        }
        if (fewest >= 0) {
          ++items[fewest];
          item.programs[named++] = fewest;
        }
        if (named == 0) item.programs[named++] = (c + k) % national;
        if (k == 2 && named == 1) item.programs[named++] = (c + k + 1) % national;
        items_.push_back(item);
      }
    }
  }

  // Requests by a day's traffic, three bursts of ten minutes at six times it, half an hour of none.
  void make_times() {
    std::mt19937_64 random(plan_.seed * 13);
    std::vector<double> minute(24 * 60);
    for (int m = 0; m < 24 * 60; ++m) {
      const double hour = m / 60.0;
      minute[m] = 1 + 0.8 * std::sin((hour - 9) * M_PI / 12) + 0.5 * (hour > 19 && hour < 22);
      for (const int burst : {9 * 60 + 20, 15 * 60 + 40, 20 * 60 + 5}) {
        if (plan_.bursts && m >= burst && m < burst + 10) minute[m] *= 6;
      }
      if (plan_.outage && m >= 13 * 60 && m < 13 * 60 + 30) minute[m] = 0;
    }
    std::discrete_distribution<int> pick(minute.begin(), minute.end());
    for (int i = 0; i < plan_.requests; ++i) {
      const auto in_minute = static_cast<int64_t>(60'000 * uniform(random));
      times_.push_back(kStart + Millis(pick(random) * 60'000LL + in_minute));
    }
    std::sort(times_.begin(), times_.end());
  }

  Page next_page(std::mt19937_64& random, Millis now) const {
    Page page;
    const double worth = std::exp(0.3 * (uniform(random) + uniform(random) - 1));
    std::array<double, kSlots + 1> organic{};
    for (int r = 0; r < kSlots; ++r) organic[r] = 0.5 * worth * std::pow(0.93, r);
    double slide = 0;
    for (int p = kSlots - 1; p >= 0; --p) {
      slide += organic[p] * (examine(p) - (p + 1 < kSlots ? examine(p + 1) : 0));
      page.slide[p] = slide;
      page.organic += organic[p] * examine(p);
    }
    const int hour = day_hour(now);
    const bool night = uniform(random) < (hour < 8 || hour >= 22 ? 0.8 : 0.3);
    for (int k = 0; k < plan_.candidates; ++k) {
      Candidate c = items_[random() % items_.size()];
      c.p_click *= std::exp(0.8 * (uniform(random) + uniform(random) - 1));
      c.p_order = c.p_click * 0.5;
      c.value = 5 * c.p_click;
      for (int& p : c.programs) {
        if (p >= 0 && programs_[p].night && !night) p = -1;
      }
      page.candidates.push_back(c);
    }
    page.fate = random();
    return page;
  }

  // Up to three insertions, best first, at least four places apart, in places 2..19.
  template <typename Worth>
  void insert(Page& page, double nu, Worth&& worth) const {
    page.chosen.clear();
    page.loss = 0;
    struct Option {
      double gain, cost;
      Chosen chosen;
    };
    std::vector<Option> options;
    for (size_t i = 0; i < page.candidates.size(); ++i) {
      const double bonus = worth(page.candidates[i]);
      if (bonus <= -1) continue;
      for (int p = 2; p < kSlots; ++p) {
        const double cost = page.slide[p] - page.candidates[i].value * examine(p);
        const double gain = bonus * examine(p) - (1 + nu) * cost;
        if (gain > 0 && bonus > 0) options.push_back({gain, cost, {static_cast<int>(i), p}});
      }
    }
    std::sort(options.begin(), options.end(), [](const Option& a, const Option& b) {
      return a.gain != b.gain ? a.gain > b.gain
                              : std::pair(a.chosen.candidate, a.chosen.slot) <
                                    std::pair(b.chosen.candidate, b.chosen.slot);
    });
    for (const Option& option : options) {
      const bool fits =
          std::all_of(page.chosen.begin(), page.chosen.end(), [&](const Chosen& other) {
            return other.candidate != option.chosen.candidate &&
                   std::abs(other.slot - option.chosen.slot) > 4;
          });
      if (!fits || page.chosen.size() == 3) continue;
      page.chosen.push_back(option.chosen);
      page.loss += option.cost;
    }
  }

  void choose(Page& page, const PriceTable& table) const {
    insert(page, table.viewer_price, [&](const Candidate& c) {
      double bonus = 0, fairness = 0;
      bool any = false;
      for (const int p : c.programs) {
        if (p < 0) continue;
        const ProgramPrice& price = table.programs[p];
        if (price.exhausted) return -1.0;  // a cap of any of them forbids
        any = true;
        bonus +=
            price.fen_per_unit + price.fen_per_click * c.p_click + price.fen_per_order * c.p_order;
        fairness = std::max(fairness, price.fairness);
      }
      return any ? bonus + fairness * table.county_fen(c.county + 1) : -1.0;
    });
  }

  RequestSnapshot snapshot(const Page& page, const PriceTable& table) const {
    RequestSnapshot snapshot;
    snapshot.insertions_max = 3;
    for (size_t i = 0; i < page.candidates.size(); ++i) {
      const Candidate& c = page.candidates[i];
      double fairness = 0;
      SnapshotOption option;
      option.candidate = static_cast<int>(i);
      option.p_click = static_cast<float>(c.p_click);
      option.p_order = static_cast<float>(c.p_order);
      for (size_t k = 0; k < c.programs.size(); ++k) {
        if (c.programs[k] < 0) continue;
        option.programs[k] = program_hash(programs_[c.programs[k]].id);
        fairness = std::max(fairness, table.programs[c.programs[k]].fairness);
      }
      option.extra_fen = static_cast<float>(fairness * table.county_fen(c.county + 1));
      for (const int p : {2, 10, kSlots - 1}) {
        option.viewer_fen = static_cast<float>(c.value * examine(p) - page.slide[p]);
        option.examine = static_cast<float>(examine(p));
        snapshot.options.push_back(option);
      }
    }
    return snapshot;
  }

  bool answer(PriceController& controller, Page& page, Millis now) {
    std::vector<Reservation> reservations;
    for (int tries = 0; tries < 3; ++tries) {
      reservations.clear();
      for (const Chosen& chosen : page.chosen) {
        const Candidate& c = page.candidates[chosen.candidate];
        Reservation r;
        int named = 0;
        for (const int p : c.programs) {
          if (p >= 0) r.programs[named++] = program_hash(programs_[p].id);
        }
        r.p_viewable = examine(chosen.slot);
        r.p_click = c.p_click;
        r.p_order = c.p_order;
        r.county = c.county + 1;
        reservations.push_back(r);
      }
      if (controller.reserve(reservations, {page.organic, page.loss}, asked(page), now)) {
        become(page, now);
        return true;
      }
      choose(page, *controller.table());
    }
    page.chosen.clear();
    return false;
  }

  // Programs that ask for the page and are not on it.
  std::vector<MissedProgram> asked(const Page& page) const {
    std::vector<uint8_t> state(programs_.size(), 0);
    for (const Candidate& c : page.candidates) {
      for (const int p : c.programs) {
        if (p >= 0) state[p] = 1;
      }
    }
    for (const Chosen& chosen : page.chosen) {
      for (const int p : page.candidates[chosen.candidate].programs) {
        if (p >= 0) state[p] = 2;
      }
    }
    std::vector<MissedProgram> missed;
    for (size_t p = 0; p < state.size(); ++p) {
      if (state[p] == 1) missed.push_back({static_cast<int>(p), Cause::kBelowRelevance});
    }
    return missed;
  }

  // Calls `event(unit, delay)` for what becomes of one insertion.
  template <typename Event>
  static void fate(const Page& page, size_t i, Event&& event) {
    std::mt19937_64 random(page.fate + i);
    const Candidate& c = page.candidates[page.chosen[i].candidate];
    if (uniform(random) >= 0.92 * examine(page.chosen[i].slot)) return;
    const auto wait = [&](double minutes) {
      return Millis(static_cast<int64_t>(-std::log(1 - uniform(random)) * minutes * 60'000));
    };
    const Millis seen = wait(2);
    event(GoalUnit::kViewable, seen);
    if (uniform(random) >= c.p_click) return;
    event(GoalUnit::kClick, seen + Millis(5'000));
    if (uniform(random) < c.p_order / c.p_click) event(GoalUnit::kOrder, seen + wait(5));
  }

  void become(const Page& page, Millis now) {
    for (size_t i = 0; i < page.chosen.size(); ++i) {
      const Candidate& c = page.candidates[page.chosen[i].candidate];
      fate(page, i, [&](GoalUnit unit, Millis delay) {
        int county = unit == GoalUnit::kViewable ? c.county : -1;
        for (const int p : c.programs) {
          if (p < 0) continue;
          coming_.push({now + delay, now, program_hash(programs_[p].id), unit, county});
          county = -1;
        }
      });
    }
  }

  void arrive(PriceController& controller, Millis now, DayResult& result) {
    while (!coming_.empty() && coming_.top().at <= now) {
      const Seen seen = coming_.top();
      coming_.pop();
      controller.observe(seen.program, seen.unit, seen.at, seen.issued);
      if (seen.county >= 0) result.county_exposures[seen.county] += 1;
    }
  }

  void teach(const std::vector<double>& prices) {
    std::mt19937_64 random(plan_.seed);
    double loss = 0, organic = 0;
    for (const Millis now : times_) {
      Page page = next_page(random, now);
      insert(page, plan_.teacher_nu, [&](const Candidate& c) {
        double bonus = 0;
        bool any = false;
        for (const int p : c.programs) {
          if (p < 0) continue;
          any = true;
          bonus +=
              prices[p] * missed_value(programs_[p].unit) / kMissedFen * rate(programs_[p].unit, c);
        }
        return any ? bonus : -1.0;
      });
      loss += page.loss;
      organic += page.organic;
      for (size_t i = 0; i < page.chosen.size(); ++i) {
        fate(page, i, [&](GoalUnit unit, Millis delay) {
          if (now + delay > kStart + kDay) return;
          for (const int p : page.candidates[page.chosen[i].candidate].programs) {
            if (p >= 0 && programs_[p].unit == unit) programs_[p].delivered += 1;
          }
        });
      }
    }
    teacher_loss_ = loss / organic;
  }

  static void judge_losses(const std::vector<PageLoss>& pages, DayResult& result) {
    constexpr size_t kRun = 1'000;
    std::vector<double> loss(pages.size() + 1), organic(pages.size() + 1);
    for (size_t i = 0; i < pages.size(); ++i) {
      loss[i + 1] = loss[i] + pages[i].loss_fen;
      organic[i + 1] = organic[i] + pages[i].organic_fen;
    }
    result.loss_share = loss.back() / organic.back();
    result.worst_run = -1;
    for (size_t i = kRun; i < loss.size(); ++i) {
      result.worst_run =
          std::max(result.worst_run, (loss[i] - loss[i - kRun]) / (organic[i] - organic[i - kRun]));
    }
  }

 public:
  double teacher_loss() const { return teacher_loss_; }
  const DayPlan& plan() const { return plan_; }

 private:
  const DayPlan plan_;
  std::vector<DayProgram> programs_;
  std::vector<Candidate> items_;
  std::vector<Millis> times_;
  std::priority_queue<Seen, std::vector<Seen>, std::greater<>> coming_;
  double teacher_loss_ = 0;
};

}  // namespace shanhuo
