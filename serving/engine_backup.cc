// A copy of the data folder while the engine serves: state and log as of one moment, then the small
// files beside them, and of trained models the one that was chosen.
#include <filesystem>
#include <set>

#include "serving/engine.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

Error failed(const std::string& path, const std::error_code& error) {
  return {ErrorCode::kIo, path + ": " + error.message()};
}

// Of data_dir, but for what is copied by those who write it; a file that is not whole ends in
// .partial.
bool small_part(const fs::directory_entry& entry) {
  static const std::set<std::string> kFolders = {"revisions"};
  const std::string name = entry.path().filename().string();
  if (entry.is_directory()) return kFolders.contains(name);
  return entry.is_regular_file() && !name.starts_with("changes.ndjson") &&
         !name.starts_with("reads.ndjson") && !name.ends_with(".partial");
}

Status copy_small_parts(const std::string& from, const std::string& to) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(from, error)) {
    if (!small_part(entry)) continue;
    const fs::path target = fs::path(to) / entry.path().filename();
    fs::copy(entry.path(), target, fs::copy_options::recursive, error);
    if (error) break;
  }
  return error ? Status(failed(to, error)) : Status();
}

// Where models.dir is another folder its owner keeps it.
Status copy_chosen_model(const ModelShelf& models, const std::string& data_dir,
                         const std::string& to) {
  const fs::path dir = models.dir();
  std::error_code error;
  if (fs::weakly_canonical(dir, error) != fs::weakly_canonical(data_dir, error) / "models") {
    return {};
  }
  const Result<std::string> chosen = models.chosen();
  if (!chosen.ok()) return chosen.error();
  if (chosen.value() == kTextModel) return {};
  const fs::path target = fs::path(to) / "models";
  fs::create_directory(target, error);
  if (!error) fs::copy(dir / chosen.value(), target / chosen.value(), error);
  if (!error) fs::copy(dir / ".current", target / ".current", error);
  return error ? Status(failed(target.string(), error)) : Status();
}

}  // namespace

// The state first: the log then has at least all that the state stands for, and what was decided
// before the call.
Status Engine::backup(const std::string& directory) {
  const bool answered = decisions_->wait_answered(Millis(options_.api.wait_applied_ms));
  if (!answered) return Error{ErrorCode::kUnavailable, "backup: the log takes too long"};
  if (const Status status = pipeline_->checkpoint_now(options_.api.wait_applied_ms); !status.ok()) {
    return status;
  }
  std::error_code error;
  if (!fs::create_directory(directory, error)) {
    return Error{ErrorCode::kConflict,
                 directory + (error ? ": " + error.message() : std::string(" exists already"))};
  }
  Status status = checkpoints_->backup(directory + "/state");
  if (status.ok() && log_.embedded != nullptr) {
    status = log_.embedded->backup(directory + "/log");
  }
  if (status.ok()) status = changes_->copy_to(directory);
  if (status.ok()) status = reads_->copy_to(directory);
  if (status.ok()) status = copy_small_parts(options_.data_dir, directory);
  if (status.ok()) status = copy_chosen_model(models_, options_.data_dir, directory);
  const std::string counter = directory + "/decisions.counter";
  if (status.ok() && directory + "/" + options_.counter_file != counter) {  // of a member
    fs::copy_file(options_.data_dir + "/" + options_.counter_file, counter,
                  fs::copy_options::overwrite_existing, error);
    if (error) status = failed(counter, error);
  }
  return status;
}

}  // namespace shanhuo
