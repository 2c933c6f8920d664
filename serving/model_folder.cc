// Tested by tests/serving_model_folder_test.cc, which flips each byte of a folder.
#include "serving/model_folder.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/durable_file.h"
#include "features/digest.h"
#include "serving/model_manifest.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;
static_assert(std::endian::native == std::endian::little, "arrays are their own disk format");

constexpr const char* kManifest = "manifest.json";
constexpr const char* kItems = "items.bin";
constexpr const char* kEvidence = "evidence.bin";
constexpr const char* kHistories = "histories.bin";
constexpr const char* kCandidates = "candidates.bin";
constexpr const char* kTextMap = "text_map.bin";
constexpr size_t kIdBytesMax = 128;

std::string pack_ids(const std::vector<std::string>& ids) {
  std::string out;
  for (const std::string& id : ids) {
    out.push_back(static_cast<char>(id.size()));
    out += id;
  }
  return out;
}

Status check_sizes(const VectorModelParts& parts) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  const size_t n = parts.items.size();
  if (n == 0) return wrong("items: there is none");
  if (!std::ranges::all_of(parts.items, [](const std::string& id) { return valid_id(id); })) {
    return wrong("items: an id that is none");
  }
  if (parts.evidence.size() != n) return wrong("evidence: not one number an item");
  if (parts.histories.size() != n * kDims) return wrong("histories: not 64 numbers an item");
  const bool als = parts.kind == VectorModelKind::kAls;
  if (parts.candidates.size() != (als ? 0 : n * kDims)) {
    return wrong("candidates: not 64 numbers an item, or of als");
  }
  return {};
}

// Writes one folder's files, and notes each for its manifest.
class FolderWriter {
 public:
  explicit FolderWriter(fs::path folder) : folder_(std::move(folder)) {}

  Status add(const char* name, std::string_view bytes) {
    files_.push_back({name, bytes.size(), sha256_hex(bytes)});
    return write(name, bytes);
  }
  Status write(const char* name, std::string_view bytes) const {
    return write_new_file((folder_ / name).string(), std::span(&bytes, 1));
  }
  const std::vector<ModelFile>& files() const { return files_; }

 private:
  const fs::path folder_;
  std::vector<ModelFile> files_;
};

// The manifest comes last: without it the rest is nothing.
Status write_files(const fs::path& folder, const VectorModelParts& parts, const ModelFacts& facts) {
  FolderWriter writer(folder);
  Status done = writer.add(kItems, pack_ids(parts.items));
  if (done.ok()) done = writer.add(kEvidence, bytes_of(std::span(parts.evidence)));
  if (done.ok()) done = writer.add(kHistories, bytes_of(std::span(parts.histories)));
  if (done.ok() && parts.kind != VectorModelKind::kAls) {
    done = writer.add(kCandidates, bytes_of(std::span(parts.candidates)));
  }
  if (done.ok() && parts.text) {
    std::string bytes;
    parts.text->to_bytes(bytes);
    done = writer.add(kTextMap, bytes);
  }
  if (!done.ok()) return done;
  ModelManifest manifest;
  manifest.parts.version = parts.version;
  manifest.parts.kind = parts.kind;
  manifest.parts.nearness = parts.nearness;
  manifest.parts.als = parts.als;
  manifest.parts.evidence_half = parts.evidence_half;
  manifest.facts = facts;
  manifest.items = parts.items.size();
  manifest.files = writer.files();
  done = writer.write(kManifest, manifest_text(manifest));
  return done.ok() ? sync_folder(folder.string()) : done;
}

// The files of one folder, each read once and compared with the manifest.
class FolderReader {
 public:
  FolderReader(fs::path folder, const std::vector<ModelFile>& files)
      : folder_(std::move(folder)), files_(files) {}

