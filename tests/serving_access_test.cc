#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "configs/reader.h"
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

ManualClock& clock() {
  static ManualClock manual(Millis(1'790'000'000'000));  // 2026-09-21T13:33:20Z
  return manual;
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
    auto access = Access::open(options(path_), clock());
    EXPECT_TRUE(access.ok()) << access.error().message;
    return std::move(access).value();
  }
  std::string error() const { return Access::open(options(path_), clock()).error().message; }

 private:
  const std::string path_;
};

NewToken token(std::string_view role, const TokenTerms& terms = {}) {
  auto made = make_token(role, terms);
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
  return std::move(Access::open(std::move(wanted), clock())).value();
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
      {Role::kFeed, {C::kOpen, C::kSelf, C::kFeed}},
      {Role::kIngest, {C::kOpen, C::kSelf, C::kIngest}},
      {Role::kCreator, {C::kOpen, C::kSelf, C::kExposure}},
      {Role::kOperator, {C::kOpen, C::kSelf, C::kOperate}},
      {Role::kAdmin,
       {C::kOpen, C::kSelf, C::kFeed, C::kIngest, C::kExposure, C::kOperate, C::kAdmin}}};
  for (const Row& row : rows) {
    for (const C c :
         {C::kOpen, C::kSelf, C::kFeed, C::kIngest, C::kExposure, C::kOperate, C::kAdmin}) {
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
  const NewToken feed = token("feed", {"app", "", ""}), creator = token("creator:c-17");
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
  for (const char* role : {"root", "creator", "feed:c-1", "creator:two words", "creator:a#b"}) {
    EXPECT_FALSE(make_token(role, {}).ok()) << role;
  }
  for (const TokenTerms& terms : {TokenTerms{"two words", "", ""},
                                  {"a#b", "", ""},
                                  {"a=b", "", ""},
                                  {"", "tomorrow", ""},
                                  {"", "", "0"},
                                  {"", "", "many"},
                                  {"", "", "1e9"}}) {
    EXPECT_FALSE(make_token("feed", terms).ok()) << terms.name << terms.until << terms.rate;
  }
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
      {digest + " feed until=2026-13-01T00:00:00Z", ":1: until: '2026-13-01T00:00:00Z' is no time"},
      {digest + " feed until=2026-01-01T00:00:00Z a until=2026-01-01T00:00:00Z",
       ":1: until stands twice"},
      {digest + " feed rate=0.001", ":1: rate: '0.001' is not 0.01..1000000"},
      {digest + " feed rate=1 rate=1", ":1: rate stands twice"},
      {digest + " feed\n" + digest + " admin", ":2: the same token twice"}};
  for (const auto& [text, wanted] : cases) {
    file.write(text);
    EXPECT_NE(file.error().find(file.path() + wanted), std::string::npos) << file.error();
  }
  EXPECT_EQ(Access::open(options("/nonexistent/tokens"), clock()).error().code, ErrorCode::kIo);
}

TEST(Access, ATokenIsUnknownFromItsEndOn) {
  TokenFile file;
  const NewToken feed = token("feed", {"app", "2026-09-21T22:00:00+08:00", ""});
  EXPECT_TRUE(feed.line.ends_with(" feed app until=2026-09-21T22:00:00+08:00"));
  file.write(feed.line);
  const auto access = file.open();
  const Millis end = parse_rfc3339("2026-09-21T14:00:00Z").value();
  clock().set(end - Millis(1));
  EXPECT_TRUE(access->authenticate("Bearer " + feed.token));
  clock().set(end);
  EXPECT_FALSE(access->authenticate("Bearer " + feed.token));
  HttpRequest late = request("GET");
  late.headers.add("Authorization", "Bearer " + feed.token);
  Principal nobody;
  EXPECT_EQ(access->admit(late, RouteClass::kFeed, nobody)->status, 401);
}

TEST(Access, ATokenSendsNoMoreThanItsRateAlsoAfterAReload) {
  TokenFile file;
  const NewToken slow = token("feed", {"slow", "", "0.01"}),
                 fast = token("feed", {"fast", "", "3"});
  file.write(slow.line + "\n" + fast.line);
  const auto access = file.open();
  const auto asked = [&](const NewToken& sender, RouteClass route) {
    HttpRequest from = request("GET");
    from.headers.add("Authorization", "Bearer " + sender.token);
    Principal principal;
    return access->admit(from, route, principal);
  };
  EXPECT_FALSE(asked(slow, RouteClass::kFeed));
  const auto refused = asked(slow, RouteClass::kFeed);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 429);
  const std::pair<std::string, std::string> later{"retry-after", "100"};
  EXPECT_EQ(std::count(refused->headers.begin(), refused->headers.end(), later), 1);
  EXPECT_EQ(asked(slow, RouteClass::kOpen)->status, 429);
  EXPECT_FALSE(asked(fast, RouteClass::kFeed));  // others are not held up
  file.write(slow.line + "  # the same\n" + fast.line);
  EXPECT_TRUE(access->reload_if_changed().value());
  EXPECT_EQ(asked(slow, RouteClass::kFeed)->status, 429);
}

