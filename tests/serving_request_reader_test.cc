#include <gtest/gtest.h>

#include <random>

#include "serving/request_reader.h"

namespace shanhuo {
namespace {

using State = RequestReader::State;
constexpr RequestReader::Limits kLimits{16 << 10, 1 << 20};

// Feeds `bytes` in pieces of at most `piece` new bytes, as a socket buffer would.
std::vector<HttpRequest> read_all(RequestReader& reader, std::string_view bytes, size_t piece) {
  std::vector<HttpRequest> requests;
  std::string pending;
  while (reader.state() != State::kRefused && (!bytes.empty() || !pending.empty())) {
    const size_t n = std::min(piece, bytes.size());
    pending.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    const size_t used = reader.feed(pending);
    pending.erase(0, used);
    if (reader.state() == State::kDone) {
      requests.push_back(reader.take());
    } else if (bytes.empty() && used == 0) {
      break;  // an unfinished line
    }
  }
  return requests;
}

int refusal_of(std::string_view bytes, RequestReader::Limits limits = kLimits) {
  RequestReader reader(limits);
  read_all(reader, bytes, 4096);
  return reader.state() == State::kRefused ? reader.refused_status() : 0;
}

TEST(RequestReader, ReadsTheSameRequestsFromPiecesOfAnySize) {
  const std::string_view stream =
      "POST /v1/rank?x=1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
      "Content-Length: 11\r\n\r\nhello world"
      "HEAD /v1/items/a%2Fb HTTP/1.1\r\nhost: a\r\n\r\n"
      "PUT /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n5;ext=1\r\ndefgh\r\n0\r\ntrailer: 1\r\n\r\n"
      "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    RequestReader reader(kLimits);
    const auto requests = read_all(reader, stream, piece);
    ASSERT_EQ(requests.size(), 4u) << piece;
    EXPECT_EQ(requests[0].method, "POST");
    EXPECT_EQ(requests[0].body, "hello world");
    EXPECT_EQ(requests[0].content_type, "application/json");
    EXPECT_EQ(requests[0].param("x"), "1");
    EXPECT_EQ(requests[1].method, "GET");
    EXPECT_TRUE(requests[1].head);
    EXPECT_EQ(requests[1].segments[2], "a/b");
    EXPECT_EQ(requests[2].body, "abcdefgh");
    EXPECT_EQ(requests[2].header("trailer"), "");
    EXPECT_TRUE(requests[3].segments.empty());
  }
}

TEST(RequestReader, RefusesWhatCouldBeReadInTwoWays) {
  const std::string line = "POST / HTTP/1.1\r\n";
  EXPECT_EQ(refusal_of(line + "\r\n"), 400);  // no Host
  EXPECT_EQ(refusal_of(line + "host: a\r\nhost: b\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(line + "host: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(line + "host: a\r\ncontent-length: -1\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(line + "host: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
            400);
  EXPECT_EQ(refusal_of(line + "host: a\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n"),
            400);
  EXPECT_EQ(refusal_of(line + "host: a\r\ntransfer-encoding: gzip\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(line + "host: a\r\ntransfer-encoding: chunked, identity\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(line + "host: a\r\nx : 1\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of(line + "host: a\r\nx: \x01\r\n\r\n"), 400);
}

TEST(RequestReader, RefusesLinesThatAreNotHttp) {
  for (const char* bytes :
       {"hello\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1 x\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n"}) {
    EXPECT_EQ(refusal_of(bytes), 400) << bytes;
  }
  EXPECT_EQ(refusal_of("BREW / HTTP/1.1\r\nhost: a\r\n\r\n"), 501);
  EXPECT_EQ(refusal_of("TRACE / HTTP/1.1\r\nhost: a\r\n\r\n"), 501);
}

TEST(RequestReader, BoundsHeadersHoweverTheyArrive) {
  std::string bytes = "GET / HTTP/1.1\r\nhost: a\r\n";
  for (int i = 0; i < 100'000; ++i) bytes += "a: b\r\n";
  EXPECT_EQ(refusal_of(bytes + "\r\n"), 431);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nhost: a\r\nx: " + std::string(20'000, 'x')), 431);
  EXPECT_EQ(refusal_of("GET /" + std::string(20'000, 'x')), 431);
  RequestReader dribbled(kLimits);  // line by line, so that no piece is long
  read_all(dribbled, bytes, 6);
  EXPECT_EQ(dribbled.refused_status(), 431);
  std::string trailers = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
  for (int i = 0; i < 10'000; ++i) trailers += "a: b\r\n";
  EXPECT_EQ(refusal_of(trailers + "\r\n"), 431);
}

TEST(RequestReader, BoundsBodiesBeforeAndWhileTheyArrive) {
  EXPECT_EQ(refusal_of("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1048577\r\n\r\n"), 413);
  EXPECT_EQ(refusal_of("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1048576\r\n\r\n"), 0);
  std::string chunks = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
  for (int i = 0; i < 17; ++i) chunks += "10000\r\n" + std::string(65'536, 'x') + "\r\n";
  EXPECT_EQ(refusal_of(chunks), 413);
}

TEST(RequestReader, SurvivesBytesOfAnyKind) {
  std::mt19937 random(7);
  const std::string_view seed =
      "PUT /v1/x%41?a=b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(seed);
    for (uint32_t edits = random() % 4; edits > 0; --edits) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    RequestReader reader(kLimits);
    const auto requests = read_all(reader, bytes, 1 + random() % 40);
    if (reader.state() == State::kRefused) {
      EXPECT_GE(reader.refused_status(), 400) << bytes;
    }
    EXPECT_LE(requests.size(), 2u) << bytes;
  }
}

}  // namespace
}  // namespace shanhuo
