// The folder of program files, and the set that is live. A change on disk is taken over whole, or
// refused with all its errors while the last good set stays. Changes through the API write the same
// files, comments kept.
//
// Thread-safe. current() takes no file lock; reload() and set_enabled() are serialised by a mutex.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/published.h"
#include "configs/yaml.h"
#include "ranking/program.h"

namespace shanhuo {

class ProgramStore {
 public:
  // Does not read yet. `folder` may be missing: no programs.
  explicit ProgramStore(std::string folder);

  std::shared_ptr<const ProgramSet> current() const { return current_.get(); }

  // Looks at names, sizes and times, and reads everything when one of them changed. True: current()
  // is a new set. False: nothing changed, or what is there now is refused; errors() tells.
  bool reload();
  // Of the folder as it was last read; empty when it is live.
  ConfigErrors errors() const;

  // kNotFound; kConflict when `if_revision` is given and is not the file's. Live when this returns.
  Status set_enabled(std::string_view id, bool enabled,
                     const std::optional<std::string>& if_revision);

 private:
  std::string stamp() const;
  bool read_all();

  const std::string folder_;
  mutable std::mutex mutex_;
  std::string stamp_;    // guarded by mutex_: names, sizes and times as last read
  ConfigErrors errors_;  // guarded by mutex_
  Published<ProgramSet> current_;
};

// Whole text of a file; kNotFound, kIo, or kTooLarge past kYamlBytesMax.
Result<std::string> read_text_file(const std::string& path);
// Replaces a file atomically and durably: a reader sees the old text or the new one.
Status write_text_file(const std::string& path, std::string_view text);

}  // namespace shanhuo
