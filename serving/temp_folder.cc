#include "serving/temp_folder.h"

#include <cstdlib>
#include <filesystem>

namespace shanhuo {

namespace fs = std::filesystem;

Result<TempFolder> TempFolder::make(const std::string& name) {
  std::string path = (fs::temp_directory_path() / (name + "-XXXXXX")).string();
  if (::mkdtemp(path.data()) == nullptr) return Error{ErrorCode::kIo, path + ": cannot be made"};
  return TempFolder(path);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace shanhuo
