// Who changed which program, experiment or model, when, from what to what: one line of JSON for
// each change through the API or on disk, in data_dir/changes.ndjson, written ahead of the change
// and synced. Past a bound the file becomes changes.ndjson.1, whose predecessor goes; the newest
// changes are in memory too.
//
//   {"at_ms":1794326400000,"who":"anna","program":"kiwi","what":"priority: 90 -> 100",
//    "from":REVISION,"to":REVISION,"prev":HASH,"hash":HASH}
//
// One line each; from "": it was new, to "": it was deleted, both the same: it was approved, say.
// The hashes chain all lines (audit_chain.h); a line that a crash has cut is taken away by the
// next.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "serving/audit_chain.h"

namespace shanhuo {

struct RecordedChange {
  Millis at;  // wall clock
  std::string who;
  std::string kind, id;  // "program", "kiwi"
  std::string what;
  std::string from, to;
  std::string hash = {};  // of its line; empty: not chained, or not written yet
};

class ChangeBook {
 public:
  struct Limits {
    size_t file_bytes_max = 4u << 20;
    size_t kept_max = 1'000;        // in memory
    size_t what_bytes_max = 1'000;  // of one change; a longer text is cut
  };

  static Result<std::unique_ptr<ChangeBook>> open(std::string path, const Limits& limits);

  // Durable when this returns.
  Status append(RecordedChange change);
  // Of one thing, newest first.
  std::vector<RecordedChange> last(std::string_view kind, std::string_view id, size_t most) const;
  // Of [from, to), newest first, from the files: not for the path of a request.
  Result<std::vector<RecordedChange>> between(Millis from, Millis to, size_t most) const;
  Result<AuditReport> verify() const { return verify_audit(path_); }

  // The files, as of one moment, into another folder.
  Status copy_to(const std::string& folder) const;

 private:
  ChangeBook(std::string path, const Limits& limits) : path_(std::move(path)), limits_(limits) {}
  Status load();
  void load_head(std::string_view older, std::string_view current);
  // These require that mutex_ is held.
  Status mend_end(int file, size_t size);
  Status rotate(size_t more);
  Status write_line(std::string_view line);

  const std::string path_;
  const Limits limits_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::deque<RecordedChange> kept_;  // oldest first
  AuditHead head_;
  std::string prev_;  // of the next line
};

}  // namespace shanhuo
