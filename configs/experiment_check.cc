#include "configs/experiment_check.h"

#include <algorithm>
#include <map>
#include <string>

#include "configs/reader.h"

namespace shanhuo {
namespace {

class Together {
 public:
  Together(std::span<const Experiment> experiments, std::span<const YamlNode> roots, bool all,
           ConfigErrors& errors)
      : experiments_(experiments), roots_(roots), all_(all), errors_(errors) {}

  void check() {
    std::map<std::string, size_t> layers;
    for (size_t i = 0; i < experiments_.size(); ++i) {
      const size_t errors_before = errors_.size();
      check_id(i);
      const auto [layer, is_new] = layers.emplace(experiments_[i].layer, i);
      if (layers.size() == kLayersMax + 1 && is_new) {
        error(i, "layer", "is one layer more than " + std::to_string(kLayersMax));
      }
      if (i == kExperimentsMax) {
        error(i, "id", "is one experiment more than " + std::to_string(kExperimentsMax));
      }
      for (size_t j = 0; j < i; ++j) check_pair(i, j);
      if (errors_.size() == errors_before) check_prerequisites(i);
    }
    check_circles();
  }

 private:
  // The value under a dotted path of maps and list indices, as far as it is there.
  const YamlNode& node(size_t i, std::initializer_list<std::string_view> path) const {
    const YamlNode* at = &roots_[i];
    for (const std::string_view key : path) {
      const YamlNode* next = at->find(key);
      if (next == nullptr) return *at;
      at = next;
    }
    return *at;
  }
  void error_at(size_t i, const YamlNode& node, std::string key, std::string message) {
    errors_.push_back(
        {experiments_[i].file, node.line, node.column, std::move(key), std::move(message)});
  }
  void error(size_t i, std::string_view key, std::string message) {
    error_at(i, node(i, {key}), std::string(key), std::move(message));
  }

  void check_id(size_t i) {
    for (size_t j = 0; j < i; ++j) {
      if (experiments_[i].id != experiments_[j].id) continue;
      error(i, "id", experiments_[i].id + " is the id of " + experiments_[j].file + " already");
      return;
    }
  }

  void check_pair(size_t i, size_t j) {
    const Experiment &mine = experiments_[i], &other = experiments_[j];
    if (mine.id == other.id) return;
    if (mine.layer == other.layer) {
      if (std::max(mine.range.low, other.range.low) < std::min(mine.range.high, other.range.high)) {
        error(i, "range",
              "overlaps with the range of " + other.id + " in layer " + mine.layer +
                  ", ranges of a layer must not");
      }
      if (mine.attribute != other.attribute) {
        error_at(i, node(i, {"hash", "attribute"}), "hash.attribute",
                 mine.attribute + " is not " + other.attribute + " as in " + other.id +
                     "; experiments of a layer hash one attribute");
      }
      return;
    }
    if (mine.seed == other.seed) {
      error_at(i, node(i, {"hash", "seed"}), "hash.seed",
               mine.seed + " is the seed of " + other.id +
                   " in another layer: their viewers would go together");
    }
    check_parameters(i, j);
  }

  // Who is held out is in no other experiment, so what that variation sets meets nobody else's.
  void check_parameters(size_t i, size_t j) {
    for (size_t v = experiments_[i].holdout ? 1 : 0; v < experiments_[i].variations.size(); ++v) {
      const YamlNode& variation = node(i, {"variations"}).items[v];
      for (const std::string& name : experiments_[i].variations[v].set.names()) {
        if (!sets(experiments_[j], name)) continue;
        const YamlNode* set = variation.find("set");
        error_at(i, *set->find(name), "variations[" + std::to_string(v) + "].set." + name,
                 "is set by " + experiments_[j].id + " in layer " + experiments_[j].layer +
                     (bounds_tied(name) ? ", or what its bounds depend on" : "") +
                     "; experiments that set one parameter share a layer");
        return;
      }
    }
  }

  static bool sets(const Experiment& experiment, const std::string& name) {
    for (size_t v = experiment.holdout ? 1 : 0; v < experiment.variations.size(); ++v) {
      for (const std::string& other : experiment.variations[v].set.names()) {
        if (other == name || (bounds_tied(other) && bounds_tied(name))) return true;
      }
    }
    return false;
  }

