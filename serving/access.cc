#include "serving/access.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "base/ids.h"
#include "base/published.h"
#include "features/digest.h"
#include "serving/problem.h"

namespace shanhuo {
namespace {

constexpr size_t kDigestHexDigits = 64;  // of SHA-256
constexpr size_t kTokenBytes = 32;
constexpr size_t kTokenTextBytesMax = 512;  // longer ones are refused unhashed
constexpr size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kBlanks = " \t\r";

constexpr std::pair<std::string_view, Role> kRoles[] = {{"feed", Role::kFeed},
                                                        {"ingest", Role::kIngest},
                                                        {"creator", Role::kCreator},
                                                        {"operator", Role::kOperator},
                                                        {"admin", Role::kAdmin}};

struct Entry {
  std::string digest;  // sha256_hex() of the token
  Principal principal;
};
using Table = std::vector<Entry>;

// What tells one version of a file from the next.
struct FileStamp {
  ino_t inode = 0;
  off_t bytes = 0;
  int64_t changed_ns = 0;
  mode_t mode = 0;
  bool operator==(const FileStamp&) const = default;
};

// The digest of a line, whichever case its digits have; empty when it is none.
std::string parse_digest(std::string_view text) {
  if (text.size() != kDigestHexDigits) return {};
  std::string digest(text);
  for (char& c : digest) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  const bool hex = digest.find_first_not_of("0123456789abcdef") == std::string::npos;
  return hex ? digest : std::string();
}

std::optional<Role> parse_role(std::string_view name) {
  for (const auto& [text, role] : kRoles) {
    if (text == name) return role;
  }
  return std::nullopt;
}

// Takes the next word off `line`; empty at its end or at a comment.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  if (line.empty() || line.front() == '#') return {};
  const size_t end = std::min(line.find_first_of(kBlanks), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

// Role and id of "creator:c-17" or "feed".
Result<Principal> parse_role_word(std::string_view word) {
  const size_t colon = word.find(':');
  const std::optional<Role> role = parse_role(word.substr(0, colon));
  if (!role) {
    return Error{ErrorCode::kInvalid, "role '" + std::string(word.substr(0, colon)) +
                                          "' is not feed, ingest, creator, operator or admin"};
  }
  const bool has_id = colon != std::string_view::npos;
  if (has_id != (*role == Role::kCreator)) {
    return Error{ErrorCode::kInvalid, "creator, and no other role, takes ':' and a creator id"};
  }
  Principal principal{*role, has_id ? std::string(word.substr(colon + 1)) : "", ""};
  if (has_id && !valid_id(principal.creator_id)) {
    return Error{ErrorCode::kInvalid, "the creator id must be 1..128 bytes of UTF-8"};
  }
  return principal;
}

Result<Entry> parse_line(std::string_view digest_word, std::string_view rest) {
  Entry entry;
  entry.digest = parse_digest(digest_word);
  if (entry.digest.empty()) {
    return Error{ErrorCode::kInvalid, "the line must begin with a SHA-256 of 64 hex digits"};
  }
  Result<Principal> principal = parse_role_word(next_word(rest));
  if (!principal.ok()) return principal.error();
  entry.principal = std::move(principal).value();
  const std::string_view name = next_word(rest);
  entry.principal.caller = name.empty() ? digest_word.substr(0, 8) : name;
  if (!valid_id(entry.principal.caller)) {
    return Error{ErrorCode::kInvalid, "the name must be 1..128 bytes of UTF-8"};
  }
  if (!next_word(rest).empty()) {
    return Error{ErrorCode::kInvalid, "a line holds digest, role and one name"};
  }
  return entry;
}

Result<Table> parse_table(std::string_view text, const AccessOptions& options) {
  Table table;
  std::set<std::string> seen;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view digest = next_word(line);
    if (digest.empty()) continue;
    const std::string place = options.token_file + ":" + std::to_string(number);
    Result<Entry> entry = parse_line(digest, line);
    if (!entry.ok()) return entry.error().within(place);
    if (!seen.insert(entry.value().digest).second) {
      return Error{ErrorCode::kInvalid, "the same token twice"}.within(place);
    }
    if (table.size() == options.tokens_max) {
      return Error{ErrorCode::kInvalid,
                   "more than " + std::to_string(options.tokens_max) + " tokens"}
          .within(place);
    }
    table.push_back(std::move(entry).value());
  }
  return table;
}

Result<FileStamp> stamp_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Error{ErrorCode::kIo, path + ": cannot be read"};
  const int64_t changed_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  return FileStamp{info.st_ino, info.st_size, changed_ns, info.st_mode};
}

Result<std::string> read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return Error{ErrorCode::kIo, path + ": cannot be read"};
  std::string text(kFileBytesMax + 1, '\0');
  size_t used = 0;
  ssize_t got = 0;
  while (used < text.size() && (got = ::read(file, text.data() + used, text.size() - used)) > 0) {
    used += static_cast<size_t>(got);
  }
  ::close(file);
  if (got < 0) return Error{ErrorCode::kIo, path + ": cannot be read"};
  if (used > kFileBytesMax) return Error{ErrorCode::kInvalid, path + ": larger than 1 MiB"};
  text.resize(used);
  return text;
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

}  // namespace

