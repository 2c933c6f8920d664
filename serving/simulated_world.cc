#include "serving/simulated_world.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>

#include "streaming/codec.h"

namespace shanhuo {
namespace {

constexpr size_t kItemsMax = 2'000'000;
constexpr size_t kLineupMax = 6;

struct City {
  std::string_view name;
  double share;
  Place centre;
};
// Where viewers are; shares add up to 1.
constexpr std::array<City, 20> kCities = {{
    {"北京", .09, {39.90, 116.41}},     {"上海", .09, {31.23, 121.47}},
    {"广州", .08, {23.13, 113.26}},     {"成都", .08, {30.57, 104.07}},
    {"深圳", .07, {22.54, 114.06}},     {"重庆", .06, {29.56, 106.55}},
    {"杭州", .06, {30.27, 120.16}},     {"武汉", .05, {30.59, 114.31}},
    {"西安", .05, {34.34, 108.94}},     {"郑州", .05, {34.75, 113.63}},
    {"南京", .04, {32.06, 118.80}},     {"长沙", .04, {28.23, 112.94}},
    {"天津", .04, {39.08, 117.20}},     {"苏州", .04, {31.30, 120.58}},
    {"昆明", .03, {25.04, 102.72}},     {"贵阳", .03, {26.65, 106.63}},
    {"沈阳", .03, {41.80, 123.43}},     {"济南", .03, {36.65, 117.12}},
    {"呼和浩特", .02, {40.84, 111.75}}, {"太原", .02, {37.87, 112.55}},
}};
constexpr double kAroundDegrees = 0.3;

const City& city_of(double draw) {
  for (const City& city : kCities) {
    if (draw < city.share) return city;
    draw -= city.share;
  }
  return kCities[0];
}

// Kinds of draws that hang on one key.
enum Draw : uint64_t { kTaste = 1, kProvince, kQuality };

double draw(uint64_t key, uint64_t other, Draw kind) {
  return Random::unit_interval(hash_combine(hash_combine(key, other), kind));
}

uint64_t category_key(std::string_view name) { return hash64(name); }
const uint64_t kCountryside = category_key("三农");
const uint64_t kFood = category_key("美食");
const uint64_t kTravel = category_key("旅游");

// What is looked at and clicked when nothing is known of the taste, as log odds.
double base_of(ItemKind kind) {
  switch (kind) {
    case ItemKind::kFarmGood:
      return -2.3;
    case ItemKind::kScenicVideo:
      return -2.0;
    case ItemKind::kCause:
      return -2.4;
    default:
      return -2.1;
  }
}

int province_of(std::string_view county) {
  int province = 0;
  if (county.size() == 6) std::from_chars(county.data(), county.data() + 2, province);
  return province;
}

double round4(double number) { return std::round(number * 1e4) / 1e4; }

}  // namespace

Result<SimulatedWorld> SimulatedWorld::load(std::istream& items_ndjson, uint64_t seed) {
  SimulatedWorld world;
  world.seed_ = seed;
  json::Document document;
  std::vector<Item> all;
  std::string line, body;
  for (uint64_t number = 1; std::getline(items_ndjson, line); ++number) {
    if (line.empty()) continue;
    body.assign("{\"items\":[").append(line).append("]}");
    const Result<json::Value> value = document.parse(body);
    if (!value.ok()) return value.error().within("line " + std::to_string(number));
    json::FieldErrors errors;
    Result<std::vector<Item>> items = decode_items(value.value(), 1, errors);
    if (!items.ok()) return errors.as_error().within("line " + std::to_string(number));
    all.push_back(std::move(items.value()[0]));
    if (all.size() > kItemsMax) {
      return Error{ErrorCode::kTooLarge, "more than " + std::to_string(kItemsMax) + " items"};
    }
  }
  for (const Item& item : all) world.add(item);
  if (world.video_count_ == 0) {
    return Error{ErrorCode::kInvalid, "the catalogue has no item of kind video"};
  }
  for (uint32_t i = 0; i < world.items_.size(); ++i) world.by_id_.emplace(world.items_[i].id, i);
  world.add_rooms(all);
  return world;
}

void SimulatedWorld::add(const Item& item) {
  SimulatedItem simulated;
  simulated.id = item.id.str();
  simulated.kind = item.kind;
  simulated.category_key = category_key(item.category);
  simulated.province = province_of(item.county);
  Random random(hash64(simulated.id, seed_ + kQuality));
  simulated.quality = random.normal();
  simulated.price_fen = item.price.value_or(Fen(0)).count();
  simulated.duration_ms = item.duration.value_or(Millis(20'000)).count();
  if (item.kind == ItemKind::kVideo) {
    auto category = std::ranges::find(videos_, simulated.category_key, &VideoCategory::key);
    if (category == videos_.end()) {
      category = videos_.insert(videos_.end(), {simulated.category_key, {}});
    }
    category->items.push_back(static_cast<uint32_t>(items_.size()));
    ++video_count_;
  }
  items_.push_back(std::move(simulated));
}

void SimulatedWorld::add_rooms(const std::vector<Item>& all) {
  std::vector<const Item*> goods;
  for (const Item& item : all) {
    if (item.kind == ItemKind::kFarmGood && item.available) goods.push_back(&item);
  }
  for (const Item& room : all) {
    if (room.kind != ItemKind::kLiveRoom) continue;
    SimulatedRoom simulated{room.id.str(), {}};
    const auto take = [&](auto belongs) {
      for (const Item* good : goods) {
        if (simulated.lineup.size() == kLineupMax) return;
        if (belongs(*good) && std::ranges::count(simulated.lineup, good->id.str()) == 0) {
          simulated.lineup.push_back(good->id.str());
        }
      }
    };
    take([&](const Item& good) { return good.creator_id == room.creator_id; });
    take([&](const Item& good) { return good.county == room.county; });
    take([&](const Item& good) {
      return province_of(good.county) == province_of(room.county) && hash64(good.id.str()) % 4 == 0;
    });
    if (!simulated.lineup.empty()) rooms_.push_back(std::move(simulated));
  }
}

const SimulatedItem* SimulatedWorld::find(std::string_view item_id) const {
  const auto found = by_id_.find(item_id);
  return found == by_id_.end() ? nullptr : &items_[found->second];
}

ViewerTraits SimulatedWorld::traits(uint64_t viewer) const {
  Random random(hash_combine(seed_, viewer));
  ViewerTraits traits;
  traits.key = random.bits();
  traits.rural = 0.7 * random.normal();
  traits.travel = 0.7 * random.normal();
  traits.patience = 0.88 + 0.1 * random.uniform();
  const City& city = city_of(random.uniform());
  traits.city = city.name;
  const auto around = [&] { return kAroundDegrees * (2 * random.uniform() - 1); };
  traits.home = {round4(city.centre.lat + around()), round4(city.centre.lon + around())};
  return traits;
}

// One category in four is loved, the others are met with more or less of a shrug.
double SimulatedWorld::taste(const ViewerTraits& viewer, uint64_t key) const {
  const double u = draw(viewer.key, key, kTaste);
  double taste = u < 0.25 ? 0.6 + 4 * u : -0.9 + 1.2 * (u - 0.25);
  if (key == kCountryside || key == kFood) taste += 0.5 * viewer.rural;
  if (key == kTravel) taste += 0.5 * viewer.travel;
  return taste;
}

double SimulatedWorld::p_click(const ViewerTraits& viewer, const SimulatedItem& item) const {
  double odds = base_of(item.kind) + taste(viewer, item.category_key) + 0.4 * item.quality;
  if (item.kind == ItemKind::kFarmGood) odds += viewer.rural;
  if (item.kind == ItemKind::kScenicVideo) odds += viewer.travel;
  if (item.province != 0) {
    const double u = draw(viewer.key, static_cast<uint64_t>(item.province), kProvince);
    odds += u > 0.9 ? 0.8 : 0;  // where one comes from, or once was
  }
  return 1 / (1 + std::exp(-odds));
}

void SimulatedWorld::pick_organic(const ViewerTraits& viewer, size_t count, Random& random,
                                  std::vector<OrganicCandidate>& out) const {
  std::array<double, 64> weights;
  const size_t categories = std::min(videos_.size(), weights.size());
  double total = 0;
  for (size_t c = 0; c < categories; ++c) {
    const double weight = std::exp(taste(viewer, videos_[c].key));
    total += weight * std::sqrt(static_cast<double>(videos_[c].items.size()));
    weights[c] = total;
  }
  out.clear();
  for (size_t tries = 0; out.size() < std::min(count, video_count_) && tries < 20 * count;
       ++tries) {
    const auto upper =
        std::upper_bound(weights.begin(), weights.begin() + categories, random.uniform() * total);
    const size_t at = std::min<size_t>(upper - weights.begin(), categories - 1);
    const std::vector<uint32_t>& items = videos_[at].items;
    const uint32_t item = items[random.below(items.size())];
    if (std::ranges::count(out, item, &OrganicCandidate::item) > 0) continue;
    const double noisy = p_click(viewer, items_[item]) * std::exp(0.25 * random.normal());
    out.push_back({item, round4(std::min(noisy, 1.0))});
  }
  std::ranges::stable_sort(out, std::greater<>(), &OrganicCandidate::score);
}

}  // namespace shanhuo
