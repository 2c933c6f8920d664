// Who may do what (contract 2.10). Bearer tokens of 256 random bits; the engine keeps their SHA-256
// alone, in a file the operator edits (token_table.h), with an end and a rate where it says so.
//
// Without a token file everybody is admin, which is safe only on loopback: check_listen() refuses
// other addresses, and check_request() refuses pages of other sites that reach us through a browser
// (unknown Host, foreign Origin, form content types).
//
// A page signs in with a token and gets a cookie instead (session_table.h), which does what the
// token may; a write by cookie must also carry the session's x-csrf-token, and no foreign Origin.
//
// Thread-safe; a reload replaces the table whole and a bad file keeps the last good one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "serving/http.h"
#include "serving/session_table.h"
#include "serving/token_table.h"

namespace shanhuo {

// What a route asks for.
enum class RouteClass : uint8_t {
  kOpen,      // healthz, readyz, version, openapi.json, pages, api/features, signing in
  kSelf,      // who one is: whoever has a token
  kFeed,      // rank, assign
  kIngest,    // items, creators, events
  kExposure,  // creators/{id}/exposure; a creator sees its own alone: may_see_creator()
  kOperate,   // programs, experiments, parameters, blocks, impact, ledger, causes, stats, metrics
  kAdmin,     // users, and whatever is not named above
};

bool may(Role role, RouteClass route);

// False means 404: a creator never learns which other ids exist.
bool may_see_creator(const Principal& principal, std::string_view creator_id);

struct AccessOptions {
  std::string token_file;  // empty: no tokens, loopback alone
  std::string listen_host = "127.0.0.1";
  std::vector<std::string> hosts;  // further names that `Host` may carry, without a port
  size_t tokens_max = 1000;        // each request compares with all of them, 30 ns each
  Millis session_length{12 * 3'600'000LL};
  size_t sessions_max = 10'000;  // past it the oldest ends
};

// Who has signed in; without a token file there is no session, since nobody needs one.
struct SignedIn {
  Principal principal;
  std::optional<NewSession> session;
};

class Access {
 public:
  // Reads the token file when there is one. kInvalid with file:line: what, for a bad line, a
  // duplicate digest or too many; kIo when it cannot be read.
  // `clock` must outlive it.
  static Result<std::unique_ptr<Access>> open(AccessOptions options, const Clock& clock);
  ~Access();

  // kInvalid when the listen address is not loopback and there is no token file, or no TLS.
  Status check_listen(bool tls) const;

  // The rules that hold before any token is looked at; nullopt lets the request pass, otherwise
  // the answer: 403 for Host and Origin (without a token file), 415 for the content type of a
  // POST, PUT or PATCH with a body, and of any POST without a token file.
  std::optional<HttpResponse> check_request(const HttpRequest& request) const;

  // The caller behind an `Authorization` header. With a token file: no header is Role::kNobody
  // (open routes need none), a header that names no known token is nullopt, which is 401.
  std::optional<Principal> authenticate(std::string_view authorization) const;

  // The session of the request's cookie, while it lasts; its token may be gone by now.
  std::optional<Session> session_of(const HttpRequest& request) const;

  // All steps for one route: nullopt and `principal` set, or the answer (401 with www-authenticate,
  // 403, 429 with retry-after, or what check_request says). A bearer token goes before a cookie.
  std::optional<HttpResponse> admit(const HttpRequest& request, RouteClass route,
                                    Principal& principal) const;

  // nullopt: no such token, or it is over.
  std::optional<SignedIn> sign_in(std::string_view token) const;
  void sign_out(const HttpRequest& request) const;
  // A set-cookie line: HttpOnly, SameSite=Strict, and Secure where the request came by TLS.
  std::string session_cookie(const HttpRequest& request, std::string_view value,
                             Millis until) const;

  // Reads the file again if it changed (call about once a second). True when a new table is live;
  // on an error the last good one stays.
  Result<bool> reload_if_changed();

  // A sentence when the file can be read by others than its owner; empty otherwise.
  std::string permission_warning() const;

 private:
  struct Impl;
  explicit Access(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shanhuo
