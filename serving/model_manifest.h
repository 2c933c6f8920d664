// manifest.json of a model folder (model_folder.h): text to values and back, checked. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "base/result.h"
#include "serving/model_folder.h"

namespace shanhuo {

struct ModelFile {
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;
};

struct ModelManifest {
  VectorModelParts parts;  // all but what the files hold
  ModelFacts facts;
  uint64_t items = 0;
  std::vector<ModelFile> files;
};

inline constexpr size_t kManifestBytesMax = 1u << 20;

// As an object of that name; the manifest's own parameters and metrics, too.
void write_numbers(JsonWriter& json, std::string_view name, const ModelFacts::Numbers& numbers);
std::string manifest_text(const ModelManifest& manifest);
// kCorrupt: the digest does not fit. kInvalid: no manifest, a newer format, or one that cannot be.
Result<ModelManifest> parse_manifest(std::string_view text);
// Of a model folder, whose other files are not looked at (model_folder.cc).
Result<ModelManifest> read_manifest(const std::string& folder);

}  // namespace shanhuo