  // kNotFound when the manifest names no such file.
  template <typename T>
  Result<std::vector<T>> array(const char* name, uint64_t count) const {
    std::vector<T> values;
    const ModelFile* file = find(name);
    if (file == nullptr) return Error{ErrorCode::kNotFound, missing(name)};
    if (file->bytes != count * sizeof(T)) {
      return Error{ErrorCode::kCorrupt, std::string(name) + ": has " + std::to_string(file->bytes) +
                                            " bytes, of " + std::to_string(count) +
                                            " numbers are wanted"};
    }
    values.resize(count);
    const Status read = fill(*file, reinterpret_cast<char*>(values.data()));
    if (!read.ok()) return read.error();
    return values;
  }
  Result<std::string> bytes(const char* name, uint64_t bytes_max) const {
    const ModelFile* file = find(name);
    if (file == nullptr) return Error{ErrorCode::kNotFound, missing(name)};
    if (file->bytes > bytes_max) {
      return Error{ErrorCode::kTooLarge, std::string(name) + ": has " +
                                             std::to_string(file->bytes) + " bytes, at most " +
                                             std::to_string(bytes_max)};
    }
    std::string text(file->bytes, '\0');
    const Status read = fill(*file, text.data());
    if (!read.ok()) return read.error();
    return text;
  }
  bool has(const char* name) const { return find(name) != nullptr; }

  // Each file of the folder is in the manifest, and the other way round.
  Status check_names(const std::vector<std::string>& allowed) const {
    for (const ModelFile& file : files_) {
      if (std::ranges::count(files_, file.name, &ModelFile::name) != 1 ||
          std::ranges::count(allowed, file.name) == 0) {
        return Error{ErrorCode::kInvalid,
                     std::string(kManifest) + ": names the file '" + file.name + "'"};
      }
    }
    std::error_code error;
    fs::directory_iterator entry(folder_, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (name != kManifest && find(name) == nullptr) {
        return Error{ErrorCode::kInvalid, name + ": is not in the manifest"};
      }
    }
    if (error) return Error{ErrorCode::kIo, folder_.string() + ": " + error.message()};
    return {};
  }

 private:
  const ModelFile* find(std::string_view name) const {
    const auto found = std::ranges::find(files_, name, &ModelFile::name);
    return found == files_.end() ? nullptr : &*found;
  }
  static std::string missing(const char* name) {
    return std::string(kManifest) + ": does not name " + name;
  }

  Status fill(const ModelFile& file, char* to) const {
    const fs::path path = folder_ / file.name;
    std::error_code error;
    if (!fs::is_regular_file(path, error)) {
      return Error{ErrorCode::kCorrupt, file.name + ": is missing"};
    }
    const uintmax_t size = fs::file_size(path, error);
    if (error || size != file.bytes) {
      return Error{ErrorCode::kCorrupt, file.name + ": has " + std::to_string(size) +
                                            " bytes, the manifest says " +
                                            std::to_string(file.bytes)};
    }
    std::ifstream in(path, std::ios::binary);
    if (!in.read(to, static_cast<std::streamsize>(size))) {
      return Error{ErrorCode::kIo, file.name + ": cannot be read: " + std::strerror(errno)};
    }
    if (sha256_hex({to, size}) != file.sha256) {
      return Error{ErrorCode::kCorrupt,
                   file.name + ": is not as it was written: its digest does not fit"};
    }
    return {};
  }

  const fs::path folder_;
  const std::vector<ModelFile>& files_;
};

Result<std::vector<std::string>> unpack_ids(std::string_view bytes, uint64_t count) {
  std::vector<std::string> ids;
  ids.reserve(count);
  while (!bytes.empty()) {
    const auto size = static_cast<uint8_t>(bytes.front());
    const std::string_view id = bytes.substr(1, size);
    if (id.size() != size || !valid_id(id)) return Error{ErrorCode::kCorrupt, "an id that is none"};
    ids.emplace_back(id);
    bytes.remove_prefix(1 + id.size());
  }
  if (ids.size() != count) return Error{ErrorCode::kCorrupt, "not as many ids as items"};
  return ids;
}

Status read_floats(const FolderReader& reader, const char* name, uint64_t items,
                   std::vector<float>& out) {
  Result<std::vector<float>> read = reader.array<float>(name, items * kDims);
  if (!read.ok()) return read.error();
  out = std::move(read).value();
  if (std::ranges::all_of(out, [](float x) { return std::isfinite(x); })) return {};
  return Error{ErrorCode::kCorrupt, std::string(name) + ": not every one is a number"};
}

