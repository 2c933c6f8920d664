#include "serving/access.h"

#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "base/durable_file.h"
#include "base/ids.h"
#include "base/published.h"
#include "features/digest.h"
#include "serving/problem.h"

namespace shanhuo {
namespace {

constexpr size_t kTokenTextBytesMax = 512;  // longer ones are refused unhashed
constexpr size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kCookie = "shanhuo_session";

// What tells one version of a file from the next.
struct FileStamp {
  ino_t inode = 0;
  off_t bytes = 0;
  int64_t changed_ns = 0;
  mode_t mode = 0;
  bool operator==(const FileStamp&) const = default;
};

Result<FileStamp> stamp_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Error{ErrorCode::kIo, path + ": cannot be read"};
  const int64_t changed_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  return FileStamp{info.st_ino, info.st_size, changed_ns, info.st_mode};
}

bool is_loopback_host(std::string_view host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.substr(0, 4) == "127.";
}

// "example.org:8080" -> "example.org", "[::1]:80" -> "[::1]".
std::string_view without_port(std::string_view host) {
  const size_t bracket = host.rfind(']');
  const size_t colon = host.rfind(':');
  if (colon == std::string_view::npos) return host;
  return bracket != std::string_view::npos && colon < bracket ? host : host.substr(0, colon);
}

bool accepted_type(std::string_view type) {
  return type == "application/json" || type == "application/x-ndjson" ||
         type == "application/x-protobuf" || type == "application/merge-patch+json";
}

bool changes_something(const HttpRequest& request) {
  return request.method != "GET" && request.method != "OPTIONS";
}

// Whether a page of another site sent it; browsers tell with every write.
bool foreign_origin(const HttpRequest& request) {
  const std::string_view host = request.header("host"), origin = request.header("origin");
  return request.headers.count("origin") > 0 &&
         !equals_ignoring_case(origin, "http://" + std::string(host)) &&
         !equals_ignoring_case(origin, "https://" + std::string(host));
}

HttpResponse too_many(int64_t wait_ns) {
  constexpr int64_t kSecondNs = 1'000'000'000;
  HttpResponse response = problem(429, "", "more requests a second than this token may send");
  response.with("retry-after", std::to_string((wait_ns + kSecondNs - 1) / kSecondNs));
  return response;
}

}  // namespace

struct Access::Impl {
  Impl(AccessOptions o, const Clock& c)
      : options(std::move(o)), clock(c), sessions(options.sessions_max) {}

  bool has_tokens() const { return !options.token_file.empty(); }
  bool allowed_host(std::string_view host) const;
  Status load();
  // Of a token that holds now.
  std::optional<TokenEntry> entry_of(std::string_view digest) const;

  const AccessOptions options;
  const Clock& clock;
  Published<TokenTable> table{std::make_shared<const TokenTable>()};
  SessionTable sessions;
  mutable std::mutex mutex;
  FileStamp stamp;  // guarded by mutex: of the version last looked at, good or bad
};

bool Access::Impl::allowed_host(std::string_view host) const {
  const std::string_view name = without_port(host);
  const auto is = [&](std::string_view known) { return equals_ignoring_case(name, known); };
  return is("localhost") || is("127.0.0.1") || is("[::1]") || is(options.listen_host) ||
         is("[" + options.listen_host + "]") ||
         std::any_of(options.hosts.begin(), options.hosts.end(), is);
}

Status Access::Impl::load() {
  const Result<FileStamp> now = stamp_of(options.token_file);
  if (!now.ok()) return now.error();
  stamp = now.value();
  const Result<std::string> text = read_text_file(options.token_file, kFileBytesMax);
  if (!text.ok()) return text.error();
  Result<TokenTable> parsed =
      TokenTable::parse(text.value(), options.token_file, options.tokens_max, *table.get());
  if (!parsed.ok()) return parsed.error();
  table.set(std::make_shared<const TokenTable>(std::move(parsed).value()));
  return {};
}

