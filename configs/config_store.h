// A folder of YAML files, one thing each, and the set of them that is live. A change on disk is
// taken over whole, or refused with all its errors while the last good set stays. Changes through
// the API write the same files, comments kept. What the files hold is said by who derives from it:
// program_store.h, experiment_store.h.
//
// Thread-safe: all that reads or writes files is serialised by a mutex.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/durable_file.h"
#include "configs/config_edit.h"
#include "configs/yaml.h"

namespace shanhuo {

// One file of the folder.
struct ConfigFile {
  std::string path, text;
  std::string id;  // of what it holds, where that can be read
};

// One change of one file, as the journal takes it.
struct ConfigChange {
  std::string kind;  // "program"
  std::string id;
  std::string from, to;       // revisions; empty: there is no file
  std::string what;           // for people: what differs
  std::string before, after;  // texts
};
// Called when a change is about to be written; a failure stops it.
using ConfigJournal = std::function<Status(const ConfigChange&)>;

class ConfigStore {
 public:
  ConfigStore(const ConfigStore&) = delete;
  ConfigStore& operator=(const ConfigStore&) = delete;

  // Looks at names, sizes and times, and reads everything when one of them changed. True: another
  // set is live. False: nothing changed, or what is there now is refused; errors() tells.
  bool reload();
  // Reads everything at the next reload(), whatever has changed: what files mean has.
  void read_anew();
  // Of the folder as it was last read; empty when it is live.
  ConfigErrors errors() const;

  // Changes the file of `id`, or makes one when there is none. kInvalid: what `edit` gives is no
  // definition of that id, or does not fit the others; `wrong` says all that is. kConflict:
  // `if_revision` is given and is not the file's, another file is broken, or would be by the
  // change. Live when this returns.
  Result<ConfigChange> write(std::string_view id, const ConfigEdit& edit,
                             const std::optional<std::string>& if_revision,
                             const ConfigJournal& journal, ConfigErrors& wrong);
  // Deletes the file. kNotFound, kConflict.
  Result<ConfigChange> remove(std::string_view id, const std::optional<std::string>& if_revision,
                              const ConfigJournal& journal);
  // The file of something live as it is on disk now.
  Result<std::string> text(std::string_view id) const;
  // What is live, as it was read: id -> text.
  using Texts = std::map<std::string, std::string>;
  Texts live() const;
  const std::string& kind() const { return kind_; }

 protected:
  // Takes a set over.
  using Publish = std::function<void()>;
  // The set that files make; nothing when `errors` grew. Sets the id of each that names one. Of two
  // files that do not go together the later one is wrong.
  using Compile = std::function<Publish(std::vector<ConfigFile>&, ConfigErrors&)>;

  // Does not read yet. `folder` may be missing: there are none. `kind` is how people call one.
  ConfigStore(std::string kind, std::string folder, Compile compile);
  // The folder as it would be with a change that fits, as write() has it; nothing is written.
  Result<std::vector<ConfigFile>> preview_files(std::string_view id, const ConfigEdit& edit,
                                                ConfigErrors& wrong) const;
  ~ConfigStore() = default;

 private:
  // These require that mutex_ is held.
  std::string stamp() const;
  std::vector<ConfigFile> read_files(ConfigErrors& errors) const;
  bool read_all();
  Result<std::string> file_of(std::string_view id, std::string& text, std::string& revision) const;
  Status fits(const ConfigFile& changed, bool deleted, ConfigErrors& wrong) const;
  Status take_over();
  Error revision_error(const std::string& revision) const;

  const std::string kind_, folder_;
  const Compile compile_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::string stamp_;  // names, sizes and times as last read
  ConfigErrors errors_;
  std::map<std::string, ConfigFile, std::less<>> live_;  // by id
};

// What differs between two texts of a file, for people.
std::string yaml_differences(std::string_view before, std::string_view after);
// First 16 hex digits of a text's SHA-256.
std::string revision_of(std::string_view text);

}  // namespace shanhuo
