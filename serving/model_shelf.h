// The trained models that an engine may serve: a folder with one model folder (model_folder.h) a
// version, and ".current", which names the version that a restart begins with.
//
// Thread-safe. Nothing is kept in memory: operators may copy model folders in and out at any time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ranking/world.h"
#include "serving/model_folder.h"
#include "serving/model_manifest.h"

namespace shanhuo {

// The vectors that need no training; always there.
inline constexpr std::string_view kTextModel = "text-1";

// Of the vectors that the world's requests compare.
inline std::string_view model_version(const World& world) {
  return world.model() != nullptr ? std::string_view(world.model()->version()) : kTextModel;
}

class ModelShelf {
 public:
  ModelShelf(std::string dir, ModelFolderOptions options);

  struct Entry {
    std::string version;
    Result<ModelManifest> manifest;  // or why it is refused
  };
  // By name. Reads manifests alone: load() may still find that a file is damaged.
  std::vector<Entry> list() const;

  // nullptr for kTextModel. kNotFound, or why it is refused.
  Result<std::shared_ptr<const VectorModel>> load(const std::string& version) const;

  // kTextModel before any was chosen.
  Result<std::string> chosen() const;
  // Durable when this returns.
  Status choose(const std::string& version) const;

  const std::string& dir() const { return dir_; }

 private:
  std::string current_file() const { return dir_ + "/.current"; }

  const std::string dir_;
  const ModelFolderOptions options_;
};

}  // namespace shanhuo
