// Brings a backup back: copy aside, read every record (each has a checksum), then give it its name.
// A failure at any moment leaves the data folder as it was.
#include <filesystem>

#include "serving/operator_verbs.h"
#include "streaming/store.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

Status refuse(const fs::path& path, std::string_view why) {
  return Error{ErrorCode::kInvalid, path.string() + ": " + std::string(why)};
}

Status check_target(const fs::path& data_dir) {
  std::error_code error;
  if (!fs::exists(data_dir, error)) return {};
  if (!fs::is_directory(data_dir, error)) return refuse(data_dir, "is no folder");
  const bool empty = fs::is_empty(data_dir, error);
  if (error) return Error{ErrorCode::kIo, data_dir.string() + ": " + error.message()};
  return empty ? Status() : refuse(data_dir, "is not empty; a backup goes into an empty folder");
}

// On Kafka a backup has no log: the cluster keeps it.
bool has_log(const fs::path& backup) {
  std::error_code error;
  return fs::exists(backup / "log", error);
}

Status check_source(const fs::path& from) {
  for (const char* part : {"log", "state"}) {
    std::error_code error;
    if (part == std::string_view("log") && !has_log(from)) continue;
    if (!fs::is_regular_file(from / part / "CURRENT", error)) {
      return refuse(from, "is no backup: the folder " + std::string(part) + " is missing");
    }
  }
  return {};
}

Status verify(const fs::path& part) {
  const Result<std::unique_ptr<Store>> store = Store::open(part.string(), {});
  if (!store.ok()) return store.error().within(part.filename().string());
  const Status read = store.value()->scan("", [](auto, auto) { return Status(); });
  return read.ok() ? read : read.error().within(part.filename().string());
}

}  // namespace

Status restore_backup(const std::string& from, const std::string& data_dir) {
  Status checked = check_source(from);
  if (checked.ok()) checked = check_target(data_dir);
  if (!checked.ok()) return checked;
  fs::path target = fs::absolute(data_dir).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  const fs::path aside = target.string() + ".restoring";
  if (fs::exists(aside)) return refuse(aside, "is in the way of an earlier try; remove it");

  std::error_code error;
  if (target.has_parent_path()) fs::create_directories(target.parent_path(), error);
  fs::copy(from, aside, fs::copy_options::recursive, error);
  Status done;
  if (error) done = Error{ErrorCode::kIo, aside.string() + ": " + error.message()};
  if (done.ok() && has_log(aside)) done = verify(aside / "log");
  if (done.ok()) done = verify(aside / "state");
  if (done.ok()) {
    fs::rename(aside, target, error);  // over an empty folder, or none
    if (error) done = Error{ErrorCode::kIo, target.string() + ": " + error.message()};
  }
  if (!done.ok()) fs::remove_all(aside, error);
  return done;
}

}  // namespace shanhuo
