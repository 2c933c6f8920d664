#include "configs/imported_flags.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/durable_file.h"
#include "base/json_writer.h"
#include "configs/flag_evaluator.h"
#include "features/attributes_json.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

constexpr size_t kFileBytesMax = 8 << 20;

std::string stamp_of(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return {};
  return std::to_string(file.st_ino) + ";" + std::to_string(file.st_size) + ";" +
         std::to_string(file.st_mtim.tv_sec) + ";" + std::to_string(file.st_mtim.tv_nsec);
}

// All values that the flag can have.
std::vector<const Value*> values_of(const Flag& flag) {
  std::vector<const Value*> values = {&flag.fallback};
  for (const FlagRule& rule : flag.rules) {
    if (rule.force) values.push_back(&*rule.force);
    if (!rule.experiment) continue;
    for (const Value& variation : rule.experiment->variations) values.push_back(&variation);
  }
  return values;
}

bool names_a_parameter(std::string_view id) {
  EngineOptions options;
  const std::vector<Option> table = option_table(options);
  return std::any_of(table.begin(), table.end(), [&](const Option& option) {
    return is_parameter(option) && option.name() == id;
  });
}

// What the value sets, read as a variation of ours is; nothing when it is null or wrong.
ParameterPatch patch_of(const std::string& id, const Value& value, const std::string& file,
                        const RankingOptions& base, ConfigErrors& errors) {
  if (value.is_null()) return {};
  std::string text = "set: {" + id + ": ";
  JsonWriter json(text);
  write_value(json, value);
  YamlNode root;
  ConfigErrors wrong;
  ParameterPatch patch;
  if (parse_yaml(text + "}", file, root, wrong)) {
    MapReader map(root, "", file, wrong);
    patch = read_parameters(map, "set", base);
  }
  for (const ConfigError& error : wrong) {
    errors.push_back({file, 0, 0, "/features/" + id, error.message});
  }
  return wrong.empty() ? patch : ParameterPatch();
}

}  // namespace

ImportedFlags::ImportedFlags() : payload_(FlagPayload::compile(Value())) {}

std::shared_ptr<const ImportedFlags> ImportedFlags::compile(const Value& payload,
                                                            const std::string& file,
                                                            const RankingOptions& base,
                                                            ConfigErrors& errors) {
  auto flags = std::make_shared<ImportedFlags>();
  std::vector<PayloadError> wrong;
  flags->payload_ = FlagPayload::compile(payload, &wrong);
  for (const PayloadError& error : wrong) {
    errors.push_back({file, 0, 0, error.pointer, error.detail});
  }
  for (const auto& [id, flag] : flags->payload_->flags()) {
    if (!names_a_parameter(id)) continue;
    if (bounds_tied(id)) {
      errors.push_back({file, 0, 0, "/features/" + id,
                        "its bounds hang on other parameters': experiments of ours may set it"});
      continue;
    }
    Setting setting{id, {}};
    for (const Value* value : values_of(flag)) {
      ParameterPatch patch = patch_of(id, *value, file, base, errors);
      if (!patch.empty()) setting.patches.emplace(value, std::move(patch));
    }
    if (!setting.patches.empty()) flags->settings_.push_back(std::move(setting));
  }
  return flags;
}

std::vector<std::string> ImportedFlags::parameters() const {
  std::vector<std::string> names;
  for (const Setting& setting : settings_) names.push_back(setting.id);
  return names;
}

void ImportedFlags::apply(const AttributeSource& viewer, RankingOptions& options) const {
  const FlagRequest request{.attributes = viewer};
  FlagEvaluator evaluator(*payload_, request);
  for (const Setting& setting : settings_) {
    const auto patch = setting.patches.find(evaluator.evaluate(setting.id).value);
    if (patch != setting.patches.end()) patch->second.apply(options);
  }
}

ImportedFlagFile::ImportedFlagFile(std::string path, Base base)
    : path_(std::move(path)),
      base_(std::move(base)),
      flags_(std::make_shared<const ImportedFlags>()) {}

bool ImportedFlagFile::reload() {
  const std::lock_guard lock(mutex_);
  std::string now = stamp_of(path_);
  if (now == stamp_) return false;
  stamp_ = std::move(now);
  ConfigErrors errors;
  if (stamp_.empty()) {
    flags_.set(std::make_shared<const ImportedFlags>());
  } else {
    const Result<std::string> text = read_text_file(path_, kFileBytesMax);
    json::Document document;
    const auto parsed =
        text.ok() ? document.parse(text.value()) : Result<json::Value>(text.error());
    const auto tree = parsed.ok() ? json::to_value(parsed.value()) : Result<Value>(parsed.error());
    if (!tree.ok()) {
      errors.push_back({path_, 0, 0, "", tree.error().message});
    } else {
      flags_.set(ImportedFlags::compile(tree.value(), path_, base_(), errors));
    }
  }
  const bool other = joined(errors) != joined(errors_);
  errors_ = std::move(errors);
  return other;
}

void ImportedFlagFile::read_anew() {
  const std::lock_guard lock(mutex_);
  stamp_ = "none yet";
}

ConfigErrors ImportedFlagFile::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

}  // namespace shanhuo
