#include "serving/rebuild.h"

#include <filesystem>
#include <memory>

#include "serving/engine.h"
#include "serving/engine_log.h"
#include "streaming/state_claim.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

Status move_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return Error{ErrorCode::kIo, to.string() + ": " + error.message()};
  return {};
}

// A state from the rest of a log would lack what was before.
Status check_whole(const EngineOptions& options, const Clock& clock) {
  const Result<OpenedLog> log = open_engine_log(options, clock);
  if (!log.ok()) return log.error();
  for (const Topic topic : {Topic::kItems, Topic::kInteractions}) {
    for (uint32_t p = 0; p < log.value()->partitions(topic); ++p) {
      const int64_t first = log.value()->first_offset(topic, p);
      if (first == 0) continue;
      return Error{ErrorCode::kNotFound,
                   std::string(topic_name(topic)) + " begins at offset " + std::to_string(first) +
                       ": retention has dropped what was before; restore a backup instead"};
    }
  }
  return {};
}

// Opens an engine on the fresh folder, which folds all that the log has, and stops it.
Result<RebuildSummary> fold_all(const EngineOptions& options, const std::string& config_dir,
                                const Clock& clock) {
  const int64_t started = monotonic_ns();
  if (const Status whole = check_whole(options, clock); !whole.ok()) return whole.error();
  Result<std::unique_ptr<Engine>> engine = Engine::open(options, config_dir, clock);
  if (!engine.ok()) return engine.error();
  engine.value()->stop();
  const PipelineStats stats = engine.value()->pipeline().stats();
  if (!stats.failure.empty()) return Error{ErrorCode::kCorrupt, stats.failure};
  if (stats.lag_records != 0 || stats.checkpoints == 0) {
    return Error{ErrorCode::kIo, "the rebuilt state could not be written"};
  }
  RebuildSummary summary;
  for (const SourcePosition& position : stats.positions) {
    summary.records += static_cast<uint64_t>(position.next_offset);
  }
  summary.viewers = engine.value()->features().stats().viewers;
  summary.seconds = static_cast<double>(monotonic_ns() - started) * 1e-9;
  return summary;
}

// The fresh state takes the place of the old one, which is kept as `before`.
Status exchange(const fs::path& fresh, const fs::path& state, const fs::path& before) {
  std::error_code error;
  const Status moved = fs::exists(state, error) ? move_folder(state, before) : Status();
  return moved.ok() ? move_folder(fresh, state) : moved;
}

// Members go by numbers: the next one fences whoever leads, before the old one is taken away.
Status exchange_claimed(const fs::path& fresh, const fs::path& state, const fs::path& before) {
  const Status installed = install_state(fresh.parent_path(), fresh.filename());
  return installed.ok() ? move_folder(state, before) : installed;
}

}  // namespace

Result<RebuildSummary> rebuild_state(EngineOptions options, const std::string& config_dir,
                                     const Clock& clock) {
  const fs::path dir = options.data_dir, before = dir / "state.before";
  const Result<NewestClaim> newest = newest_claim(options.data_dir);
  if (!newest.ok()) return newest.error();
  const bool claimed = newest.value().epoch > 0;
  const fs::path state =
      dir / (claimed ? "state." + std::to_string(newest.value().epoch) : options.state_folder);
  options.state_folder = "state.rebuilding";
  if (claimed) options.counter_file = options.state_folder + "/" + options.counter_file;
  const fs::path fresh = dir / options.state_folder;
  std::error_code error;
  if (!fs::exists(dir / "token.keys", error)) {
    return Error{ErrorCode::kInvalid, dir.string() + ": is no data folder of an engine"};
  }
  if (fs::exists(before, error)) {
    return Error{ErrorCode::kInvalid,
                 before.string() + ": is in the way, from an earlier rebuild; remove it"};
  }
  fs::remove_all(fresh, error);
  if (error) return Error{ErrorCode::kIo, fresh.string() + ": " + error.message()};

  Result<RebuildSummary> made = fold_all(options, config_dir, clock);
  Status moved;
  if (made.ok()) {
    moved = claimed ? exchange_claimed(fresh, state, before) : exchange(fresh, state, before);
    if (fs::exists(before, error)) made.value().before = before.string();
  }
  if (made.ok() && moved.ok()) return made;
  fs::remove_all(fresh, error);
  if (!moved.ok()) return moved.error();
  if (made.error().code != ErrorCode::kConflict) return made.error();
  return Error{
      ErrorCode::kConflict,
      dir.string() + ": an engine is running on it; stop it first (" + made.error().message + ")"};
}

}  // namespace shanhuo
