// Sessions of the pages: a person signs in with an access token once, the browser keeps a cookie
// that scripts cannot read, and the token itself stays nowhere. Sessions live in memory: a restart
// signs everybody out. What a session may do is looked up behind its token at each request, so that
// a token that is revoked takes its sessions with it.
//
// Thread-safe. A request without the cookie never comes here.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/ids.h"

namespace shanhuo {

struct Session {
  std::string token_digest;  // TokenEntry's
  std::string csrf;          // what a write by cookie must repeat in x-csrf-token
  Millis until;              // wall clock
};

struct NewSession {
  std::string cookie;  // its value: 43 characters of base64url, random
  Session session;
};

class SessionTable {
 public:
  // Past `sessions_max` the oldest one ends.
  explicit SessionTable(size_t sessions_max) : sessions_max_(sessions_max) {}

  NewSession begin(std::string token_digest, Millis until);
  // nullopt: unknown, ended or over.
  std::optional<Session> find(std::string_view cookie, Millis now) const;
  void end(std::string_view cookie);

 private:
  struct Entry {
    Session session;
    std::list<std::string>::iterator age;
  };

  const size_t sessions_max_;
  mutable std::mutex mutex_;
  // Guarded by mutex_; keys are digests, so that comparing them tells nothing about a cookie:
  std::unordered_map<std::string, Entry> sessions_;
  std::list<std::string> oldest_first_;
};

// The value of the cookie `name` in a Cookie header (RFC 6265, section 4.2); empty: none.
std::string_view cookie_of(std::string_view header, std::string_view name);

}  // namespace shanhuo
