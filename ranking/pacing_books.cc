#include "ranking/pacing_books.h"

#include <algorithm>
#include <cmath>

#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr std::string_view kGoalPrefix = "prj", kAudiencePrefix = "prp", kCountsPrefix = "prs";
constexpr size_t kKeptMax = 20'000;    // records of programs that are gone
constexpr int64_t kCurveMinutes = 10;  // between two curves of a program
constexpr int64_t kManyLeft = 1'000'000;

bool same_kind(const Goal& a, const Goal& b) {
  return a.unit == b.unit && a.per == b.per && a.share_of == b.share_of;
}

// Goals of one kind are told apart by their order.
std::string goal_key(const Program& program, size_t goal) {
  const Goal& kind = program.goals[goal];
  const auto ordinal = std::count_if(program.goals.begin(), program.goals.begin() + goal,
                                     [&](const Goal& other) { return same_kind(other, kind); });
  std::string key(kGoalPrefix);
  key.append(program.id.view()).push_back('\0');
  for (const int digit : {static_cast<int>(kind.unit), static_cast<int>(kind.per),
                          static_cast<int>(kind.share_of), static_cast<int>(ordinal)}) {
    key += std::to_string(digit);
  }
  return key;
}

std::string audience_key(const Program& program) {
  return std::string(kAudiencePrefix) + program.id.str();
}

std::string counts_key(const Program& program) {
  return std::string(kCountsPrefix) + program.id.str();
}

double expected(GoalUnit unit, const Reservation& r) {
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

bool names(const Reservation& insertion, uint32_t program) {
  return std::find(insertion.programs.begin(), insertion.programs.end(), program) !=
         insertion.programs.end();
}

}  // namespace

std::string Shortfall::encode() const {
  std::string out;
  put_fixed(&out, since.count());
  put_varint(&out, inserted);
  for (size_t cause = 0; cause < causes.size(); ++cause) {
    if (causes[cause] == 0) continue;
    put_fixed(&out, static_cast<uint8_t>(cause));
    put_varint(&out, causes[cause]);
    put_fixed(&out, lost[cause]);
  }
  return out;
}

bool Shortfall::decode(std::string_view in) {
  Shortfall read;
  int64_t since_ms = 0;
  bool good = take_fixed(&in, &since_ms) && take_varint(&in, &read.inserted);
  read.since = Millis(since_ms);
  while (good && !in.empty()) {
    uint8_t cause = 0;
    good = take_fixed(&in, &cause) && cause < read.causes.size() &&
           take_varint(&in, &read.causes[cause]) && take_fixed(&in, &read.lost[cause]) &&
           std::isfinite(read.lost[cause]);
  }
  if (good) *this = read;
  return good;
}

PacingBooks::Book* PacingBooks::find(uint32_t program) {
  const auto found = by_hash_.find(program);
  return program == 0 || found == by_hash_.end() ? nullptr : &books_[found->second];
}

GoalAccount PacingBooks::new_goal(const Book& book, const Goal& goal, const std::string& key,
                                  const DeliveredReader& delivered, Millis now) {
  GoalAccount account(*book.program, goal, rules_, now);
  const double units = account.is_share() ? 0
                                          : delivered(book.program->id, goal.unit,
                                                      account.period_start(), account.period_end());
  account.begin(book.curve, units, first_price_share_ * goal.missed_value_fen, now);
  if (const auto kept = kept_.find(key); kept != kept_.end()) {
    static_cast<void>(account.decode(kept->second));  // was found good when it was kept
    kept_.erase(kept);
  }
  return account;
}

