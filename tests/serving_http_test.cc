#include <gtest/gtest.h>

#include "serving/http.h"
#include "serving/http_wire.h"
#include "serving/problem.h"

namespace shanhuo {
namespace {

HttpRequest parsed(std::string_view target) {
  HttpRequest request;
  EXPECT_TRUE(parse_target(target, request).ok()) << target;
  return request;
}

TEST(HttpTarget, SplitsBeforeDecodingSoThatAnIdMayHoldASlash) {
  const HttpRequest request = parsed("/v1/items/a%2Fb/%E7%8C%95%E7%8C%B4%E6%A1%83");
  EXPECT_EQ(request.segments, (std::vector<std::string>{"v1", "items", "a/b", "猕猴桃"}));
  EXPECT_EQ(request.path, "/v1/items/a/b/猕猴桃");
}

TEST(HttpTarget, KeepsEmptySegmentsApartFromNone) {
  EXPECT_TRUE(parsed("/").segments.empty());
  EXPECT_EQ(parsed("/a/").segments, (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(parsed("//a").segments, (std::vector<std::string>{"", "a"}));
  EXPECT_EQ(parsed("/v1/programs:validate").segments.back(), "programs:validate");
}

TEST(HttpTarget, ReadsQueryParametersInOrder) {
  const HttpRequest request = parsed("/x?by=item&from=1&empty=&flag&q=a+b%2Bc&by=second&&");
  EXPECT_EQ(request.path, "/x");
  EXPECT_EQ(request.param("by"), "item");
  EXPECT_EQ(request.param("q"), "a b+c");
  EXPECT_EQ(request.param("empty"), "");
  EXPECT_EQ(request.param("flag"), "");
  EXPECT_EQ(request.param("none"), std::nullopt);
  EXPECT_EQ(request.params.size(), 6u);
}

TEST(HttpTarget, KeepsThePlusOfAPath) { EXPECT_EQ(parsed("/a+b").segments[0], "a+b"); }

TEST(HttpTarget, RefusesWhatIsNotPercentEncodedUtf8) {
  HttpRequest request;
  for (const char* target : {"", "*", "http://a/b", "/%", "/%1", "/%zz", "/%00", "/%ff", "/%c0%af",
                             "/a?%", "/a?b=%f", "/a?b=%00", "/\xff"}) {
    EXPECT_FALSE(parse_target(target, request).ok()) << target;
  }
}

TEST(HttpTarget, EncodingIsTheInverseOfDecoding) {
  std::string text;
  for (int c = 1; c < 128; ++c) text.push_back(static_cast<char>(c));
  text += "山货";
  EXPECT_EQ(parsed("/" + percent_encode(text)).segments[0], text);
  EXPECT_EQ(parsed("/x?k=" + percent_encode(text)).param("k"), text);
}

TEST(HttpHeaders, AreFoundWithoutCase) {
  HeaderList headers;
  headers.add("Content-Type", "text/plain");
  headers.add("X-A", "1");
  headers.add("x-a", "2");
  EXPECT_EQ(headers.get("content-type"), "text/plain");
  EXPECT_EQ(headers.get("X-a"), "1");
  EXPECT_EQ(headers.count("X-A"), 2u);
  EXPECT_EQ(headers.get("x"), "");
}

TEST(HttpWire, ReducesAContentTypeToItsMediaType) {
  EXPECT_EQ(media_type(" Application/JSON ; charset=utf-8"), "application/json");
  EXPECT_EQ(media_type(""), "");
  EXPECT_EQ(media_type(" ;"), "");
}

TEST(HttpWire, RepeatsAValidRequestIdAndReplacesAnyOther) {
  EXPECT_EQ(choose_request_id("abc", 1, 1), "abc");
  EXPECT_EQ(choose_request_id(std::string(128, 'x'), 1, 1), std::string(128, 'x'));
  EXPECT_EQ(choose_request_id(std::string(129, 'x'), 1, 1).size(), 16u);
  EXPECT_EQ(choose_request_id("a\tb", 1, 1).size(), 16u);
  EXPECT_NE(choose_request_id("", 1, 1), choose_request_id("", 1, 2));
}

TEST(HttpWire, LeavesOutLinesThatWouldSplitTheHead) {
  HttpResponse response;
  response.with("location", "/a\r\nset-cookie: x=1").with("etag", "\"1\"");
  std::string head;
  append_response_head(response, {true, false, "id"}, head);
  EXPECT_EQ(head.find("set-cookie"), std::string::npos);
  EXPECT_NE(head.find("\r\netag: \"1\"\r\n"), std::string::npos);
  EXPECT_EQ(head.substr(head.size() - 4), "\r\n\r\n");
}

TEST(HttpWire, ANoContentAnswerHasNoLength) {
  HttpResponse response;
  response.status = 204;
  response.content_type.clear();
  std::string head;
  append_response_head(response, {true, false, "id"}, head);
  EXPECT_EQ(head.find("content-"), std::string::npos);
}

TEST(Problem, ListsEveryWrongField) {
  const HttpResponse response = problem(422, "", "2 fields are wrong",
                                        {{"/count", "at most 200"}, {"/a\"b", "not \n allowed"}});
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(
      response.body,
      R"({"type":"about:blank","title":"Unprocessable Content","status":422,)"
      R"("detail":"2 fields are wrong","errors":[{"pointer":"/count","detail":"at most 200"},)"
      R"({"pointer":"/a\"b","detail":"not \n allowed"}]})");
}

TEST(Problem, BoundsTheListAndSaysSo) {
  const std::vector<FieldError> errors(kFieldErrorsMax + 5, {"/x", "y"});
  const std::string body = problem(422, "", "wrong", errors).body;
  EXPECT_NE(body.find("the first 100 of 105 errors"), std::string::npos);
}

TEST(Problem, MapsErrorsToStatuses) {
  EXPECT_EQ(problem({ErrorCode::kInvalid, "x"}).status, 422);
  EXPECT_EQ(problem({ErrorCode::kNotFound, "x"}).status, 404);
  EXPECT_EQ(problem({ErrorCode::kConflict, "x"}).status, 409);
  EXPECT_EQ(problem({ErrorCode::kTooLarge, "x"}).status, 413);
  EXPECT_EQ(problem({ErrorCode::kUnavailable, "x"}).status, 503);
  EXPECT_EQ(problem({ErrorCode::kUnavailable, "x"}).header("Retry-After"), "1");
  EXPECT_EQ(problem({ErrorCode::kCorrupt, "x"}).status, 500);
  EXPECT_EQ(problem({ErrorCode::kIo, "x"}).status, 500);
}

}  // namespace
}  // namespace shanhuo