std::optional<TokenEntry> Access::Impl::entry_of(std::string_view digest) const {
  const std::shared_ptr<const TokenTable> now = table.get();
  const TokenEntry* const found = now->find(digest);
  if (found == nullptr || (found->until && *found->until <= clock.now())) return std::nullopt;
  return *found;
}

// The table of contract 2.10. Bits of the row say which classes the role may use.
bool may(Role role, RouteClass route) {
  constexpr auto bit = [](RouteClass c) { return 1U << static_cast<unsigned>(c); };
  constexpr unsigned kOpen = bit(RouteClass::kOpen);
  constexpr unsigned kSelf = kOpen | bit(RouteClass::kSelf);
  constexpr unsigned kEverything = kSelf | bit(RouteClass::kFeed) | bit(RouteClass::kIngest) |
                                   bit(RouteClass::kExposure) | bit(RouteClass::kOperate) |
                                   bit(RouteClass::kAdmin);
  constexpr unsigned kRows[] = {
      /* kNobody   */ kOpen,
      /* kFeed     */ kSelf | bit(RouteClass::kFeed),
      /* kIngest   */ kSelf | bit(RouteClass::kIngest),
      /* kCreator  */ kSelf | bit(RouteClass::kExposure),
      /* kOperator */ kSelf | bit(RouteClass::kOperate),
      /* kAdmin    */ kEverything,
  };
  return (kRows[static_cast<size_t>(role)] & bit(route)) != 0;
}

bool may_see_creator(const Principal& principal, std::string_view creator_id) {
  return principal.role != Role::kCreator || principal.creator_id == creator_id;
}

Access::Access(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Access::~Access() = default;

Result<std::unique_ptr<Access>> Access::open(AccessOptions options, const Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(options), clock);
  if (impl->has_tokens()) {
    const Status loaded = impl->load();
    if (!loaded.ok()) return loaded.error();
  }
  return std::unique_ptr<Access>(new Access(std::move(impl)));
}

Status Access::check_listen(bool tls) const {
  const std::string& host = impl_->options.listen_host;
  if (is_loopback_host(host)) return {};
  const std::string needs = !impl_->has_tokens() ? "a token file"
                            : !tls               ? "http.tls_certificate and http.tls_key"
                                                 : "";
  if (needs.empty()) return {};
  return Error{ErrorCode::kInvalid,
               "listening on " + host + " needs " + needs + "; without only 127.0.0.1 is safe"};
}

std::optional<HttpResponse> Access::check_request(const HttpRequest& request) const {
  if (!impl_->has_tokens()) {
    if (!impl_->allowed_host(request.header("host"))) return problem(403, "", "unknown Host");
    if (foreign_origin(request)) return problem(403, "", "foreign Origin");
  }
  const bool post = request.method == "POST";
  if (!post && request.method != "PUT" && request.method != "PATCH") return std::nullopt;
  const bool needs_type = !request.body.empty() || (post && !impl_->has_tokens());
  if (!needs_type || accepted_type(request.content_type)) return std::nullopt;
  return problem(415, "",
                 "content-type must be application/json, application/x-ndjson or "
                 "application/x-protobuf");
}

