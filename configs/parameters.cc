#include "configs/parameters.h"

#include <cstring>
#include <type_traits>
#include <variant>

#include "base/check.h"

namespace shanhuo {
namespace {

// A patch is some bytes of the struct.
static_assert(std::is_trivially_copyable_v<RankingOptions>);

struct Bytes {
  const void* at;
  size_t size;
};

struct BytesOf {
  Bytes operator()(const Option::Enum& target) const { return {target.first, 1}; }
  Bytes operator()(std::span<double> target) const { return {target.data(), target.size_bytes()}; }
  template <typename T>
  Bytes operator()(T* target) const {
    return {target, sizeof(T)};
  }
};

}  // namespace

bool is_parameter(const Option& option) { return option.section == "ranking"; }

void ParameterPatch::apply(RankingOptions& options) const {
  auto* to = reinterpret_cast<std::byte*>(&options);
  const auto* from = reinterpret_cast<const std::byte*>(&values_);
  for (const Piece& piece : pieces_) {
    std::memcpy(to + piece.offset, from + piece.offset, piece.size);
  }
}

ParameterPatch read_parameters(MapReader& parent, std::string_view key,
                               const RankingOptions& base) {
  ParameterPatch patch;
  const YamlNode* node = parent.map(key);
  if (node == nullptr) return patch;
  EngineOptions options;
  options.ranking = base;
  MapReader map(*node, parent.path_of(key), parent.file(), parent.errors());
  const std::vector<Option> table = option_table(options);
  std::vector<std::string> names;  // outlives the reader's look at the keys
  names.reserve(table.size());
  const size_t errors_before = parent.errors().size();
  for (Option option : table) {
    names.push_back(option.name());
    if (!is_parameter(option)) {
      if (map.has(names.back())) {
        map.any(names.back());
        map.error(names.back(),
                  "is no parameter: it is shared by all requests; a variation may "
                  "set those of ranking, see GET /v1/parameters");
      }
      continue;
    }
    const bool given = map.has(names.back());
    option.section = {};
    option.key = names.back();
    read_option(map, option);
    if (!given) continue;
    const Bytes place = std::visit(BytesOf(), option.target);
    const auto offset = static_cast<size_t>(static_cast<const std::byte*>(place.at) -
                                            reinterpret_cast<const std::byte*>(&options.ranking));
    CHECK(offset + place.size <= sizeof(RankingOptions));
    patch.pieces_.push_back({offset, place.size});
    patch.names_.push_back(names.back());
  }
  map.finish();
  const std::string wrong = wrong_together(options.ranking);
  if (!wrong.empty() && parent.errors().size() == errors_before) {
    parent.error_at(*node, key, "ranking.retrieve_k " + wrong);
  }
  patch.values_ = options.ranking;
  return patch;
}

bool bounds_tied(std::string_view parameter) {
  return parameter == "ranking.retrieve_k" || parameter == "ranking.fresh_k" ||
         parameter == "ranking.popular_k" || parameter == "ranking.in_turn_k";
}

}  // namespace shanhuo
