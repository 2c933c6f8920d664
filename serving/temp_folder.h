// A new folder under the system's temporary one, removed with all that is in it when the object
// goes. Movable, owned by one.
#pragma once

#include <string>

#include "base/result.h"

namespace shanhuo {

class TempFolder {
 public:
  // `name`: begins the folder's own name. Fails with kIo when it cannot be made.
  static Result<TempFolder> make(const std::string& name);
  ~TempFolder();
  TempFolder(TempFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TempFolder& operator=(TempFolder&&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit TempFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;  // empty: moved from
};

}  // namespace shanhuo
