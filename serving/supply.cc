// The idea. A program's pages are the sampled requests that it asks for. Within the caps of one
// viewer, taking every page as soon as a cap allows takes the most pages there are, so one pass
// over a viewer's requests in order of time counts what the caps leave. A program that comes before
// another one takes the share of its own insertions that its goals want (its intensity) from each
// page that both ask for, as far as they show different items: one insertion counts for both.
//
// Tested by: tests/serving_supply_test.cc, against worlds whose numbers are counted by hand.
#include "serving/supply.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>

#include "features/counts.h"
#include "ranking/attributes.h"
#include "ranking/eligibility.h"
#include "ranking/scoring.h"

namespace shanhuo {
namespace {

constexpr size_t kRatedItems = 256;  // whose click rates are averaged
constexpr int64_t kSeasonDaysMax = 366;

size_t common(const std::vector<ItemIndex>& a, const std::vector<ItemIndex>& b) {
  size_t count = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      ++count, ++i, ++j;
    } else {
      a[i] < b[j] ? ++i : ++j;
    }
  }
  return count;
}

double share_of(size_t part, size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double traffic_days(std::span<const double> hourly, Millis from, Millis to) {
  double sum = 0;
  for (const double weight : hourly) sum += weight;
  if (to <= from) return 0;
  const double whole = static_cast<double>((to - from).count()) / static_cast<double>(kDay.count());
  if (sum <= 0 || whole >= 1) return whole;
  double part = 0;
  for (Millis t = from; t < to;) {
    const Millis local = t + kChinaOffset;
    const int64_t hour = window_of(local, kHour);
    const Millis end = std::min(to, Millis((hour + 1) * kHour.count()) - kChinaOffset);
    const double inside = static_cast<double>((end - t).count()) / 3.6e6;
    part += inside * hourly[static_cast<size_t>(((hour % 24) + 24) % 24)] / sum;
    t = end;
  }
  return part;
}

std::vector<ItemIndex> items_of_program(const Program& program, const World& world) {
  const int index = world.programs().find(program.id.view());
  if (index >= 0) {
    const auto live = static_cast<ProgramIndex>(index);
    if (world.program(live).revision == program.revision) {
      const auto items = world.items_of(live);
      return {items.begin(), items.end()};
    }
  }
  std::vector<ItemIndex> items;
  const Catalogue& catalogue = world.catalogue();
  for (const auto& chunk : catalogue.chunks) {
    if (!chunk) continue;
    for (const auto& item : *chunk) {
      if (!item) continue;
      const Creator* creator = catalogue.creator(item->item.creator_id);
      const ItemAttributes attributes(*item, creator);
      const bool in_pair = std::any_of(program.pairs.begin(), program.pairs.end(),
                                       [&](const Pair& p) { return p.items.matches(attributes); });
      if (!program.items.matches(attributes) || (!program.pairs.empty() && !in_pair)) continue;
      items.push_back(item->index);
    }
  }
  std::sort(items.begin(), items.end());
  return items;
}

double Supply::units_day(GoalUnit unit) const {
  const double viewable = left_day * viewable_share;
  if (unit == GoalUnit::kViewable) return viewable;
  return viewable * (unit == GoalUnit::kClick ? p_click : p_order);
}

SupplySurvey::SupplySurvey(const TrafficSample& sample, const World& world,
                           const FeatureStore& features, const RankingOptions& options,
                           std::span<const double> hourly, std::vector<SurveyedProgram> programs,
                           Millis now)
    : sample_(sample),
      world_(world),
      features_(features),
      options_(options),
      programs_(std::move(programs)),
      now_(now),
      days_(traffic_days(hourly, sample.from, sample.to)),
      asked_(programs_.size()) {
  order_.resize(sample.requests.size());
  for (uint32_t i = 0; i < order_.size(); ++i) order_[i] = i;
  std::stable_sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) {
    const SampledRequest &x = *sample.requests[a], &y = *sample.requests[b];
    return x.user_id != y.user_id ? x.user_id < y.user_id : x.at < y.at;
  });
  ViewerState viewer;
  const std::string* of = nullptr;
  for (uint32_t page = 0; page < order_.size(); ++page) {
    const SampledRequest& sampled = *sample.requests[order_[page]];
    if (of == nullptr || *of != sampled.user_id) {
      of = &sampled.user_id;
      viewer = sampled.user_id.empty() ? ViewerState() : features.viewer(sampled.user_id);
      ++viewers_;
    }
    const RankRequest request = as_request(sampled);
    for (size_t p = 0; p < programs_.size(); ++p) ask(p, request, viewer, page);
  }
  for (size_t p = 0; p < programs_.size(); ++p) insert_within_caps(p);
}