struct Access::Impl {
  explicit Impl(AccessOptions o) : options(std::move(o)) {}

  bool has_tokens() const { return !options.token_file.empty(); }
  bool allowed_host(std::string_view host) const;
  Status load();

  const AccessOptions options;
  Published<Table> table{std::make_shared<const Table>()};
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
  const Result<std::string> text = read_file(options.token_file);
  if (!text.ok()) return text.error();
  Result<Table> parsed = parse_table(text.value(), options);
  if (!parsed.ok()) return parsed.error();
  table.set(std::make_shared<const Table>(std::move(parsed).value()));
  return {};
}

// The table of contract 2.10. Bits of the row say which classes the role may use.
bool may(Role role, RouteClass route) {
  constexpr auto bit = [](RouteClass c) { return 1U << static_cast<unsigned>(c); };
  constexpr unsigned kOpen = bit(RouteClass::kOpen);
  constexpr unsigned kEverything = kOpen | bit(RouteClass::kFeed) | bit(RouteClass::kIngest) |
                                   bit(RouteClass::kExposure) | bit(RouteClass::kOperate) |
                                   bit(RouteClass::kAdmin);
  constexpr unsigned kRows[] = {
      /* kNobody   */ kOpen,
      /* kFeed     */ kOpen | bit(RouteClass::kFeed),
      /* kIngest   */ kOpen | bit(RouteClass::kIngest),
      /* kCreator  */ kOpen | bit(RouteClass::kExposure),
      /* kOperator */ kOpen | bit(RouteClass::kOperate),
      /* kAdmin    */ kEverything,
  };
  return (kRows[static_cast<size_t>(role)] & bit(route)) != 0;
}

std::string_view role_name(Role role) {
  for (const auto& [text, known] : kRoles) {
    if (known == role) return text;
  }
  return "nobody";
}

bool may_see_creator(const Principal& principal, std::string_view creator_id) {
  return principal.role != Role::kCreator || principal.creator_id == creator_id;
}

Access::Access(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Access::~Access() = default;

Result<std::unique_ptr<Access>> Access::open(AccessOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  if (impl->has_tokens()) {
    const Status loaded = impl->load();
    if (!loaded.ok()) return loaded.error();
  }
  return std::unique_ptr<Access>(new Access(std::move(impl)));
}

Status Access::check_listen() const {
  if (impl_->has_tokens() || is_loopback_host(impl_->options.listen_host)) return {};
  return Error{ErrorCode::kInvalid, "listening on " + impl_->options.listen_host +
                                        " needs a token file; without one only 127.0.0.1 is safe"};
}

std::optional<HttpResponse> Access::check_request(const HttpRequest& request) const {
  if (!impl_->has_tokens()) {
    const std::string_view host = request.header("host");
    if (!impl_->allowed_host(host)) return problem(403, "", "unknown Host");
    const std::string_view origin = request.header("origin");
    const bool same_origin = equals_ignoring_case(origin, "http://" + std::string(host)) ||
                             equals_ignoring_case(origin, "https://" + std::string(host));
    if (request.headers.count("origin") > 0 && !same_origin) {
      return problem(403, "", "foreign Origin");
    }
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
  const std::string digest = sha256_hex(token);
  const std::shared_ptr<const Table> table = impl_->table.get();
  const Entry* found = nullptr;
  for (const Entry& entry : *table) {  // to the end: the time tells nothing about the table
    if (equal_secrets(entry.digest, digest)) found = &entry;
  }
  if (found == nullptr) return std::nullopt;
  return found->principal;
}

std::optional<HttpResponse> Access::admit(const HttpRequest& request, RouteClass route,
                                          Principal& principal) const {
  if (auto refused = check_request(request)) return refused;
  std::optional<Principal> caller = authenticate(request.header("authorization"));
  if (!caller && route == RouteClass::kOpen) caller = Principal{};  // probes and SDKs send anything
  const bool anonymous = caller && caller->role == Role::kNobody;
  if (caller && may(caller->role, route)) {
    principal = *std::move(caller);
    return std::nullopt;
  }
  if (caller && !anonymous) {
    return problem(403, "",
                   "the role " + std::string(role_name(caller->role)) + " may not do this");
  }
  HttpResponse response =
      problem(401, "", anonymous ? "a bearer token is needed" : "unknown token");
  response.with("www-authenticate", "Bearer realm=\"shanhuo\"");
  return response;
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

Result<NewToken> make_token(std::string_view role, std::string_view creator_id,
                            std::string_view name) {
  std::string role_word(role);
  if (!creator_id.empty()) role_word.append(":").append(creator_id);
  const Result<Principal> parsed = parse_role_word(role_word);
  if (!parsed.ok()) return parsed.error();
  for (const std::string_view word : {creator_id, name}) {
    if (!word.empty() && (!valid_id(word) || word.find_first_of(" \t#") != word.npos)) {
      return Error{ErrorCode::kInvalid, "ids and names in a token file hold no blanks and no '#'"};
    }
  }
  std::string token = random_token(kTokenBytes);
  std::string line = sha256_hex(token) + " " + role_word;
  if (!name.empty()) line.append(" ").append(name);
  return NewToken{std::move(token), std::move(line)};
}

}  // namespace shanhuo
