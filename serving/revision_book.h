// The texts of configuration files as they have been, each under its revision, so that any of them
// can be compared and brought back byte for byte: data_dir/revisions/REVISION.yaml. Past `kept_max`
// texts the oldest go.
//
// Thread-safe.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shanhuo {

class RevisionBook {
 public:
  static Result<std::unique_ptr<RevisionBook>> open(std::string folder, size_t kept_max = 10'000);

  // Durable when this returns. Nothing for an empty text.
  Status save(std::string_view text);
  // kNotFound when it is not kept (any more), kInvalid when it is no revision.
  Result<std::string> text(std::string_view revision) const;

 private:
  RevisionBook(std::string folder, size_t kept_max)
      : folder_(std::move(folder)), kept_max_(kept_max) {}
  std::string path_of(std::string_view revision) const;

  const std::string folder_;
  const size_t kept_max_;
  mutable std::mutex mutex_;
  std::deque<std::string> kept_;  // guarded by mutex_; revisions, oldest first
};

}  // namespace shanhuo