void SupplySurvey::ask(size_t program, const RankRequest& request, const ViewerState& viewer,
                       uint32_t page) {
  static const ViewerState kNobody;
  const Program& asking = *programs_[program].program;
  if (!asking.surfaces[static_cast<size_t>(request.surface)]) return;
  const ViewerAttributes attributes(request, request.personalized ? viewer : kNobody);
  if (!asking.audience.matches(attributes)) return;
  const bool in_pair = std::any_of(asking.pairs.begin(), asking.pairs.end(),
                                   [&](const Pair& p) { return p.audience.matches(attributes); });
  if (!asking.pairs.empty() && !in_pair) return;
  if (asking.area) {
    const double radius = area_radius_km(*asking.area, asking.start, std::max(now_, asking.start));
    if (!request.place || distance_km(asking.area->center, *request.place) > radius) return;
  }
  asked_[program].pages.push_back(page);
}

int SupplySurvey::slots_of(const Program& program, const SampledRequest& page) const {
  if (page.room) return program.room ? 1 : 0;
  const Placement& placement = program.placement;
  const int last = std::min({placement.last_slot, page.count - 1, page.listed});
  if (placement.first_slot > last) return 0;
  const int spaced = (last - placement.first_slot) / std::max(1, placement.min_gap) + 1;
  return std::min({spaced, placement.per_request_max, options_.insertions_max});
}

// The mean over its best slots.
double SupplySurvey::viewable_at(const Program& program, int slots) const {
  std::vector<double> examine;
  const int gap = std::max(1, program.placement.min_gap);
  examination(options_, program.placement.first_slot + (slots - 1) * gap + 1, examine);
  double sum = 0;
  for (int i = 0; i < slots; ++i) {
    sum += examine[static_cast<size_t>(program.placement.first_slot + i * gap)];
  }
  return sum / slots;
}

// Each as insertions of the whole program that it leaves a viewer in its window.
std::vector<SupplySurvey::Cap> SupplySurvey::caps_of(const SurveyedProgram& program) const {
  std::set<int32_t> counties;
  std::set<uint32_t> creators;
  for (const ItemIndex item : program.items) {
    const Listing& listing = world_.listing(item);
    counties.insert(listing.county_code == 0 ? -static_cast<int32_t>(item) - 1
                                             : listing.county_code);
    creators.insert(listing.creator_hash);
  }
  std::vector<Cap> caps;
  for (const FrequencyCap& cap : program.program->frequency) {
    size_t things = 1;
    if (cap.scope == CapScope::kItem) things = program.items.size();
    if (cap.scope == CapScope::kCounty) things = counties.size();
    if (cap.scope == CapScope::kCreator) things = creators.size();
    caps.push_back({cap.window, static_cast<int64_t>(things) * cap.max});
  }
  return caps;
}

void SupplySurvey::insert_within_caps(size_t program) {
  Asked& asked = asked_[program];
  const SurveyedProgram& surveyed = programs_[program];
  const std::vector<Cap> caps = caps_of(surveyed);
  std::deque<Millis> inserted;  // for the present viewer
  const std::string* viewer = nullptr;
  for (const uint32_t page : asked.pages) {
    const SampledRequest& request = *sample_.requests[order_[page]];
    if (viewer == nullptr || *viewer != request.user_id || request.user_id.empty()) {
      viewer = &request.user_id;
      inserted.clear();
    }
    const int slots = slots_of(*surveyed.program, request);
    int left = std::min<int>(slots, static_cast<int>(surveyed.items.size()));
    for (const Cap& cap : caps) {
      const auto since =
          std::upper_bound(inserted.begin(), inserted.end(), request.at - cap.window);
      left = static_cast<int>(std::clamp<int64_t>(cap.most - (inserted.end() - since), 0, left));
    }
    inserted.insert(inserted.end(), static_cast<size_t>(left), request.at);
    asked.insertions.push_back(static_cast<float>(left));
    asked.slots += slots;
    asked.capped += left;
    if (left > 0) asked.seen += left * viewable_at(*surveyed.program, left);
  }
  const double most = per_day(asked.seen);
  asked.intensity = most > 0 ? std::clamp(surveyed.units_wanted_day / most, 0.0, 1.0) : 0;
}

double SupplySurvey::per_day(double sampled) const {
  return days_ > 0 ? sampled / sample_.share / days_ : 0;
}

// How much of what `other` inserts on a common page is lost to `program`: where their slots meet,
// and unless it is an item of both.
double SupplySurvey::rivalry(size_t program, size_t other) const {
  const SurveyedProgram &mine = programs_[program], &theirs = programs_[other];
  return asked_[other].intensity *
         (1 - share_of(common(mine.items, theirs.items), theirs.items.size()));
}

// Of each page: insertions that programs before this one take from it.
std::vector<float> SupplySurvey::taken_before(size_t program) const {
  std::vector<float> taken(order_.size(), 0);
  for (size_t other = 0; other < program; ++other) {
    const auto rival = static_cast<float>(rivalry(program, other));
    if (rival <= 0) continue;
    for (size_t i = 0; i < asked_[other].pages.size(); ++i) {
      taken[asked_[other].pages[i]] += rival * asked_[other].insertions[i];
    }
  }
  return taken;
}

// What is left of an insertion or more on a page of which others take so many.
double SupplySurvey::left_of(float insertions, float taken) const {
  return std::clamp(options_.insertions_max - static_cast<double>(taken), 0.0,
                    static_cast<double>(insertions));
}

