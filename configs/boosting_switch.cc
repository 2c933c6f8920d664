#include "configs/boosting_switch.h"

#include <unistd.h>

#include "base/check.h"
#include "base/durable_file.h"
#include "configs/reader.h"
#include "configs/yaml_edit.h"

namespace shanhuo {
namespace {

// An editor that removes a file before it writes it again is not somebody who removed it.
constexpr int kMissingMost = 3;

bool there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

ConfigChange change_between(const std::string& before, const std::string& after) {
  ConfigChange change;
  change.kind = "boosting";
  change.id = "all";
  change.before = before;
  change.after = after;
  change.from = before.empty() ? "" : revision_of(before);
  change.to = after.empty() ? "" : revision_of(after);
  change.what = yaml_differences(before, after);
  return change;
}

}  // namespace

std::optional<bool> read_boosting(std::string_view text, const std::string& file,
                                  ConfigErrors& errors) {
  const size_t errors_before = errors.size();
  YamlNode root;
  if (!parse_yaml(text, file, root, errors)) return std::nullopt;
  if (root.kind != YamlNode::Kind::kMap) {
    errors.push_back({file, root.line, root.column, "", "must say enabled: true or false"});
    return std::nullopt;
  }
  MapReader map(root, "", file, errors);
  bool enabled = true;
  map.require({"enabled"});
  map.boolean("enabled", enabled);
  map.finish();
  if (errors.size() != errors_before) return std::nullopt;
  return enabled;
}

BoostingSwitch::BoostingSwitch(std::string path) : path_(std::move(path)) {
  if (!there(path_)) return;
  Result<std::string> text = read_text_file(path_);
  if (!text.ok()) errors_.push_back({path_, 0, 0, "", text.error().message});
  if (!text.ok() || !take(std::move(text).value())) enabled_ = false;
}

bool BoostingSwitch::take(std::string text) {
  ConfigErrors errors;
  const std::optional<bool> enabled = read_boosting(text, path_, errors);
  errors_ = std::move(errors);
  text_ = std::move(text);
  if (enabled) enabled_ = *enabled;
  return enabled.has_value();
}

std::optional<ConfigChange> BoostingSwitch::reload() {
  const std::lock_guard lock(mutex_);
  if (!there(path_)) {
    if (text_.empty() || ++missing_ < kMissingMost) return std::nullopt;
    if (errors_.empty()) {
      errors_.push_back({path_, 0, 0, "", "is gone; boosting stays as it was until a restart"});
    }
    return std::nullopt;
  }
  missing_ = 0;
  Result<std::string> text = read_text_file(path_);
  if (!text.ok() || (text.value() == text_ && !text_.empty())) {
    if (text.ok() && errors_.size() == 1 && errors_[0].line == 0) take(std::move(text).value());
    return std::nullopt;
  }
  const std::string before = text_;
  if (!take(std::move(text).value())) return std::nullopt;
  return change_between(before, text_);
}

ConfigErrors BoostingSwitch::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

std::string BoostingSwitch::revision() const {
  const std::lock_guard lock(mutex_);
  return text_.empty() ? "" : revision_of(text_);
}

Result<ConfigChange> BoostingSwitch::write(bool enabled,
                                           const std::optional<std::string>& if_revision,
                                           const ConfigJournal& journal) {
  const std::lock_guard lock(mutex_);
  std::string now;
  if (Result<std::string> text = read_text_file(path_); text.ok()) now = std::move(text).value();
  const std::string revision = now.empty() ? "" : revision_of(now);
  if (if_revision && *if_revision != revision) {
    return Error{ErrorCode::kConflict, "boosting.yaml is at revision " +
                                           (revision.empty() ? std::string("none") : revision)};
  }
  ConfigErrors wrong;
  if (!now.empty() && read_boosting(now, path_, wrong) == enabled) {
    take(std::move(now));
    return change_between(text_, text_);
  }
  const Value wanted(Value::Object{{"enabled", Value(enabled)}});
  const Result<std::string> edited = yaml_with(now, wanted);
  const ConfigChange change =
      change_between(now, !now.empty() && edited.ok() ? edited.value() : yaml_of(wanted));
  if (const Status noted = journal(change); !noted.ok()) return noted.error();
  if (const Status written = replace_file(path_, change.after); !written.ok()) {
    return written.error();
  }
  CHECK(take(change.after));
  return change;
}

}  // namespace shanhuo
