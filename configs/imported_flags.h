// payload.json beside engine.yaml: features and experiments of another system, in the payload of
// GrowthBook's SDKs (flag_payload.h). The engine evaluates them for POST /v1/assign, and a feature
// whose id is a parameter ("ranking.retrieve_k") sets it for the pages of its viewers; our own
// experiments are laid over that. What of the file cannot be read disturbs nothing else.
//
// ImportedFlags is immutable and thread-safe; ImportedFlagFile has its own synchronization.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/published.h"
#include "configs/flag_payload.h"
#include "configs/parameters.h"

namespace shanhuo {

class ImportedFlags {
 public:
  ImportedFlags();  // none
  // `base`: what parameters are laid over. Whatever of `payload` is wrong is added to `errors`,
  // each with its JSON pointer: a value that a parameter must not have is not applied.
  static std::shared_ptr<const ImportedFlags> compile(const Value& payload, const std::string& file,
                                                      const RankingOptions& base,
                                                      ConfigErrors& errors);

  const FlagPayload& payload() const { return *payload_; }
  std::vector<std::string> parameters() const;  // that some of its features set
  bool sets_parameters() const { return !settings_.empty(); }
  // Allocates nothing.
  void apply(const AttributeSource& viewer, RankingOptions& options) const;

 private:
  // A feature that is a parameter, and what each of its values sets.
  struct Setting {
    std::string id;
    std::unordered_map<const Value*, ParameterPatch> patches;
  };

  std::shared_ptr<const FlagPayload> payload_;
  std::vector<Setting> settings_;
};

class ImportedFlagFile {
 public:
  using Base = std::function<RankingOptions()>;
  ImportedFlagFile(std::string path, Base base);

  // Reads the file if it changed; call a few times a second. Text that is no JSON object leaves the
  // last good file live; no file is no flags. True when errors() are others than before.
  bool reload();
  void read_anew();  // the next reload() reads it in any case

  const Published<ImportedFlags>& published() const { return flags_; }
  ConfigErrors errors() const;

 private:
  const std::string path_;
  const Base base_;
  Published<ImportedFlags> flags_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::string stamp_ = "none yet";
  ConfigErrors errors_;
};

}  // namespace shanhuo
