// The folder of program files, and the set that is live. A change on disk is taken over whole, or
// refused with all its errors while the last good set stays. Changes through the API write the same
// files, comments kept.
//
// Thread-safe. current() takes no file lock; all that reads or writes files is serialised by a
// mutex.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/published.h"
#include "configs/yaml.h"
#include "features/attributes.h"
#include "ranking/program.h"

namespace shanhuo {

// One change of one file, as the journal takes it.
struct ProgramChange {
  std::string id;
  std::string from, to;  // revisions; empty: there is no file
  std::string what;      // for people: what differs
};
// Called when a change is about to be written; a failure stops it.
using ProgramJournal = std::function<Status(const ProgramChange&)>;
// What a file shall say, from what it says now; "" when there is no program of that id.
using ProgramEdit = std::function<Result<std::string>(std::string_view text)>;

ProgramEdit whole_file(std::string text);
// The program as it reads (contract 3). Comments of the file that is there stay where they fit.
ProgramEdit whole_program(Value definition);
// RFC 7396. kNotFound without a file, kConflict when it is broken.
ProgramEdit program_patch(Value patch);

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

  // Changes the file of program `id`, or makes one when there is none. kInvalid: what `edit` gives
  // is no program of that id, `wrong` says all that is. kConflict: `if_revision` is given and is
  // not the file's, or another file is broken. Live when this returns.
  Result<ProgramChange> write(std::string_view id, const ProgramEdit& edit,
                              const std::optional<std::string>& if_revision,
                              const ProgramJournal& journal, ConfigErrors& wrong);
  // Deletes the file. kNotFound, kConflict.
  Result<ProgramChange> remove(std::string_view id, const std::optional<std::string>& if_revision,
                               const ProgramJournal& journal);
  // The file of a live program as it is on disk now.
  Result<std::string> text(std::string_view id) const;

 private:
  std::string stamp() const;
  bool read_all();
  // Where program `id` stands, and what stands there now ("" when it is new).
  Result<std::string> file_of(std::string_view id, std::string& text, std::string& revision) const;
  Status take_over();

  const std::string folder_;
  mutable std::mutex mutex_;
  std::string stamp_;    // guarded by mutex_: names, sizes and times as last read
  ConfigErrors errors_;  // guarded by mutex_
  Published<ProgramSet> current_;
};

// A set in the order of conflicts, with its version. Requires: distinct ids.
std::shared_ptr<const ProgramSet> make_program_set(
    std::vector<std::shared_ptr<const Program>> programs);

// Whole text of a file; kNotFound, kIo, or kTooLarge past `bytes_max`.
Result<std::string> read_text_file(const std::string& path, size_t bytes_max = kYamlBytesMax);
// Replaces a file atomically and durably: a reader sees the old text or the new one.
Status write_text_file(const std::string& path, std::string_view text);

}  // namespace shanhuo
