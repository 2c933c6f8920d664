// Experiment files for tests: the text of one with some keys changed, and sets made of texts.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "configs/experiment_reader.h"

namespace shanhuo {

// `keys`: YAML values; "" leaves a key out.
inline std::string experiment_text(const std::string& id,
                                   std::map<std::string, std::string> keys = {}) {
  std::map<std::string, std::string> all = {
      {"layer", "ranking"},
      {"variations", "[{key: control, weight: 0.5}, {key: more, weight: 0.5}]"}};
  for (auto& [key, value] : keys) all[key] = value;
  std::string text = "id: " + id + "\n";
  for (const auto& [key, value] : all) {
    if (!value.empty()) text += key + ": " + value + "\n";
  }
  return text;
}

// Null, and `errors` says why, when they make no set. The files are e0.yaml, e1.yaml, ...
inline std::shared_ptr<const ExperimentSet> experiments_of(const std::vector<std::string>& texts,
                                                           ConfigErrors* errors = nullptr) {
  ConfigErrors ignored;
  std::vector<ConfigFile> files;
  for (const std::string& text : texts) {
    files.push_back({"e" + std::to_string(files.size()) + ".yaml", text, ""});
  }
  return read_experiments(files, RankingOptions(), errors != nullptr ? *errors : ignored);
}

}  // namespace shanhuo