  const Experiment* find(std::string_view id) const {
    const auto found = std::find_if(experiments_.begin(), experiments_.end(),
                                    [&](const Experiment& each) { return each.id == id; });
    return found == experiments_.end() ? nullptr : &*found;
  }

  void check_prerequisites(size_t i) {
    for (size_t p = 0; p < experiments_[i].prerequisites.size(); ++p) {
      const ExperimentPrerequisite& needed = experiments_[i].prerequisites[p];
      const YamlNode& entry = node(i, {"prerequisites"}).items[p];
      const std::string path = "prerequisites[" + std::to_string(p) + "]";
      const Experiment* parent = find(needed.experiment);
      if (parent == nullptr) {
        if (!all_) continue;
        error_at(i, *entry.find("experiment"), path + ".experiment",
                 needed.experiment + " is no experiment");
        continue;
      }
      if (parent->layer == experiments_[i].layer && parent->id != experiments_[i].id) {
        error_at(i, *entry.find("experiment"), path + ".experiment",
                 parent->id + " is of the same layer: nobody is in both");
        continue;
      }
      check_keys(i, needed.test, *parent, *entry.find("variation"), path + ".variation");
    }
  }

  // Every text in the test is the key of a variation; operators may say more.
  void check_keys(size_t i, const Value& test, const Experiment& parent, const YamlNode& at,
                  const std::string& path) {
    if (test.is_text()) {
      std::string keys;
      for (const ExperimentVariation& variation : parent.variations) {
        if (variation.key == test.as_text()) return;
        keys += (keys.empty() ? "" : ", ") + variation.key;
      }
      error_at(i, at, path,
               test.as_text() + " is no variation of " + parent.id + ", one of " + keys);
    } else if (test.is_array()) {
      for (const Value& each : test.as_array()) check_keys(i, each, parent, at, path);
    } else if (test.is_object()) {
      for (const auto& [name, value] : test.as_object()) {
        const bool names_keys =
            name == "$in" || name == "$nin" || name == "$eq" || name == "$ne" || name == "$not";
        if (names_keys) check_keys(i, value, parent, at, path);
      }
    }
  }

  // Each circle once, at the prerequisite of the last file in it.
  void check_circles() {
    for (size_t i = 0; i < experiments_.size(); ++i) {
      for (size_t p = 0; p < experiments_[i].prerequisites.size(); ++p) {
        std::vector<std::string> path = {experiments_[i].id};
        std::vector<bool> seen(experiments_.size());
        if (!leads_to(experiments_[i].prerequisites[p].experiment, i, seen, path)) continue;
        std::string said;
        for (const std::string& step : path) said += step + " -> ";
        const YamlNode& entry = node(i, {"prerequisites"}).items[p];
        error_at(i, entry, "prerequisites[" + std::to_string(p) + "]",
                 "is a circle: " + said + experiments_[i].id);
      }
    }
  }

  // Over earlier files alone; looks at each once.
  bool leads_to(std::string_view id, size_t goal, std::vector<bool>& seen,
                std::vector<std::string>& path) const {
    if (id == experiments_[goal].id) return true;
    const Experiment* at = find(id);
    if (at == nullptr || at > &experiments_[goal]) return false;
    const auto index = static_cast<size_t>(at - experiments_.data());
    if (seen[index]) return false;
    seen[index] = true;
    path.push_back(at->id);
    for (const ExperimentPrerequisite& next : at->prerequisites) {
      if (leads_to(next.experiment, goal, seen, path)) return true;
    }
    path.pop_back();
    return false;
  }

  const std::span<const Experiment> experiments_;
  const std::span<const YamlNode> roots_;
  const bool all_;
  ConfigErrors& errors_;
};

}  // namespace

void check_together(std::span<const Experiment> experiments, std::span<const YamlNode> roots,
                    bool all, ConfigErrors& errors) {
  Together(experiments, roots, all, errors).check();
}

}  // namespace shanhuo
