#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "serving/page_files.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

class Pages : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("shanhuo_pages_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "dist" / "static" / "deep.js");
    write("secret.html", "secret");
    write("dist/creator.html", "<html>");
    write("dist/static/page-1.js", "plain");
    write("dist/static/page-1.js.br", "BR");
    write("dist/static/page-1.js.gz", "GZ");
    write("dist/static/notes.txt", "no type");
    write("dist/static/.hidden.js", "hidden");
    write("dist/static/strange name.js", "strange");
    fs::create_symlink(folder_ / "secret.html", folder_ / "dist" / "link.html");
    fs::create_symlink(folder_ / "secret.html", folder_ / "dist" / "static" / "link.js");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  PageFiles load() const { return PageFiles::load(folder_ / "dist"); }

  fs::path folder_;
};

HttpRequest get(std::string_view accepted = "", std::string_view known = "") {
  HttpRequest request;
  request.method = "GET";
  if (!accepted.empty()) request.headers.add("accept-encoding", accepted);
  if (!known.empty()) request.headers.add("if-none-match", known);
  return request;
}

TEST_F(Pages, HoldsWhatThePagesAreMadeOfAndNothingElse) {
  const PageFiles pages = load();
  EXPECT_EQ(pages.size(), 2u);
  EXPECT_TRUE(pages.answer("creator.html", get()));
  EXPECT_TRUE(pages.answer("static/page-1.js", get()));
  using namespace std::string_literals;
  for (const std::string& name :
       {"link.html"s, "static/link.js"s, "static/deep.js"s, "static/notes.txt"s,
        "static/.hidden.js"s, "static/strange name.js"s, "static/page-1.js.br"s,
        "static/../creator.html"s, "../secret.html"s, "static/../../secret.html"s,
        "static/%2e%2e/creator.html"s, "static/"s, "static"s, "/etc/passwd"s, "creator.html\0.js"s,
        ""s}) {
    EXPECT_FALSE(pages.answer(name, get())) << name;
  }
  EXPECT_EQ(PageFiles::load(folder_ / "nowhere").size(), 0u);
}

TEST_F(Pages, AnswersInTheBestEncodingThatIsAccepted) {
  const PageFiles pages = load();
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"", "", "plain"},
      {"gzip, deflate, br", "br", "BR"},
      {"gzip, deflate", "gzip", "GZ"},
      {"br;q=0, gzip", "gzip", "GZ"},
      {"GZIP ; q=0.5", "gzip", "GZ"},
      {"br;q=0.000,gzip;q=0", "", "plain"},
      {"brotli, xbr", "", "plain"},
      {" , ,br", "br", "BR"}};
  for (const auto& [accepted, coding, body] : cases) {
    const auto answer = pages.answer("static/page-1.js", get(accepted));
    ASSERT_TRUE(answer) << accepted;
    EXPECT_EQ(answer->header("content-encoding"), coding) << accepted;
    EXPECT_EQ(answer->body, body) << accepted;
    EXPECT_EQ(answer->content_type, "text/javascript; charset=utf-8");
    EXPECT_EQ(answer->header("vary"), "accept-encoding");
  }
  EXPECT_EQ(pages.answer("creator.html", get("br, gzip"))->body, "<html>");
}

TEST_F(Pages, SaysNotModifiedToWhoHasTheSameBytesInTheSameEncoding) {
  const PageFiles pages = load();
  const std::string plain(pages.answer("static/page-1.js", get())->header("etag"));
  const std::string br(pages.answer("static/page-1.js", get("br"))->header("etag"));
  EXPECT_NE(plain, br);
  for (const std::string& known : {br, "\"x\", W/" + br, std::string("*")}) {
    const auto answer = pages.answer("static/page-1.js", get("br", known));
    EXPECT_EQ(answer->status, 304) << known;
    EXPECT_TRUE(answer->body.empty() && answer->content_type.empty());
    EXPECT_EQ(answer->header("etag"), br);
  }
  EXPECT_EQ(pages.answer("static/page-1.js", get("br", plain))->status, 200);
  write("dist/static/page-1.js", "other");
  EXPECT_NE(load().answer("static/page-1.js", get())->header("etag"), plain);
}

TEST_F(Pages, KeepsAPageToItsOwnScripts) {
  const PageFiles pages = load();
  for (const char* name : {"creator.html", "static/page-1.js"}) {
    const auto answer = pages.answer(name, get());
    const std::string_view policy = answer->header("content-security-policy");
    EXPECT_NE(policy.find("default-src 'none'"), policy.npos);
    EXPECT_EQ(policy.find("unsafe"), policy.npos);
    EXPECT_EQ(answer->header("x-content-type-options"), "nosniff");
  }
  EXPECT_EQ(pages.answer("creator.html", get())->header("cache-control"), "no-cache");
  const std::string forever(pages.answer("static/page-1.js", get())->header("cache-control"));
  EXPECT_NE(forever.find("immutable"), forever.npos);
}

}  // namespace
}  // namespace shanhuo