// Of one that asks all the time: at the start a burst of a second's worth, then the rate.
TEST(RateLimit, LetsItsRatePassAndABurstOfASecond) {
  for (const double rate : {0.5, 1.0, 7.0, 1'000.0}) {
    RateLimit limit(rate);
    int64_t passed = 0, now_ns = 5;
    const double seconds = 20;
    for (const int64_t end = static_cast<int64_t>(seconds * 1e9); now_ns < end;) {
      const int64_t wait_ns = limit.wait_ns(now_ns);
      passed += wait_ns == 0;
      if (wait_ns > 0) {
        EXPECT_GT(limit.wait_ns(now_ns + wait_ns - 1), 0);
      }
      now_ns += wait_ns;
    }
    EXPECT_NEAR(static_cast<double>(passed), rate * seconds + std::max(1.0, rate), 1.5) << rate;
  }
}

TEST(RateLimit, LetsNoMorePassOfManyThreads) {
  RateLimit limit(1'000);
  std::atomic<int> passed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) passed += limit.wait_ns(0) == 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed, 1'000);
}

TEST(TokenTable, RotationAddsATokenOfTheSameKindAndEndsTheOldOnes) {
  const NewToken old = token("creator:c-17", {"anna", "", "5"}), other = token("feed");
  const NewToken ending = token("creator:c-17", {"anna", "2026-09-21T21:40:00+08:00", "5"});
  const std::string text =
      "# all\n" + old.line + "\n" + ending.line + "\n" + other.line + "  # app\n";
  const std::string until = "2026-09-21T22:00:00+08:00";
  const RotatedTokens rotated = rotate_tokens(text, "tokens", "anna", until).value();
  EXPECT_EQ(rotated.old, 2);
  EXPECT_EQ(rotated.text, "# all\n" + old.line.substr(0, 64) + " creator:c-17 anna until=" + until +
                              " rate=5\n" + ending.line + "\n" + other.line + "  # app\n" +
                              rotated.token.line + "\n");
  EXPECT_TRUE(rotated.token.line.ends_with(" creator:c-17 anna rate=5"));
  EXPECT_EQ(rotate_tokens(text, "tokens", "bert", until).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(rotate_tokens("nonsense", "tokens", "anna", until).ok());
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

TEST(Access, ASessionEndsWithItsTimeAndWithItsToken) {
  TokenFile file;
  const NewToken brief = token("operator", {"brief", "2026-09-21T15:13:20Z", ""}),
                 lasting = token("operator", {"lasting", "", ""});
  file.write(brief.line + "\n" + lasting.line);
  const auto access = file.open();
  ManualClock& now = clock();
  const Millis before = now.now(), start(1'790'000'000'000);
  now.set(start);
  const auto asked = [&](const SignedIn& who) {
    HttpRequest from = request("GET");
    from.headers.add("Cookie", "a=b; shanhuo_session=" + who.session->cookie);
    Principal principal;
    return status_of(access->admit(from, RouteClass::kOperate, principal));
  };
  const auto first = access->sign_in(brief.token), second = access->sign_in(lasting.token);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->session->session.until, start + Millis(3'600'000));  // as its token
  EXPECT_EQ(second->session->session.until, start + Millis(12 * 3'600'000));
  EXPECT_EQ(asked(*first), 0);
  now.set(start + Millis(3'600'000));
  EXPECT_EQ(asked(*first), 401);
  EXPECT_EQ(asked(*second), 0);
  now.set(start + Millis(12 * 3'600'000));
  EXPECT_EQ(asked(*second), 401);
  EXPECT_FALSE(access->sign_in(brief.token));
  EXPECT_FALSE(access->sign_in("of another engine"));
  now.set(before);
}

TEST(Access, ABearerTokenGoesBeforeACookieAndNeedsNoCsrf) {
  TokenFile file;
  const NewToken operates = token("operator"), feeds = token("feed");
  file.write(operates.line + "\n" + feeds.line);
  const auto access = file.open();
  const auto session = access->sign_in(operates.token)->session;
  HttpRequest both = request("PUT");
  both.headers.add("Cookie", "shanhuo_session=" + session->cookie);
  both.headers.add("Authorization", "Bearer " + feeds.token);
  Principal principal;
  EXPECT_EQ(status_of(access->admit(both, RouteClass::kOperate, principal)), 403);
  EXPECT_EQ(status_of(access->admit(both, RouteClass::kFeed, principal)), 0);
  EXPECT_EQ(principal.role, Role::kFeed);
}

TEST(Access, FindsACookieAmongOthers) {
  EXPECT_EQ(cookie_of("a=1; b=2;c=3", "b"), "2");
  EXPECT_EQ(cookie_of("a=1; b=2;c=3", "c"), "3");
  EXPECT_EQ(cookie_of("ab=1;  a=x=y", "a"), "x=y");
  for (const char* none : {"", ";", "; ;", "a", "ab=1", "b; a =1"}) {
    EXPECT_EQ(cookie_of(none, "a"), "") << none;
  }
}

TEST(Access, WithoutTokensOrWithoutTlsListensOnLoopbackAlone) {
  for (const char* host : {"127.0.0.1", "localhost", "::1", "127.0.0.2"}) {
    EXPECT_TRUE(without_tokens(options("", host))->check_listen(false).ok()) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "example.org"}) {
    EXPECT_FALSE(without_tokens(options("", host))->check_listen(true).ok()) << host;
  }
  TokenFile file;
  auto open = Access::open(options(file.path(), "0.0.0.0"), clock());
  EXPECT_TRUE(open.value()->check_listen(true).ok());
  EXPECT_FALSE(open.value()->check_listen(false).ok());  // a token in plain text would be read
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
