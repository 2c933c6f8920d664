#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "serving/access.h"

namespace shanhuo {
namespace {

AccessOptions options(std::string token_file, std::string listen_host = "127.0.0.1",
                      std::vector<std::string> hosts = {}) {
  AccessOptions made;
  made.token_file = std::move(token_file);
  made.listen_host = std::move(listen_host);
  made.hosts = std::move(hosts);
  return made;
}

class TokenFile {
 public:
  TokenFile() : path_(::testing::TempDir() + "shanhuo_tokens_" + std::to_string(::getpid())) {
    write("");
  }
  ~TokenFile() { std::filesystem::remove(path_); }
  // A new inode each time, as editors do, so that a change is seen within one clock tick too.
  void write(const std::string& text) {
    std::ofstream(path_ + ".new") << text;
    std::filesystem::rename(path_ + ".new", path_);
    ::chmod(path_.c_str(), 0600);
  }
  const std::string& path() const { return path_; }
  std::unique_ptr<Access> open() const {
    auto access = Access::open(options(path_));
    EXPECT_TRUE(access.ok()) << access.error().message;
    return std::move(access).value();
  }
  std::string error() const { return Access::open(options(path_)).error().message; }

 private:
  const std::string path_;
};

NewToken token(std::string_view role, std::string_view creator = "", std::string_view name = "") {
  auto made = make_token(role, creator, name);
  EXPECT_TRUE(made.ok()) << made.error().message;
  return std::move(made).value();
}

HttpRequest request(std::string method, std::string_view host = "127.0.0.1:8080") {
  HttpRequest r;
  r.method = std::move(method);
  if (!host.empty()) r.headers.add("Host", host);
  return r;
}

std::unique_ptr<Access> without_tokens(AccessOptions wanted = {}) {
  return std::move(Access::open(std::move(wanted))).value();
}

int status_of(const std::optional<HttpResponse>& response) {
  return response ? response->status : 0;
}

// SHA-256("abc"), FIPS 180-2.
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Access, GivesEachRoleItsClassesAndNoOther) {
  struct Row {
    Role role;
    std::set<RouteClass> allowed;
  };
  using C = RouteClass;
  const Row rows[] = {
      {Role::kNobody, {C::kOpen}},
      {Role::kFeed, {C::kOpen, C::kFeed}},
      {Role::kIngest, {C::kOpen, C::kIngest}},
      {Role::kCreator, {C::kOpen, C::kExposure}},
      {Role::kOperator, {C::kOpen, C::kOperate}},
      {Role::kAdmin, {C::kOpen, C::kFeed, C::kIngest, C::kExposure, C::kOperate, C::kAdmin}}};
  for (const Row& row : rows) {
    for (const C c : {C::kOpen, C::kFeed, C::kIngest, C::kExposure, C::kOperate, C::kAdmin}) {
      EXPECT_EQ(may(row.role, c), row.allowed.contains(c))
          << role_name(row.role) << " " << static_cast<int>(c);
    }
  }
}

TEST(Access, KnowsTokensByTheirDigest) {
  TokenFile file;
  file.write(std::string("# tokens\n\n") + kAbc + " feed app-1  # the feed\n");
  const auto access = file.open();
  const auto principal = access->authenticate("Bearer abc");
  ASSERT_TRUE(principal);
  EXPECT_EQ(principal->role, Role::kFeed);
  EXPECT_EQ(principal->caller, "app-1");
  EXPECT_TRUE(access->authenticate("bearer abc"));
  EXPECT_FALSE(access->authenticate("Bearer abd"));
  EXPECT_FALSE(access->authenticate("Bearer " + std::string(kAbc)));
  EXPECT_FALSE(access->authenticate("Bearer "));
  EXPECT_FALSE(access->authenticate("Basic abc"));
  EXPECT_FALSE(access->authenticate("Bearer " + std::string(100'000, 'a')));
  EXPECT_EQ(access->authenticate("")->role, Role::kNobody);
}

TEST(Access, MakesTokensThatItsFileAccepts) {
  TokenFile file;
  const NewToken feed = token("feed", "", "app"), creator = token("creator", "c-17");
  EXPECT_EQ(feed.token.size(), 43u);
  EXPECT_NE(feed.token, creator.token);
  EXPECT_EQ(feed.line.find(feed.token), std::string::npos);
  file.write(feed.line + "\n" + creator.line + "\n");
  const auto access = file.open();
  EXPECT_EQ(access->authenticate("Bearer " + feed.token)->caller, "app");
  const auto principal = access->authenticate("Bearer " + creator.token);
  EXPECT_EQ(principal->creator_id, "c-17");
  EXPECT_EQ(principal->caller, creator.line.substr(0, 8));
  EXPECT_TRUE(may_see_creator(*principal, "c-17"));
  EXPECT_FALSE(may_see_creator(*principal, "c-18"));
  EXPECT_TRUE(may_see_creator({Role::kOperator, "", ""}, "c-18"));
}

TEST(Access, RefusesToMakeTokensThatItsFileWouldNotAccept) {
  EXPECT_FALSE(make_token("root", "", "").ok());
  EXPECT_FALSE(make_token("creator", "", "").ok());
  EXPECT_FALSE(make_token("feed", "c-1", "").ok());
  EXPECT_FALSE(make_token("feed", "", "two words").ok());
  EXPECT_FALSE(make_token("feed", "", "a#b").ok());
}

TEST(Access, NamesTheLineThatIsWrong) {
  TokenFile file;
  const std::string digest = kAbc;
  const std::pair<std::string, std::string> cases[] = {
      {"\nabc feed", ":2: the line must begin with a SHA-256"},
      {digest, ":1: role ''"},
      {digest + " root", ":1: role 'root'"},
      {digest + " creator", ":1: creator, and no other role"},
      {digest + " admin:x", ":1: creator, and no other role"},
      {digest + " creator:", ":1: the creator id"},
      {digest + " feed a b", ":1: a line holds"},
      {digest + " feed\n" + digest + " admin", ":2: the same token twice"}};
  for (const auto& [text, wanted] : cases) {
    file.write(text);
    EXPECT_NE(file.error().find(file.path() + wanted), std::string::npos) << file.error();
  }
  EXPECT_EQ(Access::open(options("/nonexistent/tokens")).error().code, ErrorCode::kIo);
}

TEST(Access, AnswersUnauthorizedBeforeForbidden) {
  TokenFile file;
  const NewToken feed = token("feed");
  file.write(feed.line);
  const auto access = file.open();
  Principal principal;
  HttpRequest anonymous = request("GET");
  EXPECT_EQ(status_of(access->admit(anonymous, RouteClass::kOpen, principal)), 0);
  const auto refused = access->admit(anonymous, RouteClass::kFeed, principal);
  EXPECT_EQ(status_of(refused), 401);
  EXPECT_NE(refused->header("www-authenticate"), "");
  HttpRequest unknown = request("GET");
  unknown.headers.add("Authorization", "Bearer nope");
  EXPECT_EQ(status_of(access->admit(unknown, RouteClass::kFeed, principal)), 401);
  EXPECT_EQ(status_of(access->admit(unknown, RouteClass::kOpen, principal)), 0);
  HttpRequest known = request("GET");
  known.headers.add("Authorization", "Bearer " + feed.token);
  EXPECT_EQ(status_of(access->admit(known, RouteClass::kFeed, principal)), 0);
  EXPECT_EQ(principal.role, Role::kFeed);
  EXPECT_EQ(status_of(access->admit(known, RouteClass::kAdmin, principal)), 403);
}

TEST(Access, ReloadsAChangedFileAndKeepsTheLastGoodOne) {
  TokenFile file;
  const NewToken first = token("feed"), second = token("admin");
  file.write(first.line);
  const auto access = file.open();
  EXPECT_FALSE(access->reload_if_changed().value());
  file.write(second.line);
  EXPECT_TRUE(access->reload_if_changed().value());
  EXPECT_FALSE(access->authenticate("Bearer " + first.token));
  EXPECT_EQ(access->authenticate("Bearer " + second.token)->role, Role::kAdmin);
  file.write("rubbish");
  EXPECT_FALSE(access->reload_if_changed().ok());
  EXPECT_FALSE(access->reload_if_changed().value());  // said once
  EXPECT_TRUE(access->authenticate("Bearer " + second.token));
  std::filesystem::remove(file.path());
  EXPECT_FALSE(access->reload_if_changed().ok());
  EXPECT_TRUE(access->authenticate("Bearer " + second.token));
}

TEST(Access, WarnsOfAFileThatOthersCanRead) {
  TokenFile file;
  EXPECT_EQ(file.open()->permission_warning(), "");
  ::chmod(file.path().c_str(), 0644);
  EXPECT_NE(file.open()->permission_warning(), "");
}

TEST(Access, WithoutTokensListensOnLoopbackAlone) {
  for (const char* host : {"127.0.0.1", "localhost", "::1", "127.0.0.2"}) {
    EXPECT_TRUE(without_tokens(options("", host))->check_listen().ok()) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "example.org"}) {
    EXPECT_FALSE(without_tokens(options("", host))->check_listen().ok()) << host;
  }
  TokenFile file;
  auto open = Access::open(options(file.path(), "0.0.0.0"));
  EXPECT_TRUE(open.value()->check_listen().ok());
}

TEST(Access, WithoutTokensRefusesUnknownHosts) {
  const auto access = without_tokens(options("", "127.0.0.1", {"engine.internal"}));
  for (const char* host : {"127.0.0.1:8080", "LOCALHOST:1", "localhost", "[::1]:8080", "[::1]",
                           "engine.internal:80"}) {
    EXPECT_EQ(status_of(access->check_request(request("GET", host))), 0) << host;
  }
  for (const char* host :
       {"evil.example", "127.0.0.1.evil.example", "localhost.evil:8080", "", "::1"}) {
    EXPECT_EQ(status_of(access->check_request(request("GET", host))), 403) << host;
  }
}

TEST(Access, WithoutTokensRefusesForeignOrigins) {
  const auto access = without_tokens();
  const auto status = [&](std::string_view origin) {
    HttpRequest r = request("GET", "localhost:8080");
    r.headers.add("origin", origin);
    return status_of(access->check_request(r));
  };
  EXPECT_EQ(status("http://localhost:8080"), 0);
  for (const char* origin : {"http://localhost:3000", "http://evil.example", "null", "",
                             "http://localhost:8080.evil.example"}) {
    EXPECT_EQ(status(origin), 403) << origin;
  }
}

TEST(Access, TakesWritesOfKnownTypesOnly) {
  const auto access = without_tokens();
  const auto status = [&](std::string method, std::string type, std::string body) {
    HttpRequest r = request(std::move(method));
    r.content_type = std::move(type);
    r.body = std::move(body);
    return status_of(access->check_request(r));
  };
  for (const char* type : {"application/json", "application/x-ndjson", "application/x-protobuf"}) {
    EXPECT_EQ(status("POST", type, "{}"), 0) << type;
    EXPECT_EQ(status("PUT", type, "{}"), 0) << type;
  }
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded",
                           "multipart/form-data", "application/jsonx"}) {
    EXPECT_EQ(status("POST", type, "{}"), 415) << type;
    EXPECT_EQ(status("PATCH", type, "{}"), 415) << type;
    EXPECT_EQ(status("POST", type, ""), 415) << type;
    EXPECT_EQ(status("PUT", type, ""), 0) << type;  // a browser asks first before it sends a PUT
    EXPECT_EQ(status("DELETE", type, ""), 0) << type;
    EXPECT_EQ(status("GET", type, ""), 0) << type;
  }
}

}  // namespace
}  // namespace shanhuo