std::optional<Principal> Access::authenticate(std::string_view authorization) const {
  if (!impl_->has_tokens()) return Principal{Role::kAdmin, "", "local"};
  if (authorization.empty()) return Principal{};
  constexpr std::string_view kScheme = "bearer ";
  if (!equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  const std::string_view token = authorization.substr(kScheme.size());
  if (token.size() > kTokenTextBytesMax) return std::nullopt;
  const std::optional<TokenEntry> entry = impl_->entry_of(sha256_hex(token));
  if (!entry) return std::nullopt;
  return entry->principal;
}

std::optional<Session> Access::session_of(const HttpRequest& request) const {
  const std::string_view cookie = cookie_of(request.header("cookie"), kCookie);
  if (cookie.empty() || cookie.size() > kTokenTextBytesMax) return std::nullopt;
  return impl_->sessions.find(cookie, impl_->clock.now());
}

std::optional<HttpResponse> Access::admit(const HttpRequest& request, RouteClass route,
                                          Principal& principal) const {
  if (auto refused = check_request(request)) return refused;
  const std::string_view authorization = request.header("authorization");
  const std::optional<Session> session =
      authorization.empty() ? session_of(request) : std::optional<Session>();
  std::optional<Principal> caller;
  if (!session) {
    caller = authenticate(authorization);
  } else if (const auto entry = impl_->entry_of(session->token_digest)) {
    caller = entry->principal;
  }
  if (!caller && route == RouteClass::kOpen) caller = Principal{};  // probes and SDKs send anything
  if (caller && caller->limit) {
    if (const int64_t wait_ns = caller->limit->wait_ns(impl_->clock.monotonic_ns()); wait_ns > 0) {
      return too_many(wait_ns);
    }
  }
  if (session && route != RouteClass::kOpen && changes_something(request)) {
    if (foreign_origin(request)) return problem(403, "", "foreign Origin");
    if (!equal_secrets(request.header("x-csrf-token"), session->csrf)) {
      return problem(403, "", "x-csrf-token must be the one that this session was given");
    }
  }
  if (caller && may(caller->role, route)) {
    principal = *std::move(caller);
    return std::nullopt;
  }
  const bool anonymous = caller && caller->role == Role::kNobody;
  if (caller && !anonymous) {
    return problem(403, "",
                   "the role " + std::string(role_name(caller->role)) + " may not do this");
  }
  HttpResponse response =
      problem(401, "", anonymous ? "a bearer token is needed" : "unknown or expired token");
  response.with("www-authenticate", "Bearer realm=\"shanhuo\"");
  return response;
}

std::optional<SignedIn> Access::sign_in(std::string_view token) const {
  if (!impl_->has_tokens()) return SignedIn{*authenticate({}), {}};
  if (token.empty() || token.size() > kTokenTextBytesMax) return std::nullopt;
  const std::string digest = sha256_hex(token);
  const std::optional<TokenEntry> entry = impl_->entry_of(digest);
  if (!entry) return std::nullopt;
  const Millis end = impl_->clock.now() + impl_->options.session_length;
  return SignedIn{entry->principal,
                  impl_->sessions.begin(digest, std::min(end, entry->until.value_or(end)))};
}

void Access::sign_out(const HttpRequest& request) const {
  impl_->sessions.end(cookie_of(request.header("cookie"), kCookie));
}

std::string Access::session_cookie(const HttpRequest& request, std::string_view value,
                                   Millis until) const {
  const int64_t seconds = std::max<int64_t>(0, (until - impl_->clock.now()).count() / 1'000);
  std::string cookie(kCookie);
  cookie.append("=").append(value).append("; Path=/; HttpOnly; SameSite=Strict; Max-Age=");
  cookie.append(std::to_string(seconds));
  return request.secure ? cookie + "; Secure" : cookie;
}

Result<bool> Access::reload_if_changed() {
  if (!impl_->has_tokens()) return false;
  const std::lock_guard lock(impl_->mutex);
  const Result<FileStamp> now = stamp_of(impl_->options.token_file);
  if (!now.ok()) return now.error();
  if (now.value() == impl_->stamp) return false;
  const Status loaded = impl_->load();
  if (!loaded.ok()) return loaded.error();
  return true;
}

std::string Access::permission_warning() const {
  const std::lock_guard lock(impl_->mutex);
  constexpr mode_t kOthers = S_IRWXG | S_IRWXO;
  if (!impl_->has_tokens() || (impl_->stamp.mode & kOthers) == 0) return {};
  return impl_->options.token_file + " can be used by others than its owner; chmod 600 it";
}

}  // namespace shanhuo
