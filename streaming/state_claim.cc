// Copying a Store from outside, while its owner may write. RocksDB's files there are
//
//   *.sst       never changed once the manifest names them: hard links
//   *.log       write-ahead logs, appended to; each batch has a checksum
//   MANIFEST-n  which tables count, and from which log on: appended to
//   CURRENT     the manifest's name
//
// and the order of copying is what makes a prefix of the history: logs, manifest, tables. The
// manifest is newer than the logs. So a log that it no longer needs may be there (ignored), and a
// log may be cut or missing at the end (fewer batches); but none is missing in between, which the
// other order would do when a flush removes a log. A table that the manifest names and a compaction
// has removed shows when the copy is opened, and the copying begins again. Tested by
// tests/streaming_state_claim_test.cc, against a writer that flushes and compacts all the time.
#include "streaming/state_claim.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/durable_file.h"
#include "streaming/store.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "state.";
constexpr const char* kAlone = "state";
constexpr const char* kLeaderFile = "leader";
constexpr const char* kCurrent = "CURRENT";
constexpr int kFillTries = 20;
constexpr int kClaimTries = 1'000;
constexpr std::chrono::milliseconds kFillPause{20};

Error io_error(const fs::path& path, const std::error_code& error) {
  const bool vanished = error == std::errc::no_such_file_or_directory;
  return {vanished ? ErrorCode::kNotFound : ErrorCode::kIo, path.string() + ": " + error.message()};
}

std::optional<uint64_t> epoch_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  uint64_t epoch = 0;
  const char* end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data() + kPrefix.size(), end, epoch);
  if (error != std::errc() || stopped != end || epoch == 0) return std::nullopt;
  return epoch;
}

Result<std::vector<std::string>> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return io_error(folder, error);
  return names;
}

// Claimed epochs, ascending.
Result<std::vector<uint64_t>> epochs_in(const std::string& data_dir) {
  const Result<std::vector<std::string>> names = names_in(data_dir);
  if (!names.ok()) return names.error();
  std::vector<uint64_t> epochs;
  for (const std::string& name : names.value()) {
    if (const auto epoch = epoch_of(name)) epochs.push_back(*epoch);
  }
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

std::string folder_of(uint64_t epoch) { return std::string(kPrefix) + std::to_string(epoch); }

Status sync_path(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const std::error_code error(errno, std::generic_category());
  if (file >= 0) ::close(file);
  return synced ? Status() : Status(io_error(path, error));
}

Status copy_synced(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  return error ? Status(io_error(from, error)) : sync_path(to);
}

Status link_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (!error) return {};
  if (error == std::errc::no_such_file_or_directory) return io_error(from, error);
  return copy_synced(from, to);  // a file system without hard links
}

// Applies `copy` to the files of `from` that end in `ending`, by number: names are padded with
// zeros, and longer when that does not suffice.
template <typename Copy>
Status each_file(const fs::path& from, const fs::path& to, std::string_view ending, Copy copy) {
  Result<std::vector<std::string>> listed = names_in(from);
  if (!listed.ok()) return listed.error();
  std::vector<std::string> names = std::move(listed).value();
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), std::string_view(a)) < std::pair(b.size(), std::string_view(b));
  });
  for (const std::string& name : names) {
    if (!name.ends_with(ending)) continue;
    const Status copied = copy(from / name, to / name);
    if (!copied.ok()) return copied;
  }
  return {};
}

Status copy_store(const fs::path& from, const fs::path& to) {
  Status done = each_file(from, to, ".log", copy_synced);
  if (!done.ok()) return done;
  const Result<std::string> current = read_text_file(from / kCurrent);
  if (!current.ok()) return current.error();
  const std::string manifest = current.value().substr(0, current.value().find('\n'));
  done = copy_synced(from / manifest, to / manifest);
  if (done.ok()) done = each_file(from, to, ".sst", link_file);
  return done.ok() ? replace_file(to / kCurrent, current.value()) : done;
}

// Its owner runs alone, or ran: the lock says which.
Status copy_alone(const fs::path& from, const fs::path& to) {
  const auto store = Store::open(from.string(), {});
  if (!store.ok()) return store.error().within(from.string());
  const fs::path aside = to / "copy";
  Status copied = store.value()->backup(aside.string());
  const Result<std::vector<std::string>> names = names_in(aside);
  if (!copied.ok() || !names.ok()) return copied.ok() ? names.error() : copied;
  std::error_code error;
  for (const std::string& name : names.value()) {
    if (!error) fs::rename(aside / name, to / name, error);
  }
  if (!error) fs::remove(aside, error);
  return error ? Status(io_error(aside, error)) : sync_path(to);
}

Status empty_folder(const fs::path& folder) {
  const Result<std::vector<std::string>> names = names_in(folder);
  if (!names.ok()) return names.error();
  std::error_code error;
  for (const std::string& name : names.value()) fs::remove_all(folder / name, error);
  return error ? Status(io_error(folder, error)) : Status();
}

