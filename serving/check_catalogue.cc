#include "serving/check_catalogue.h"

#include <filesystem>
#include <fstream>

#include "configs/program_check.h"
#include "features/catalogue.h"
#include "models/text_encoder.h"
#include "ranking/world.h"
#include "streaming/codec.h"

namespace shanhuo {
namespace {

// Applies each line of the file, wrapped as the API has it: {"items": [line]}.
template <typename Decode>
Status apply_lines(const std::string& path, std::string_view key, CatalogueState& catalogue,
                   const Decode& decode) {
  std::ifstream file(path);
  if (!file) return Error{ErrorCode::kNotFound, path + ": cannot be read"};
  json::Document document;
  std::string line, body;
  for (uint64_t number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    const std::string place = path + ":" + std::to_string(number);
    body.assign("{\"").append(key).append("\":[").append(line).append("]}");
    const Result<json::Value> value = document.parse(body);
    if (!value.ok()) return value.error().within(place);
    json::FieldErrors errors;
    auto decoded = decode(value.value(), errors);
    if (!decoded.ok()) return errors.as_error().within(place);
    const Status applied = catalogue.apply(std::move(decoded.value()[0]));
    if (!applied.ok()) return applied.error().within(place);
  }
  return {};
}

}  // namespace

Result<ConfigErrors> warnings_of_catalogue(const std::shared_ptr<const ProgramSet>& set,
                                           const std::string& directory) {
  Interner interner;
  CatalogueState catalogue(interner, [](const Item& item) { return encode_item(item, {}); });
  const Status items = apply_lines(
      directory + "/items.ndjson", "items", catalogue,
      [](json::Value body, json::FieldErrors& errors) { return decode_items(body, 1, errors); });
  if (!items.ok()) return items.error();
  const std::string creators = directory + "/creators.ndjson";
  if (std::filesystem::exists(creators)) {
    const Status read = apply_lines(creators, "creators", catalogue,
                                    [](json::Value body, json::FieldErrors& errors) {
                                      return decode_creators(body, 1, errors);
                                    });
    if (!read.ok()) return read.error();
  }
  catalogue.publish();
  const std::shared_ptr<const World> world = build_world(catalogue.snapshot(), set);
  ConfigErrors warnings;
  for (size_t p = 0; p < set->programs.size(); ++p) {
    if (!world->items_of(static_cast<ProgramIndex>(p)).empty()) continue;
    warn_of_no_items(*set->programs[p], world->catalogue().items, directory, warnings);
  }
  return warnings;
}

}  // namespace shanhuo
