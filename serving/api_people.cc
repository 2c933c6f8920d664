// A viewer's profile, shown and forgotten (contract 2.8).
#include <unordered_map>

#include "features/fatigue.h"
#include "ranking/attributes.h"
#include "ranking/program.h"
#include "serving/http_api.h"

namespace shanhuo {
namespace {

// Names behind the hashes of a profile. A walk over the catalogue: a profile is looked at rarely.
struct Names {
  std::unordered_map<uint32_t, std::string> categories, creators, programs;

  Names(const Catalogue& catalogue, const ProgramSet& set) {
    for (const auto& program : set.programs) {
      programs.emplace(program_hash(program->id.view()), program->id.str());
    }
    for (const auto& chunk : catalogue.chunks) {
      if (!chunk) continue;
      for (const auto& item : *chunk) {
        if (!item) continue;
        categories.emplace(item->category_hash, item->item.category);
        creators.emplace(item->creator_hash, item->item.creator_id.str());
      }
    }
  }
};

template <typename NameOf>
void write_affinities(JsonWriter& json, std::string_view key,
                      const std::array<Affinity, kAffinities>& affinities, const NameOf& name_of) {
  json.key(key);
  json.begin_array();
  for (const Affinity& affinity : affinities) {
    if (affinity.weight == 0) continue;
    json.begin_object();
    json.field("key", name_of(affinity.key));
    json.field("weight", affinity.weight);
    json.end_object();
  }
  json.end_array();
}

void write_vector(JsonWriter& json, std::string_view key, const Vector& vector) {
  json.key(key);
  json.begin_array();
  for (const float x : vector) json.value(x);
  json.end_array();
}

void write_history(JsonWriter& json, const ViewerState& viewer, const Insertions& insertions,
                   const Interner& interner) {
  json.key("recent");
  json.begin_array();
  for (int i = 0; i < viewer.recent_count; ++i) {
    const RecentItem& recent = viewer.recent[static_cast<size_t>(i)];
    json.begin_object();
    json.field("item_id", interner.view_of(recent.item));
    json.field("type", event_type_name(recent.type));
    json.field("at_ms", recent.at.count());
    json.end_object();
  }
  json.end_array();
  json.key("inserted");
  json.begin_array();
  for (const Insertion& insertion : insertions) {
    json.begin_object();
    json.field("item_id", interner.view_of(insertion.item));
    json.field("at_ms", insertion.at.count());
    json.end_object();
  }
  json.end_array();
}

void write_habits(JsonWriter& json, const ViewerState& viewer) {
  const ViewerRates& rates = viewer.rates;
  json.key("rates");
  json.begin_object();
  json.field("impressions", rates.impressions);
  json.field("clicks", rates.clicks);
  json.field("orders", rates.orders);
  json.field("click_rate", smoothed_share(rates.clicks, rates.impressions, kViewerPriorClick,
                                          kViewerPriorImpressions));
  json.field("order_rate",
             smoothed_share(rates.orders, rates.clicks, kViewerPriorOrder, kViewerPriorClicks));
  json.end_object();
  json.key("session");
  json.begin_object();
  json.field("start_ms", viewer.session.start.count());
  json.field("events", viewer.session.events);
  json.end_object();
  json.key("week");
  json.begin_array();
  for (const uint8_t visits : viewer.week) json.value(int64_t{visits});
  json.end_array();
}

template <typename NameOf>
void write_exposed(JsonWriter& json, std::string_view key, const std::vector<Exposed>& all,
                   const NameOf& name_of) {
  json.key(key);
  json.begin_array();
  for (const Exposed& one : all) {
    json.begin_object();
    json.field("key", name_of(one.key));
    json.field("times", one.times);
    json.field("fatigue", one.fatigue);
    json.field("last_ms", one.last.count());
    json.end_object();
  }
  json.end_array();
}

std::string name_in(const std::unordered_map<uint32_t, std::string>& names, uint32_t key) {
  const auto found = names.find(key);
  return found == names.end() ? "#" + std::to_string(key) : found->second;
}

}  // namespace

bool HttpApi::note_read(Call& call, const std::string& what) {
  const Status noted = engine_.note_read(call.principal.caller, what, call.arguments[0]);
  if (!noted.ok()) call.respond(problem(noted.error()));
  return noted.ok();
}

void HttpApi::get_user(Call& call) {
  if (!note_read(call, "the profile was read")) return;
  const std::string& id = call.arguments[0];
  const ViewerState viewer = engine_.features().viewer(id);
  const Insertions insertions = engine_.features().frequency().recent(id, engine_.time().now());
  if (!viewer.known && insertions.empty()) {
    call.respond(problem(404, "", "nothing is known of this user"));
    return;
  }
  const std::shared_ptr<const Catalogue> catalogue = engine_.catalogue();
  const Names names(*catalogue, *engine_.programs().current());
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("user_id", id);
  json.field("events", viewer.events);
  json.field("last_event_ms", viewer.last_event.count());
  json.field("tier", viewer_tier(viewer.events));
  write_affinities(json, "categories", viewer.categories,
                   [&](uint32_t key) { return name_in(names.categories, key); });
  write_affinities(json, "counties", viewer.counties,
                   [](uint32_t key) { return std::to_string(key); });
  write_affinities(json, "creators", viewer.creators,
                   [&](uint32_t key) { return name_in(names.creators, key); });
  write_history(json, viewer, insertions, engine_.interner());
  write_vector(json, "interest_short", viewer.interest_short);
  write_vector(json, "interest_long", viewer.interest_long);
  write_habits(json, viewer);
  const Fatigue fatigue(viewer, insertions, *catalogue, engine_.time().now());
  json.key("fatigue");
  json.begin_object();
  write_exposed(json, "items", fatigue.items(),
                [&](uint32_t key) { return engine_.interner().id_of(key); });
  write_exposed(json, "creators", fatigue.creators(),
                [&](uint32_t key) { return name_in(names.creators, key); });
  write_exposed(json, "programs", fatigue.programs(),
                [&](uint32_t key) { return name_in(names.programs, key); });
  json.end_object();
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::delete_user(Call& call) {
  if (!valid_id(call.arguments[0])) {
    call.respond(problem(404, "", "no such user"));
    return;
  }
  if (!note_read(call, "was forgotten")) return;
  const Status status = engine_.forget(call.arguments[0]);
  if (!status.ok()) {
    call.respond(problem(status.error()));
    return;
  }
  HttpResponse response = json_answer(204, "");
  response.content_type.clear();
  call.respond(std::move(response));
}

}  // namespace shanhuo
