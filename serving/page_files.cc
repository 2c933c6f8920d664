#include "serving/page_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "features/digest.h"

namespace shanhuo {
namespace {

constexpr size_t kDigestShown = 16;

// Scripts and styles are the engine's own files; nothing is loaded from, sent to or framed by
// anybody else.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "";
}

bool plain_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.front() != '.' && name.find_first_not_of(kAllowed) == name.npos;
}

// The bytes of a regular file that is no link; nullopt for everything else.
std::optional<std::string> read_regular(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return std::nullopt;
  struct stat info {};
  std::string bytes;
  bool good = ::fstat(file, &info) == 0 && S_ISREG(info.st_mode) &&
              static_cast<size_t>(info.st_size) <= PageFiles::kFileBytesMax;
  if (good) bytes.resize(static_cast<size_t>(info.st_size));
  for (size_t used = 0; good && used < bytes.size();) {
    const ssize_t got = ::read(file, bytes.data() + used, bytes.size() - used);
    good = got > 0;
    used += good ? static_cast<size_t>(got) : 0;
  }
  ::close(file);
  if (!good) return std::nullopt;
  return bytes;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// Calls `use` with each element of a comma-separated header until it returns true.
template <typename Use>
bool any_element(std::string_view header, Use use) {
  while (!header.empty()) {
    const size_t end = std::min(header.find(','), header.size());
    if (use(trimmed(header.substr(0, end)))) return true;
    header.remove_prefix(std::min(end + 1, header.size()));
  }
  return false;
}

// "q=0", "q=0.0", "q=0.000" refuse; whatever else stands there accepts.
bool weight_is_zero(std::string_view parameters) {
  const size_t at = parameters.find("q=");
  if (at == parameters.npos) return false;
  const std::string_view weight = trimmed(parameters.substr(at + 2));
  return !weight.empty() && weight.find_first_not_of("0.") == weight.npos;
}

}  // namespace

bool accepts_coding(std::string_view header, std::string_view coding) {
  bool accepted = false;
  any_element(header, [&](std::string_view element) {
    const size_t end = std::min(element.find(';'), element.size());
    if (!equals_ignoring_case(trimmed(element.substr(0, end)), coding)) return false;
    accepted = !weight_is_zero(element.substr(end));
    return true;
  });
  return accepted;
}

void PageFiles::add_folder(const std::string& folder, const std::string& prefix,
                           std::string_view ending) {
  std::error_code failed;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    names.push_back(at->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::string_view type = type_of(name);
    if (type.empty() || !plain_name(name) || !name.ends_with(ending)) continue;
    if (files_.size() == kFilesMax) return;
    std::string path = folder;
    path.append("/").append(name);
    std::optional<std::string> bytes = read_regular(path);
    if (!bytes) continue;
    File& file = files_[prefix + name];
    file.type = type;
    file.digest = sha256_hex(*bytes).substr(0, kDigestShown);
    file.plain = std::move(*bytes);
    file.br = read_regular(path + ".br").value_or("");
    file.gz = read_regular(path + ".gz").value_or("");
  }
}

PageFiles PageFiles::load(const std::string& folder) {
  PageFiles pages;
  pages.add_folder(folder, "", ".html");
  pages.add_folder(folder + "/static", "static/", "");
  return pages;
}

std::optional<HttpResponse> PageFiles::answer(const std::string& name,
                                              const HttpRequest& request) const {
  const auto found = files_.find(name);
  if (found == files_.end()) return std::nullopt;
  const File& file = found->second;
  const std::string_view accepted = request.header("accept-encoding");
  std::string_view coding;
  if (!file.br.empty() && accepts_coding(accepted, "br")) {
    coding = "br";
  } else if (!file.gz.empty() && accepts_coding(accepted, "gzip")) {
    coding = "gzip";
  }
  std::string etag = "\"" + file.digest;
  if (!coding.empty()) etag.append("-").append(coding);
  etag += "\"";
  HttpResponse response;
  const bool has_it = any_element(request.header("if-none-match"), [&](std::string_view tag) {
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    return tag == etag || tag == "*";
  });
  if (has_it) {
    response.status = 304;
    response.content_type.clear();
  } else {
    response.content_type = file.type;
    response.body = coding == "br" ? file.br : coding == "gzip" ? file.gz : file.plain;
    if (!coding.empty()) response.with("content-encoding", coding);
  }
  response.with("etag", etag).with("vary", "accept-encoding");
  response.with("cache-control",
                name.starts_with("static/") ? "public, max-age=31536000, immutable" : "no-cache");
  response.with("content-security-policy", kPolicy).with("x-content-type-options", "nosniff");
  response.with("referrer-policy", "no-referrer");
  return response;
}

}  // namespace shanhuo
