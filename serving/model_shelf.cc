// Tested by tests/serving_models_test.cc.
#include "serving/model_shelf.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/durable_file.h"

namespace shanhuo {

namespace fs = std::filesystem;

ModelShelf::ModelShelf(std::string dir, ModelFolderOptions options)
    : dir_(std::move(dir)), options_(options) {}

std::vector<ModelShelf::Entry> ModelShelf::list() const {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator it(dir_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!valid_version(name) || !it->is_directory(error)) continue;
    entries.push_back({name, read_manifest(it->path().string())});
  }
  std::ranges::sort(entries, {}, &Entry::version);
  return entries;
}

Result<std::shared_ptr<const VectorModel>> ModelShelf::load(const std::string& version) const {
  if (version == kTextModel) return std::shared_ptr<const VectorModel>();
  const Error unknown{ErrorCode::kNotFound, dir_ + " has no model " + version};
  if (!valid_version(version)) return unknown;
  const std::string folder = dir_ + "/" + version;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return unknown;
  Result<StoredModel> stored = read_model(folder, options_);
  if (!stored.ok()) return stored.error();
  VectorModelParts& parts = stored.value().parts;
  if (parts.version != version) {
    return Error{ErrorCode::kInvalid, folder + "/manifest.json: is of version " + parts.version};
  }
  Result<std::shared_ptr<const VectorModel>> model = VectorModel::make(std::move(parts));
  if (!model.ok()) return model.error().within(folder);
  return model;
}

Result<std::string> ModelShelf::chosen() const {
  std::error_code error;
  if (!fs::exists(current_file(), error)) return std::string(kTextModel);
  std::ifstream file(current_file());
  std::string version;
  if (!std::getline(file, version) || !valid_version(version)) {
    return Error{ErrorCode::kCorrupt, current_file() + ": names no version"};
  }
  return version;
}

Status ModelShelf::choose(const std::string& version) const {
  std::error_code error;
  fs::create_directories(dir_, error);
  if (error) return Error{ErrorCode::kIo, dir_ + ": " + error.message()};
  const std::array<std::string_view, 2> pieces = {version, "\n"};
  return replace_file(current_file(), pieces);
}

}  // namespace shanhuo
