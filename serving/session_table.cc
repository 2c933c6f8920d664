#include "serving/session_table.h"

#include <utility>

#include "features/digest.h"

namespace shanhuo {
namespace {

constexpr size_t kSecretBytes = 32;

}  // namespace

NewSession SessionTable::begin(std::string token_digest, Millis until) {
  NewSession made{random_token(kSecretBytes),
                  {std::move(token_digest), random_token(kSecretBytes), until}};
  std::string key = sha256_hex(made.cookie);
  const std::lock_guard lock(mutex_);
  if (sessions_.size() >= sessions_max_) {
    sessions_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
  const auto age = oldest_first_.insert(oldest_first_.end(), key);
  sessions_.emplace(std::move(key), Entry{made.session, age});
  return made;
}

std::optional<Session> SessionTable::find(std::string_view cookie, Millis now) const {
  const std::string key = sha256_hex(cookie);
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end() || found->second.session.until <= now) return std::nullopt;
  return found->second.session;
}

void SessionTable::end(std::string_view cookie) {
  const std::string key = sha256_hex(cookie);
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return;
  oldest_first_.erase(found->second.age);
  sessions_.erase(found);
}

std::string_view cookie_of(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const size_t end = std::min(header.find(';'), header.size());
    std::string_view pair = header.substr(0, end);
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) {
      return pair.substr(name.size() + 1);
    }
    header.remove_prefix(std::min(end + 1, header.size()));
  }
  return {};
}

}  // namespace shanhuo