void PacingBooks::add_goals(Book& book, std::vector<GoalAccount> before,
                            const DeliveredReader& delivered, Millis now) {
  std::vector<bool> taken(before.size(), false);
  for (size_t g = 0; g < book.program->goals.size(); ++g) {
    const Goal& goal = book.program->goals[g];
    size_t old = 0;
    while (old < before.size() && (taken[old] || !same_kind(before[old].goal(), goal))) ++old;
    const std::string key = goal_key(*book.program, g);
    if (old == before.size()) {
      book.goals.push_back(new_goal(book, goal, key, delivered, now));
      continue;
    }
    taken[old] = true;
    GoalAccount& account = before[old];
    if (account.update(*book.program, goal, now) && !account.is_share()) {
      account.state.delivered =
          delivered(book.program->id, goal.unit, account.period_start(), account.period_end());
    }
    book.goals.push_back(std::move(account));
  }
}

void PacingBooks::keep(const Book& book) {
  const auto put = [this](std::string key, std::string value) {
    gone_.push_back(key);
    if (kept_.size() < kKeptMax) kept_.insert_or_assign(std::move(key), std::move(value));
  };
  for (size_t g = 0; g < book.goals.size(); ++g) {
    put(goal_key(*book.program, g), book.goals[g].encode());
  }
  std::string audience;
  book.audience.encode(&audience);
  put(audience_key(*book.program), std::move(audience));
  put(counts_key(*book.program), book.counts.encode());
}

void PacingBooks::take_over(const ProgramSet& set, const DeliveredReader& delivered,
                            const TrafficLearner& traffic, Millis now) {
  // Goals that leave their program, and programs that leave, give their keys up first: what stays
  // writes its own again.
  std::unordered_map<uint32_t, size_t> by_hash;
  for (size_t i = 0; i < set.programs.size(); ++i) {
    by_hash.emplace(program_hash(set.programs[i]->id.view()), i);
  }
  for (const auto& [hash, index] : by_hash_) {
    if (!by_hash.contains(hash)) keep(books_[index]);
    for (size_t g = 0; g < books_[index].goals.size(); ++g) {
      gone_.push_back(goal_key(*books_[index].program, g));
    }
  }
  std::vector<Book> books;
  books.reserve(set.programs.size());
  for (const auto& program : set.programs) {
    Book* old = find(program_hash(program->id.view()));
    Book book = old != nullptr ? std::move(*old) : Book(TrafficCurve(std::array<double, 24>{}));
    if (old == nullptr) book.requests_noted = traffic.counted(program->surfaces);
    book.program = program;
    book.fresh = book.fresh || old == nullptr;
    if (const auto kept = kept_.find(audience_key(*program)); kept != kept_.end()) {
      std::string_view bytes = kept->second;
      static_cast<void>(book.audience.decode(&bytes));
      kept_.erase(kept);
    }
    if (const auto kept = kept_.find(counts_key(*program)); kept != kept_.end()) {
      static_cast<void>(book.counts.decode(kept->second));  // was found good when it was kept
      kept_.erase(kept);
    }
    if (book.counts.since.count() == 0) book.counts.since = now;
    book.curve = traffic.curve(program->surfaces, book.audience);
    std::vector<GoalAccount> before = std::move(book.goals);
    book.goals.clear();
    add_goals(book, std::move(before), delivered, now);
    books.push_back(std::move(book));
  }
  books_ = std::move(books);
  by_hash_ = std::move(by_hash);
}

void PacingBooks::advance(const TrafficLearner& traffic, Millis now, bool keep_buckets) {
  const bool curves = ++minutes_ % kCurveMinutes == 0;
  for (Book& book : books_) {
    const uint64_t requests = traffic.counted(book.program->surfaces);
    if (book.asks) {
      const auto seen = static_cast<double>(requests - book.requests_noted);
      const auto asked = std::min(seen, static_cast<double>(book.asked));
      book.audience.count(day_hour(now - kMinute), asked, seen);
    }
    book.requests_noted = requests;
    book.asked = 0;
    for (GoalAccount& goal : book.goals) goal.advance(now, keep_buckets);
    book.asks = book.program->runs_at(now);
    if (curves) book.curve = traffic.curve(book.program->surfaces, book.audience);
  }
}

