#include "configs/giving_reader.h"

#include <algorithm>
#include <map>

#include "configs/program_campaign.h"
#include "configs/reader.h"
#include "features/digest.h"
#include "features/packing.h"
#include "ranking/attributes.h"

namespace shanhuo {
namespace {

constexpr int64_t kPointsMax = 1'000'000;
constexpr int64_t kPerMax = 1'000'000'000;
constexpr int64_t kThresholdMax = 1'000'000'000'000;

void read_id(MapReader& map, std::string_view key, std::string& id) {
  map.text(key, id, kIdBytesMax);
  if (map.has(key) && !valid_id(id)) {
    map.error(key, "must be 1..128 bytes without control characters");
  }
}

void read_donation(MapReader& parent, GivingRule& rule) {
  const YamlNode* node = parent.map("donation");
  if (node == nullptr) return;
  MapReader map(*node, "donation", parent.file(), parent.errors());
  map.require({"permille_max"});
  int permille = 0;
  map.integer("permille_max", permille, 1, 1'000);
  map.finish();
  rule.donates = true;
  rule.permille_max = permille;
}

EarnRule read_earn(const YamlNode& node, const std::string& path, MapReader& parent) {
  EarnRule earn;
  MapReader map(node, path, parent.file(), parent.errors());
  map.require({"event", "points", "daily_max"});
  int event = 0, unit = 0;
  map.one_of("event", {"deed", "order"}, event);
  map.one_of("unit", {"order", "fen"}, unit);
  earn.order = event == 1;
  earn.by_amount = unit == 1;
  read_id(map, "deed", earn.deed);
  map.integer("points", earn.points, 1, kPointsMax);
  map.integer("per", earn.per, 1, kPerMax);
  map.integer("daily_max", earn.daily_max, 1, kPointsMax);
  if (map.has("event") && earn.order == map.has("deed")) {
    map.error("deed", earn.order ? "says nothing of orders" : "is missing: which deed earns");
  }
  if (!earn.order && map.has("unit")) map.error("unit", "is of orders; a deed's quantity counts");
  map.finish();
  return earn;
}

void read_points(MapReader& parent, GivingRule& rule) {
  const YamlNode* node = parent.map("points");
  if (node == nullptr) return;
  MapReader map(*node, "points", parent.file(), parent.errors());
  map.require({"expire_after_days", "earn"});
  map.integer("expire_after_days", rule.expire_days, 1, 3'650);
  if (const YamlNode* list = map.list("earn")) {
    if (list->items.empty() || list->items.size() > kEarnRulesMax) {
      map.error("earn",
                "has " + std::to_string(list->items.size()) + " entries, 1..32 are allowed");
    }
    for (size_t i = 0; i < std::min(list->items.size(), kEarnRulesMax); ++i) {
      rule.earn.push_back(read_earn(list->items[i], "points.earn[" + std::to_string(i) + "]", map));
    }
  }
  map.finish();
}

void read_causes(MapReader& parent, GivingRule& rule) {
  const YamlNode* list = parent.list("causes");
  if (list == nullptr) return;
  for (size_t i = 0; i < list->items.size(); ++i) {
    CauseRule cause;
    MapReader map(list->items[i], "causes[" + std::to_string(i) + "]", parent.file(),
                  parent.errors());
    int per = 0;
    map.require({"cause", "threshold"});
    read_id(map, "cause", cause.cause);
    map.integer("threshold", cause.threshold, 1, kThresholdMax);
    map.one_of("per", {"all", "viewer"}, per);
    map.boolean("repeats", cause.repeats);
    cause.each = per == 1;
    if (cause.each && map.has("repeats")) {
      map.error("repeats", "says nothing with per: viewer; each viewer may again and again");
    }
    map.finish();
    rule.causes.push_back(std::move(cause));
  }
}

}  // namespace

std::optional<GivingRule> read_giving_rule(std::string_view text, const std::string& file,
                                           ConfigErrors& errors) {
  const size_t errors_before = errors.size();
  YamlNode root;
  if (!parse_yaml(text, file, root, errors)) return std::nullopt;
  GivingRule rule;
  MapReader map(root, "", file, errors);
  map.require({"id"});
  read_id(map, "id", rule.id);
  map.names("name", rule.name_zh, rule.name_en);
  map.boolean("enabled", rule.enabled);
  const Condition items = read_condition(map, "items", true);
  rule.items = [items](const CatalogueItem& item) {
    return items.matches(ItemAttributes(item, nullptr));
  };
  read_donation(map, rule);
  read_points(map, rule);
  read_causes(map, rule);
  if (!rule.donates && rule.earn.empty()) map.error("id", "neither donation nor points: no rule");
  if (rule.earn.empty() && !rule.causes.empty())
    map.error("causes", "take points; none are earned");
  map.finish();
  if (errors.size() != errors_before) return std::nullopt;
  return rule;
}

std::shared_ptr<const GivingRules> read_giving_files(std::vector<ConfigFile>& files,
                                                     ConfigErrors& errors) {
  auto rules = std::make_shared<GivingRules>();
  std::map<std::string, std::string> file_of, file_of_cause;
  for (ConfigFile& file : files) {
    std::optional<GivingRule> rule = read_giving_rule(file.text, file.path, errors);
    if (!rule) continue;
    file.id = rule->id;
    const auto claim = [&](auto& taken, const std::string& id, const char* key) {
      const auto [first, is_new] = taken.emplace(id, file.path);
      if (!is_new)
        errors.push_back({file.path, 0, 0, key, id + " is in " + first->second + " too"});
    };
    claim(file_of, rule->id, "id");
    for (const CauseRule& cause : rule->causes) claim(file_of_cause, cause.cause, "causes");
    rules->rules.push_back(std::move(*rule));
    put_text(&rules->text, file.path.substr(file.path.rfind('/') + 1));
    put_text(&rules->text, file.text);
  }
  std::ranges::sort(rules->rules, {}, &GivingRule::id);
  rules->version = sha256_hex(rules->text).substr(0, 16);
  return rules;
}

Result<std::shared_ptr<const GivingRules>> read_giving_text(std::string_view text) {
  std::vector<ConfigFile> files;
  while (!text.empty()) {
    std::string_view path, yaml;
    if (!take_text(&text, &path) || !take_text(&text, &yaml)) {
      return Error{ErrorCode::kInvalid, "no rules of giving"};
    }
    files.push_back({std::string(path), std::string(yaml), {}});
  }
  ConfigErrors errors;
  std::shared_ptr<const GivingRules> rules = read_giving_files(files, errors);
  if (!errors.empty()) return Error{ErrorCode::kInvalid, joined(errors)};
  return rules;
}

GivingStore::GivingStore(std::string folder)
    : ConfigStore("giving", std::move(folder),
                  [this](std::vector<ConfigFile>& files, ConfigErrors& errors) {
                    return compile(files, errors);
                  }),
      current_(std::make_shared<const GivingRules>()) {}

ConfigStore::Publish GivingStore::compile(std::vector<ConfigFile>& files, ConfigErrors& errors) {
  std::shared_ptr<const GivingRules> rules = read_giving_files(files, errors);
  if (!errors.empty()) return nullptr;
  return [this, rules] { current_.set(rules); };
}

}  // namespace shanhuo