// The newest older state that is whole, as a name in the data folder; empty: there is none.
Result<std::string> source_before(const fs::path& data_dir, uint64_t epoch) {
  const auto epochs = epochs_in(data_dir.string());
  if (!epochs.ok()) return epochs.error();
  std::error_code error;
  for (size_t i = epochs.value().size(); i-- > 0;) {
    if (epochs.value()[i] >= epoch) continue;
    const std::string name = folder_of(epochs.value()[i]);
    if (fs::exists(data_dir / name / kLeaderFile, error)) return name;
  }
  return fs::exists(data_dir / kAlone / kCurrent, error) ? kAlone : std::string();
}

}  // namespace

std::string StateClaim::folder() const { return folder_of(epoch_); }

Result<StateClaim> StateClaim::take(const std::string& data_dir) {
  std::error_code error;
  fs::create_directories(data_dir, error);
  if (error) return io_error(data_dir, error);
  for (int i = 0; i < kClaimTries; ++i) {
    const auto epochs = epochs_in(data_dir);
    if (!epochs.ok()) return epochs.error();
    const uint64_t next = epochs.value().empty() ? 1 : epochs.value().back() + 1;
    const bool made = fs::create_directory(fs::path(data_dir) / folder_of(next), error);
    if (error) return io_error(data_dir, error);
    if (!made) continue;  // somebody else was faster
    const Status synced = sync_path(data_dir);
    if (!synced.ok()) return synced.error();
    return StateClaim(data_dir, next);
  }
  return Error{ErrorCode::kUnavailable, data_dir + ": others claim the state all the time"};
}

Status StateClaim::fill(const std::string& leader) const {
  const fs::path own = fs::path(data_dir_) / folder();
  Status filled;
  for (int i = 0; i < kFillTries; ++i) {
    if (i > 0) std::this_thread::sleep_for(kFillPause);
    if (const Status held = holds(); !held.ok()) return held;
    const Result<std::string> source = source_before(data_dir_, epoch_);
    if (!source.ok()) return source.error();
    filled = fill_once(source.value());
    if (filled.ok()) return replace_file(own / kLeaderFile, leader);
  }
  return filled;
}

Status StateClaim::fill_once(const std::string& source) const {
  const fs::path dir = data_dir_, own = dir / folder();
  const bool alone = source == kAlone;
  Status done = empty_folder(own);
  if (done.ok() && !source.empty()) {
    done = alone ? copy_alone(dir / source, own) : copy_store(dir / source, own);
  }
  if (!done.ok()) return done;
  const fs::path counter = (alone ? dir : dir / source) / kCounterFile;
  std::error_code error;
  if (!source.empty() && fs::exists(counter, error))
    done = copy_synced(counter, own / kCounterFile);
  if (!done.ok()) return done;
  // Every table that the manifest names is there with its size, and the logs hold up to their end.
  // The first of all begins with an empty one.
  const auto opened = Store::open(own.string(), {});
  return opened.ok() ? Status() : Status(opened.error().within(folder()));
}

Status StateClaim::holds() const {
  const auto epochs = epochs_in(data_dir_);
  if (!epochs.ok()) return Error{ErrorCode::kIo, epochs.error().message};
  const std::vector<uint64_t>& all = epochs.value();
  if (!all.empty() && all.back() > epoch_) {
    return Error{ErrorCode::kConflict,
                 "fenced: " + folder_of(all.back()) + " is newer than " + folder()};
  }
  if (all.empty() || all.back() < epoch_) {
    return Error{ErrorCode::kConflict, "fenced: " + folder() + " was removed"};
  }
  return {};
}

void StateClaim::remove_older() const {
  const auto epochs = epochs_in(data_dir_);
  if (!epochs.ok() || !holds().ok()) return;
  std::error_code left;  // what cannot be removed now is removed by a later owner
  for (const uint64_t epoch : epochs.value()) {
    if (epoch < epoch_) fs::remove_all(fs::path(data_dir_) / folder_of(epoch), left);
  }
  fs::remove_all(fs::path(data_dir_) / kAlone, left);
  fs::remove(fs::path(data_dir_) / kCounterFile, left);
}

void StateClaim::give_back() const {
  std::error_code left;
  fs::remove_all(fs::path(data_dir_) / folder(), left);
}

Result<NewestClaim> newest_claim(const std::string& data_dir) {
  std::error_code error;
  if (!fs::exists(data_dir, error)) return NewestClaim();
  const auto epochs = epochs_in(data_dir);
  if (!epochs.ok()) return epochs.error();
  NewestClaim newest;
  if (epochs.value().empty()) return newest;
  newest.epoch = epochs.value().back();
  const auto leader = read_text_file(fs::path(data_dir) / folder_of(newest.epoch) / kLeaderFile);
  if (leader.ok()) newest.leader = leader.value();
  return newest;
}

Status install_state(const std::string& data_dir, const std::string& folder) {
  const fs::path dir = data_dir;
  Status done = replace_file(dir / folder / kLeaderFile, "a rebuild");
  const auto newest = newest_claim(data_dir);
  if (!done.ok() || !newest.ok()) return done.ok() ? newest.error() : done;
  std::error_code error;
  fs::rename(dir / folder, dir / folder_of(newest.value().epoch + 1), error);
  return error ? Status(io_error(dir / folder, error)) : sync_path(dir);
}

}  // namespace shanhuo