void PacingBooks::step(const PriceLaw& law, const TrafficLearner& traffic, const LawStep& all,
                       Millis now) {
  std::vector<GoalState*> running;
  for (Book& book : books_) {
    const uint64_t requests = traffic.counted(book.program->surfaces);
    // A program's first step only finds out where the traffic stands.
    const double came = book.fresh ? 0 : static_cast<double>(requests - book.requests_stepped);
    const bool known = traffic.known(book.program->surfaces);
    if (book.fresh && known) {
      book.curve = traffic.curve(book.program->surfaces, book.audience);
      book.fresh = false;
    }
    book.requests_stepped = requests;
    if (!book.program->runs_at(now)) continue;
    for (GoalAccount& goal : book.goals) {
      goal.step(law, book.curve, came * book.audience.at(day_hour(now)), now);
      if (!goal.is_share()) running.push_back(&goal.state);
      if (goal.insertions_left() == 0) book.asks = false;
    }
  }
  law.settle(running, all);
  for (Book& book : books_) {
    if (!book.program->runs_at(now)) continue;
    for (GoalAccount& goal : book.goals) goal.stepped(now);
  }
}

bool PacingBooks::allowed(std::span<const Reservation> insertions) const {
  for (size_t i = 0; i < insertions.size(); ++i) {
    for (const uint32_t hash : insertions[i].programs) {
      const auto found = by_hash_.find(hash);
      if (hash == 0 || found == by_hash_.end()) continue;
      for (const GoalAccount& goal : books_[found->second].goals) {
        int64_t named = 0, all = 0;
        for (const Reservation& other : insertions) {
          if (goal.is_share() && other.surface != goal.goal().share_of) continue;
          ++all;
          named += names(other, hash) ? 1 : 0;
        }
        if (named > goal.insertions_left(all)) return false;
      }
    }
  }
  return true;
}

void PacingBooks::count(std::span<const Reservation> insertions,
                        std::span<const MissedProgram> missed, Millis at, bool fresh) {
  for (const Reservation& insertion : insertions) {
    for (const uint32_t hash : insertion.programs) {
      Book* book = find(hash);
      if (book == nullptr) continue;
      for (GoalAccount& goal : book->goals) {
        if (!goal.is_share()) goal.reserve(expected(goal.goal().unit, insertion), at, fresh);
      }
      if (!fresh) continue;
      ++book->counts.inserted;
      ++book->asked;
    }
  }
  if (!fresh) return;
  for (const MissedProgram& miss : missed) {
    const auto cause = static_cast<size_t>(miss.cause);
    const bool paced = miss.cause == Cause::kPaced;
    if (static_cast<size_t>(miss.program) >= books_.size()) continue;
    if (cause >= kShortfallCauses && !paced) continue;
    ++books_[miss.program].asked;
    if (paced) continue;
    Shortfall& counts = books_[miss.program].counts;
    ++counts.causes[cause];
    counts.lost[cause] += static_cast<double>(miss.viewable);
  }
  if (insertions.empty()) return;
  for (Book& book : books_) {
    for (GoalAccount& goal : book.goals) {
      if (!goal.is_share() || !book.program->runs_at(at)) continue;
      double all = 0, named = 0;
      for (const Reservation& insertion : insertions) {
        if (insertion.surface != goal.goal().share_of) continue;
        all += 1;
        named += names(insertion, program_hash(book.program->id.view())) ? 1 : 0;
      }
      if (all > 0) goal.share_inserted(all, named);
    }
  }
}

void PacingBooks::deliver(uint32_t program, GoalUnit unit, Millis ts, Millis issued_at,
                          double units) {
  Book* book = find(program);
  if (book == nullptr) return;
  for (GoalAccount& goal : book->goals) {
    if (goal.goal().unit == unit && !goal.is_share()) goal.deliver(ts, issued_at, units);
  }
}

