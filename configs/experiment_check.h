// What holds between experiments (experiment_reader.h lists it): a part of experiment_reader.cc.
#pragma once

#include <span>
#include <vector>

#include "configs/experiment.h"
#include "configs/yaml.h"

namespace shanhuo {

// roots[i] is the file of experiments[i]; errors stand at its keys. `all`: there are no others that
// could not be read; otherwise nothing is said of experiments that are missing.
void check_together(std::span<const Experiment> experiments, std::span<const YamlNode> roots,
                    bool all, ConfigErrors& errors);

}  // namespace shanhuo
