#include "serving/revision_book.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/durable_file.h"
#include "configs/config_store.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;
constexpr size_t kRevisionDigits = 16;

bool is_revision(std::string_view text) {
  return text.size() == kRevisionDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<std::unique_ptr<RevisionBook>> RevisionBook::open(std::string folder, size_t kept_max) {
  std::unique_ptr<RevisionBook> book(new RevisionBook(std::move(folder), kept_max));
  std::error_code error;
  fs::create_directories(book->folder_, error);
  if (error) return Error{ErrorCode::kIo, book->folder_ + ": " + error.message()};
  std::vector<std::pair<fs::file_time_type, std::string>> found;
  for (fs::directory_iterator it(book->folder_, error), end; it != end; it.increment(error)) {
    const std::string name = it->path().stem().string();
    if (!is_revision(name) || it->path().extension() != ".yaml") continue;
    found.emplace_back(it->last_write_time(error), name);
  }
  std::sort(found.begin(), found.end());
  for (auto& [time, name] : found) book->kept_.push_back(std::move(name));
  return book;
}

std::string RevisionBook::path_of(std::string_view revision) const {
  return (fs::path(folder_) / (std::string(revision) + ".yaml")).string();
}

Status RevisionBook::save(std::string_view text) {
  if (text.empty()) return {};
  const std::string revision = revision_of(text);
  const std::lock_guard lock(mutex_);
  if (std::find(kept_.begin(), kept_.end(), revision) != kept_.end()) return {};
  if (const Status written = replace_file(path_of(revision), text); !written.ok()) {
    return written;
  }
  kept_.push_back(revision);
  if (kept_.size() > kept_max_) {
    std::error_code ignored;
    fs::remove(path_of(kept_.front()), ignored);
    kept_.pop_front();
  }
  return {};
}

Result<std::string> RevisionBook::text(std::string_view revision) const {
  if (!is_revision(revision)) {
    return Error{ErrorCode::kInvalid, "a revision has 16 hex digits"};
  }
  const std::lock_guard lock(mutex_);
  Result<std::string> text = read_text_file(path_of(revision));
  if (text.ok()) return text;
  return Error{ErrorCode::kNotFound, "revision " + std::string(revision) + " is not kept"};
}

}  // namespace shanhuo
