// The pages of web/dist as they are answered: read once, whole, and looked up by name afterwards,
// so that no path of a request ever reaches the file system.
//
//   folder/NAME.html           a page: fetched again whenever it changed (etag, no-cache)
//   folder/static/NAME         a script or style whose name changes with its bytes: immutable
//   either with .br or .gz     the same bytes compressed, beside the plain ones
//
// Links, folders, unknown endings and names of other characters than letters, digits, '.', '_' and
// '-' are left out. Immutable once loaded, hence thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "serving/http.h"

namespace shanhuo {

class PageFiles {
 public:
  static constexpr size_t kFilesMax = 256;          // further ones are left out
  static constexpr size_t kFileBytesMax = 4 << 20;  // larger ones are left out

  // Empty when there is no such folder.
  static PageFiles load(const std::string& folder);

  // name: "creator.html" or "static/creator-1a2b3c4d.js". 200 in the best encoding that the request
  // accepts, 304 when it has it already, with the headers that keep a page to its own scripts;
  // nullopt when there is no such file.
  std::optional<HttpResponse> answer(const std::string& name, const HttpRequest& request) const;

  size_t size() const { return files_.size(); }

 private:
  struct File {
    std::string_view type;
    std::string digest;  // of the plain bytes
    std::string plain, br, gz;
  };
  void add_folder(const std::string& folder, const std::string& prefix, std::string_view ending);

  std::map<std::string, File> files_;
};

// Whether an Accept-Encoding header names `coding` with a weight above 0 (RFC 9110, 12.5.3).
bool accepts_coding(std::string_view header, std::string_view coding);

}  // namespace shanhuo