Status read_files(const FolderReader& reader, uint64_t items, VectorModelParts& parts) {
  const Result<std::string> packed = reader.bytes(kItems, items * (kIdBytesMax + 1));
  if (!packed.ok()) return packed.error();
  Result<std::vector<std::string>> ids = unpack_ids(packed.value(), items);
  if (!ids.ok()) return ids.error().within(kItems);
  parts.items = std::move(ids).value();
  Result<std::vector<uint32_t>> evidence = reader.array<uint32_t>(kEvidence, items);
  if (!evidence.ok()) return evidence.error();
  parts.evidence = std::move(evidence).value();
  Status read = read_floats(reader, kHistories, items, parts.histories);
  if (read.ok() && parts.kind != VectorModelKind::kAls) {
    read = read_floats(reader, kCandidates, items, parts.candidates);
  }
  if (!read.ok() || !reader.has(kTextMap)) return read;
  const Result<std::string> bytes = reader.bytes(kTextMap, TextMap::kBytesMax);
  if (!bytes.ok()) return bytes.error();
  Result<TextMap> map = TextMap::from_bytes(bytes.value());
  if (!map.ok()) return map.error().within(kTextMap);
  parts.text = std::make_shared<const TextMap>(std::move(map).value());
  return {};
}

Result<std::string> manifest_of(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return Error{ErrorCode::kNotFound, "is no folder: a model is one"};
  }
  const fs::path path = folder / kManifest;
  if (!fs::is_regular_file(path, error)) {
    return Error{ErrorCode::kCorrupt, std::string(kManifest) + ": is missing"};
  }
  if (fs::file_size(path, error) > kManifestBytesMax || error) {
    return Error{ErrorCode::kTooLarge, std::string(kManifest) + ": is longer than 1 MiB"};
  }
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in) return text;
  return Error{ErrorCode::kIo, std::string(kManifest) + ": cannot be read"};
}

Result<StoredModel> read_folder(const fs::path& folder, const ModelFolderOptions& options) {
  const Result<std::string> text = manifest_of(folder);
  if (!text.ok()) return text.error();
  Result<ModelManifest> parsed = parse_manifest(text.value());
  if (!parsed.ok()) return parsed.error().within(kManifest);
  ModelManifest& manifest = parsed.value();
  if (manifest.items > options.items_max) {
    return Error{ErrorCode::kTooLarge, std::string(kManifest) + ": " +
                                           std::to_string(manifest.items) + " items, at most " +
                                           std::to_string(options.items_max)};
  }
  std::vector<std::string> names = {kItems, kEvidence, kHistories, kTextMap};
  if (manifest.parts.kind != VectorModelKind::kAls) names.emplace_back(kCandidates);
  const FolderReader reader(folder, manifest.files);
  if (const Status named = reader.check_names(names); !named.ok()) return named.error();
  StoredModel model{std::move(manifest.parts), std::move(manifest.facts)};
  if (const Status read = read_files(reader, manifest.items, model.parts); !read.ok()) {
    return read.error();
  }
  return model;
}

}  // namespace

Status write_model(const std::string& folder, const VectorModelParts& parts,
                   const ModelFacts& facts) {
  if (const Status checked = check_sizes(parts); !checked.ok()) return checked;
  fs::path target = fs::path(folder).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  std::error_code error;
  if (fs::exists(target, error)) {
    return Error{ErrorCode::kConflict, folder + ": is there already; versions never change"};
  }
  const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  const fs::path aside = parent / ("." + target.filename().string() + ".partial");
  fs::remove_all(aside, error);
  if (!error) fs::create_directory(aside, error);
  if (error) return Error{ErrorCode::kIo, aside.string() + ": " + error.message()};
  Status done = write_files(aside, parts, facts);
  if (done.ok()) {
    fs::rename(aside, target, error);
    if (error) done = Error{ErrorCode::kIo, folder + ": " + error.message()};
  }
  if (done.ok()) return sync_folder(parent.string());
  fs::remove_all(aside, error);
  return done;
}

Result<ModelManifest> read_manifest(const std::string& folder) {
  const Result<std::string> text = manifest_of(folder);
  if (!text.ok()) return text.error().within(folder);
  Result<ModelManifest> manifest = parse_manifest(text.value());
  if (!manifest.ok()) return manifest.error().within(folder);
  return manifest;
}

Result<StoredModel> read_model(const std::string& folder, const ModelFolderOptions& options) {
  Result<StoredModel> model = read_folder(folder, options);
  if (!model.ok()) return model.error().within(folder);
  return model;
}

}  // namespace shanhuo
