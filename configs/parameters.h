// Parameters: the options of engine.yaml that a variation of an experiment may set. They are those
// of section `ranking`, each a number of one request; all else is shared by all requests (threads,
// the log, state, models that learn in the fold, prices and goals), so that a variation could not
// have it for itself. Declared once, in option_table.cc.
//
// Values are immutable after reading, and thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "configs/engine_options.h"
#include "configs/reader.h"
#include "ranking/options.h"

namespace shanhuo {

// Whether a variation may set it.
bool is_parameter(const Option& option);

// What one variation sets.
class ParameterPatch {
 public:
  // Copies its values into `options`; allocates nothing.
  void apply(RankingOptions& options) const;
  const std::vector<std::string>& names() const { return names_; }  // "ranking.retrieve_k"
  bool empty() const { return pieces_.empty(); }

 private:
  friend ParameterPatch read_parameters(MapReader& parent, std::string_view key,
                                        const RankingOptions& base);
  struct Piece {
    size_t offset, size;  // bytes of a RankingOptions
  };
  RankingOptions values_;
  std::vector<Piece> pieces_;
  std::vector<std::string> names_;
};

// The map under `key`: parameter: value. Each value has its option's type and bounds; all together
// must fit the options that they are laid over. Errors stand at the values.
ParameterPatch read_parameters(MapReader& parent, std::string_view key, const RankingOptions& base);

// Parameters whose bounds depend on each other; layers may not share them out.
bool bounds_tied(std::string_view parameter);

}  // namespace shanhuo
