// configs/giving/*.yaml -> features/giving_rules.h, every error with file, line and column. The
// grammar, with what each key does, is in docs/giving.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/published.h"
#include "configs/config_store.h"
#include "configs/yaml.h"
#include "features/giving_rules.h"

namespace shanhuo {

// nullopt when `errors` grew. `file` is what errors name.
std::optional<GivingRule> read_giving_rule(std::string_view text, const std::string& file,
                                           ConfigErrors& errors);
// A set of files: distinct ids, and no cause in two rules. Sets the id of each file that has one.
std::shared_ptr<const GivingRules> read_giving_files(std::vector<ConfigFile>& files,
                                                     ConfigErrors& errors);
// GivingRules::text back into rules; kInvalid with all that is wrong.
Result<std::shared_ptr<const GivingRules>> read_giving_text(std::string_view text);

// The folder of rules, and the set that its files make (config_store.h). Thread-safe.
class GivingStore final : public ConfigStore {
 public:
  // Does not read yet. `folder` may be missing: no rules.
  explicit GivingStore(std::string folder);

  std::shared_ptr<const GivingRules> current() const { return current_.get(); }

 private:
  Publish compile(std::vector<ConfigFile>& files, ConfigErrors& errors);

  Published<GivingRules> current_;
};

}  // namespace shanhuo
