// The switch of all boosting: boosting.yaml beside engine.yaml, which says `enabled: true` or
// `enabled: false`. Without the file boosting is on.
//
// A file that is broken, or gone, while the engine runs leaves the switch as it was; one that is
// broken at the start switches boosting off: somebody meant to say something. Either is in errors()
// until the file reads again.
//
// Thread-safe. enabled() costs one load.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "configs/config_store.h"

namespace shanhuo {

class BoostingSwitch {
 public:
  // Reads the file.
  explicit BoostingSwitch(std::string path);

  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  // What has changed on disk since it was last read, once it reads; call a few times a second.
  std::optional<ConfigChange> reload();
  ConfigErrors errors() const;
  std::string revision() const;  // of the file as it was last read; empty: there is none

  // Writes the file, comments kept; live when this returns. What is broken there is replaced: a
  // switch must work. kConflict when `if_revision` is given and is not the file's. Nothing is
  // written, and `journal` not called, when the file says so already.
  Result<ConfigChange> write(bool enabled, const std::optional<std::string>& if_revision,
                             const ConfigJournal& journal);

 private:
  // Requires: mutex_ is held, or nobody else knows of this yet.
  bool take(std::string text);

  const std::string path_;
  std::atomic<bool> enabled_{true};
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::string text_;  // as last read; empty: no file
  int missing_ = 0;   // times in a row that the file was not there
  ConfigErrors errors_;
};

// What a text of the file says; nullopt when `errors` grew.
std::optional<bool> read_boosting(std::string_view text, const std::string& file,
                                  ConfigErrors& errors);

}  // namespace shanhuo
