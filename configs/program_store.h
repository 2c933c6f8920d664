// The folder of program files (config_store.h), and the set of programs that is live.
//
// Thread-safe. current() takes no file lock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/published.h"
#include "configs/config_store.h"
#include "ranking/program.h"

namespace shanhuo {

// RFC 7396. kNotFound without a file, kConflict when it is broken.
ConfigEdit program_patch(Value patch);

class ProgramStore final : public ConfigStore {
 public:
  // Does not read yet. `folder` may be missing: no programs.
  explicit ProgramStore(std::string folder);

  std::shared_ptr<const ProgramSet> current() const { return current_.get(); }
  // The set with a change that fits, as write() has it; nothing is written.
  Result<std::shared_ptr<const ProgramSet>> preview(std::string_view id, const ConfigEdit& edit,
                                                    ConfigErrors& wrong) const;

 private:
  Publish compile(std::vector<ConfigFile>& files, ConfigErrors& errors);

  Published<ProgramSet> current_;
};

// A set in the order of conflicts, with its version. Requires: distinct ids.
std::shared_ptr<const ProgramSet> make_program_set(
    std::vector<std::shared_ptr<const Program>> programs);

}  // namespace shanhuo