Supply SupplySurvey::of(size_t program) const {
  const Asked& asked = asked_[program];
  Supply supply;
  supply.days_seen = days_;
  supply.viewers_sampled = viewers_;
  supply.requests_day = per_day(static_cast<double>(order_.size()));
  supply.asked_day = per_day(static_cast<double>(asked.pages.size()));
  supply.slots_day = per_day(asked.slots);
  supply.capped_day = per_day(asked.capped);
  supply.viewable_share = asked.capped > 0 ? asked.seen / asked.capped : 0;
  const std::string* viewer = nullptr;
  double viewers = 0;
  for (const uint32_t page : asked.pages) {
    const std::string& user = sample_.requests[order_[page]]->user_id;
    if (viewer == nullptr || *viewer != user) ++viewers;
    viewer = &user;
  }
  supply.viewers_day = viewers / sample_.share / std::max(1.0, days_);
  const std::vector<float> taken = taken_before(program);
  double left = 0;
  for (size_t i = 0; i < asked.pages.size(); ++i) {
    left += left_of(asked.insertions[i], taken[asked.pages[i]]);
  }
  supply.left_day = per_day(left);
  describe_items(programs_[program], supply);
  return supply;
}

void SupplySurvey::describe_items(const SurveyedProgram& program, Supply& supply) const {
  supply.items = program.items.size();
  const Millis from = std::max(now_, program.program->start);
  const int64_t first = day_of(from), last = day_of(program.program->end - Millis(1));
  const int64_t days = std::clamp<int64_t>(last - first + 1, 1, kSeasonDaysMax);
  std::vector<bool> in_season(static_cast<size_t>(days), false);
  bool always = false;
  size_t rated = 0;
  for (const ItemIndex index : program.items) {
    const Listing& listing = world_.listing(index);
    const CatalogueItem* item = world_.item(index);
    if (item == nullptr || !listing.in_stock || world_.catalogue().blocked(*item)) continue;
    ++supply.items_ready;
    always = always || !listing.seasonal;
    for (int64_t day = 0; !always && day < days; ++day) {
      const auto at = static_cast<size_t>(day);
      in_season[at] = in_season[at] || item->item.season->contains(start_of_day(first + day));
    }
    if (rated == kRatedItems) continue;
    const ItemRates rates = features_.rates(index);
    const double click = smoothed_rate(options_, listing.kind, rates);
    supply.p_click += click;
    supply.p_order += click * smoothed_share(rates.orders, rates.clicks, options_.prior_order,
                                             options_.prior_clicks);
    ++rated;
  }
  if (rated > 0) {
    supply.p_click /= static_cast<double>(rated);
    supply.p_order /= static_cast<double>(rated);
  }
  const auto good = std::count(in_season.begin(), in_season.end(), true);
  supply.season_share = always ? 1 : static_cast<double>(good) / static_cast<double>(days);
}

// The pages that both ask for; what is lost on each is shared among those who take it.
Competitor SupplySurvey::compare(size_t program, size_t other,
                                 const std::vector<float>& taken) const {
  const Asked &mine = asked_[program], &theirs = asked_[other];
  const double rival = other < program ? rivalry(program, other) : 0;
  size_t pages = 0;
  double lost = 0;
  std::set<std::string_view> viewers, all;
  for (size_t i = 0, j = 0; i < mine.pages.size(); ++i) {
    const uint32_t page = mine.pages[i];
    const std::string_view user = sample_.requests[order_[page]]->user_id;
    all.insert(user);
    while (j < theirs.pages.size() && theirs.pages[j] < page) ++j;
    if (j == theirs.pages.size() || theirs.pages[j] != page) continue;
    ++pages;
    viewers.insert(user);
    if (taken[page] <= 0) continue;
    const double missing =
        static_cast<double>(mine.insertions[i]) - left_of(mine.insertions[i], taken[page]);
    lost += missing * rival * static_cast<double>(theirs.insertions[j] / taken[page]);
  }
  Competitor competitor;
  competitor.program = other;
  competitor.pages = share_of(pages, mine.pages.size());
  competitor.viewers = share_of(viewers.size(), all.size());
  competitor.items = share_of(common(programs_[program].items, programs_[other].items),
                              programs_[program].items.size());
  competitor.taken = mine.capped > 0 ? lost / mine.capped : 0;
  return competitor;
}

std::vector<Competitor> SupplySurvey::competitors(size_t program, size_t most) const {
  std::vector<Competitor> found;
  const std::vector<float> taken = taken_before(program);
  for (size_t other = 0; other < programs_.size(); ++other) {
    if (other == program) continue;
    const Competitor competitor = compare(program, other, taken);
    if (competitor.pages > 0) found.push_back(competitor);
  }
  std::stable_sort(found.begin(), found.end(), [](const Competitor& a, const Competitor& b) {
    return a.taken != b.taken ? a.taken > b.taken : a.pages > b.pages;
  });
  if (found.size() > most) found.resize(most);
  return found;
}

}  // namespace shanhuo