ProgramPrice PacingBooks::price(size_t index) const {
  const Book& book = books_[index];
  ProgramPrice price;
  price.insertions_left = kManyLeft;
  bool aims = false, wants = false;
  for (const GoalAccount& goal : book.goals) {
    price.insertions_left = std::min(price.insertions_left, goal.insertions_left());
    aims = aims || goal.state.target > 0;
    wants = wants || goal.wants();
    if (!goal.wants() && goal.state.price > 0) continue;
    double& sum = goal.goal().unit == GoalUnit::kViewable ? price.fen_per_unit
                  : goal.goal().unit == GoalUnit::kClick  ? price.fen_per_click
                                                          : price.fen_per_order;
    sum += goal.state.price;
  }
  price.exhausted = price.insertions_left == 0;
  if (book.program->fairness_by_county && (wants || !aims)) {
    price.fairness = book.program->fairness_weight;
  }
  return price;
}

std::vector<ResolveGoal> PacingBooks::open_goals() const {
  std::vector<ResolveGoal> open;
  for (const Book& book : books_) {
    for (size_t g = 0; g < book.goals.size(); ++g) {
      const GoalAccount& goal = book.goals[g];
      const GoalState& state = goal.state;
      if (goal.is_share() || book.fresh || state.requests_left <= 0 || !goal.wants()) continue;
      if (!book.asks) continue;
      ResolveGoal entry;
      entry.program = program_hash(book.program->id.view());
      entry.goal = g;
      entry.unit = goal.goal().unit;
      entry.surfaces = book.program->surfaces;
      entry.audience = book.audience.mean();
      entry.remaining = goal.remaining_expected();
      entry.requests_left = state.requests_left;
      entry.ceiling = state.missed_value_fen;
      entry.price = state.price;
      open.push_back(entry);
    }
  }
  return open;
}

// A price of next to nothing moves by a share of where prices start.
void PacingBooks::move_towards(std::span<const ResolveGoal> goals, std::span<const double> prices,
                               double share) {
  for (size_t i = 0; i < goals.size(); ++i) {
    Book* book = find(goals[i].program);
    if (book == nullptr || goals[i].goal >= book->goals.size()) continue;
    GoalState& state = book->goals[goals[i].goal].state;
    const double least = first_price_share_ * state.missed_value_fen;
    const double most = share * std::max(state.price, least);
    const double to = std::clamp(prices[i], state.price - most, state.price + most);
    state.price = std::clamp(to, std::min(0.0, state.price), state.missed_value_fen);
  }
}

void PacingBooks::encode(std::vector<std::pair<std::string, std::string>>& records,
                         StateWriter& writer) {
  for (const std::string& key : gone_) writer.erase(key);
  gone_.clear();
  for (const Book& book : books_) {
    for (size_t g = 0; g < book.goals.size(); ++g) {
      records.emplace_back(goal_key(*book.program, g), book.goals[g].encode());
    }
    std::string audience;
    book.audience.encode(&audience);
    records.emplace_back(audience_key(*book.program), std::move(audience));
    records.emplace_back(counts_key(*book.program), book.counts.encode());
  }
}

bool PacingBooks::decode(std::string_view key, std::string_view value) {
  if (kept_.size() >= kKeptMax) return true;
  if (key.starts_with(kGoalPrefix)) {
    GoalAccount probe(Program{}, Goal{}, rules_, Millis(0));
    if (!probe.decode(value)) return false;
  } else if (key.starts_with(kAudiencePrefix)) {
    AudienceShare probe;
    std::string_view bytes = value;
    if (!probe.decode(&bytes) || !bytes.empty()) return false;
  } else if (key.starts_with(kCountsPrefix)) {
    if (!Shortfall().decode(value)) return false;
  } else {
    return true;
  }
  kept_.emplace(key, value);
  gone_.emplace_back(key);
  return true;
}

}  // namespace shanhuo
