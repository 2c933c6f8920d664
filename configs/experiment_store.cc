#include "configs/experiment_store.h"

#include "configs/experiment_reader.h"

namespace shanhuo {

ExperimentStore::ExperimentStore(std::string folder, std::function<RankingOptions()> base,
                                 Metrics metrics)
    : ConfigStore("experiment", std::move(folder),
                  [this](std::vector<ConfigFile>& files, ConfigErrors& errors) {
                    return compile(files, errors);
                  }),
      base_(std::move(base)),
      metrics_(std::move(metrics)),
      current_(std::make_shared<const ExperimentSet>()) {}

void ExperimentStore::go_without() {
  current_.set(std::make_shared<const ExperimentSet>(ExperimentSet::none_readable()));
}

ConfigEdit ExperimentStore::patch(Value patch) const {
  return definition_patch(std::move(patch), [this](std::string_view text, ConfigErrors& errors) {
    return read_experiment(text, "", base_(), errors, metrics().get()).has_value();
  });
}

Result<std::shared_ptr<const ExperimentSet>> ExperimentStore::preview(std::string_view id,
                                                                      const ConfigEdit& edit,
                                                                      ConfigErrors& wrong) const {
  Result<std::vector<ConfigFile>> files = preview_files(id, edit, wrong);
  if (!files.ok()) return files.error();
  ConfigErrors errors;
  auto set = read_experiments(files.value(), base_(), errors, metrics().get());
  if (errors.empty()) return set;
  return Error{ErrorCode::kConflict, "another file is broken: " + errors.front().to_string()};
}

ConfigStore::Publish ExperimentStore::compile(std::vector<ConfigFile>& files,
                                              ConfigErrors& errors) {
  std::shared_ptr<const ExperimentSet> set =
      read_experiments(files, base_(), errors, metrics().get());
  if (!errors.empty()) return nullptr;  // of files that could not be opened, too
  return [this, set] { current_.set(set); };
}

}  // namespace shanhuo
