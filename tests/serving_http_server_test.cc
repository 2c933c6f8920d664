#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "serving/http_client.h"
#include "serving/http_server.h"
#include "tests/raw_socket.h"

namespace shanhuo {
namespace {

using std::chrono::milliseconds;

HttpResponse text(std::string body) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

// Within what a busy machine may take.
template <typename Condition>
bool eventually(const Condition& holds) {
  for (int i = 0; i < 3'000 && !holds(); ++i) std::this_thread::sleep_for(milliseconds(10));
  return holds();
}

// Echoes "METHOD path|segments.|body bytes"; /hold keeps the responder until release(), /drop
// forgets it, /throw throws.
class Server {
 public:
  explicit Server(HttpServerOptions options = {})
      : server_(prepared(std::move(options)), handler()) {
    EXPECT_TRUE(server_.start().ok());
  }
  ~Server() { release(); }

  uint16_t port() const { return server_.port(); }
  HttpServer& operator*() { return server_; }
  HttpServer* operator->() { return &server_; }
  HttpClient client() const { return HttpClient("127.0.0.1", port()); }

  void wait_held(size_t count) {
    EXPECT_TRUE(eventually([&] { return held() >= count; }));
    EXPECT_EQ(held(), count);
  }
  void release() {
    std::vector<Responder> ready;
    {
      const std::lock_guard lock(mutex_);
      ready.swap(held_);
    }
    for (const Responder& respond : ready) respond(text("released"));
  }

 private:
  static HttpServerOptions prepared(HttpServerOptions options) {
    options.port = 0;
    return options;
  }
  size_t held() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  Handler handler() {
    return [this](HttpRequest&& request, Responder respond) {
      if (request.path == "/drop") return;
      if (request.path == "/throw") throw std::bad_alloc();
      if (request.path == "/hold") {
        const std::lock_guard lock(mutex_);
        held_.push_back(respond);
        return;
      }
      if (request.path == "/large") return respond(text(std::string(32 << 20, 'x')));
      std::string answer = request.method + " " + request.path + "|";
      for (const std::string& segment : request.segments) answer += segment + ".";
      respond(text(answer + "|" + std::to_string(request.body.size())));
    };
  }

  std::mutex mutex_;
  std::vector<Responder> held_;  // guarded by mutex_
  HttpServer server_;
};

HttpServerOptions quick() {
  HttpServerOptions options;
  options.header_timeout_ms = options.body_timeout_ms = options.idle_timeout_ms = 400;
  options.write_timeout_ms = 400;
  return options;
}

std::string get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nhost: a\r\n\r\n";
}

TEST(HttpServer, AnswersManyRequestsOnOneConnection) {
  Server server;
  HttpClient client = server.client();
  for (int i = 0; i < 100; ++i) {
    const auto answer = client.send_json("POST", "/v1/rank", std::string(i, 'x'));
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(answer.value().body, "POST /v1/rank|v1.rank.|" + std::to_string(i));
  }
  EXPECT_EQ(server->stats().connections, 1u);
  EXPECT_EQ(server->stats().requests, 100u);
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  Server server;
  RawSocket socket(server.port());
  socket.send(get("/1") + get("/hold") + get("/3"));
  server.wait_held(1);
  EXPECT_NE(socket.read_until("GET /1").find("GET /1"), std::string::npos);
  EXPECT_EQ(socket.read_until("GET /3", 100).find("GET /3"), std::string::npos);
  server.release();
  const std::string all = socket.read_until("GET /3");
  EXPECT_LT(all.find("GET /1"), all.find("released"));
  EXPECT_LT(all.find("released"), all.find("GET /3"));
}

TEST(HttpServer, DecodesSegmentsAfterSplitting) {
  Server server;
  HttpClient client = server.client();
  const auto answer = client.request("GET", "/v1/items/a%2Fb/%E6%A1%83");
  EXPECT_EQ(answer.value().body, "GET /v1/items/a/b/桃|v1.items.a/b.桃.|0");
}

TEST(HttpServer, RepeatsTheRequestIdOrMakesOne) {
  Server server;
  HttpClient client = server.client();
  EXPECT_EQ(client.request("GET", "/", {{"X-Request-Id", "r-1"}}).value().header("x-request-id"),
            "r-1");
  const auto first = client.request("GET", "/"), second = client.request("GET", "/");
  EXPECT_EQ(first.value().header("x-request-id").size(), 16u);
  EXPECT_NE(first.value().header("x-request-id"), second.value().header("x-request-id"));
  RawSocket socket(server.port());
  socket.send("nonsense\r\n\r\n");
  EXPECT_NE(socket.read_until("\r\n\r\n").find("x-request-id: "), std::string::npos);
}

TEST(HttpServer, AnswersHeadWithTheLengthButNoBody) {
  Server server;
  RawSocket socket(server.port());
  socket.send("HEAD /abc HTTP/1.1\r\nhost: a\r\n\r\n" + get("/next"));
  const std::string all = socket.read_until("GET /next");
  EXPECT_NE(all.find("content-length: 15\r\n"), std::string::npos);
  EXPECT_EQ(all.find("GET /abc"), std::string::npos);
  HttpClient client = server.client();
  EXPECT_EQ(client.request("HEAD", "/abc").value().body, "");
  EXPECT_EQ(client.request("GET", "/abc").value().body, "GET /abc|abc.|0");
}

TEST(HttpServer, ContinuesAClientThatAsks) {
  Server server;
  RawSocket socket(server.port());
  socket.send("POST /e HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n");
  EXPECT_EQ(socket.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.send("abc");
  EXPECT_NE(socket.read_until("POST /e|e.|3").find("200 OK"), std::string::npos);
  RawSocket large(server.port());
  large.send(
      "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\nexpect: 100-continue\r\n\r\n");
  EXPECT_EQ(large.read_until("\r\n\r\n").substr(0, 12), "HTTP/1.1 413");
}

TEST(HttpServer, RefusesATenMegabyteBodyAndTheClientSeesWhy) {
  Server server;
  HttpClient client = server.client();
  const auto answer = client.send_json("POST", "/v1/items", std::string(10 << 20, 'x'));
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer.value().status, 413);
  EXPECT_EQ(answer.value().content_type, "application/problem+json");
  EXPECT_EQ(client.request("GET", "/").value().status, 200);
  EXPECT_EQ(client.send_json("POST", "/", std::string(8 << 20, 'x')).value().body,
            "POST /||8388608");
  EXPECT_EQ(server->stats().buffered_bytes, 0u);
}

TEST(HttpServer, RefusesAHundredThousandHeaders) {
  Server server;
  RawSocket socket(server.port());
  std::string request = "GET / HTTP/1.1\r\nhost: a\r\n";
  for (int i = 0; i < 100'000; ++i) request += "x-" + std::to_string(i) + ": y\r\n";
  socket.send(request + "\r\n");
  EXPECT_EQ(socket.read_until("}").substr(0, 12), "HTTP/1.1 431");
}

TEST(HttpServer, RefusesMalformedRequestsAsProblems) {
  Server server;
  for (const auto& [bytes, status] : {std::pair{"hello world\r\n\r\n", "400"},
                                      {"GET /%zz HTTP/1.1\r\nhost: a\r\n\r\n", "400"},
                                      {"GET / HTTP/1.1\r\n\r\n", "400"},
                                      {"BREW / HTTP/1.1\r\nhost: a\r\n\r\n", "501"}}) {
    RawSocket socket(server.port());
    socket.send(bytes);
    EXPECT_TRUE(socket.closes(30'000)) << bytes;
    EXPECT_EQ(socket.received().substr(9, 3), status) << bytes;
    EXPECT_NE(socket.received().find("application/problem+json"), std::string::npos);
  }
  EXPECT_EQ(server->stats().malformed, 4u);
}

TEST(HttpServer, ClosesSlowClientsWithoutKeepingOthersWaiting) {
  Server server(quick());
  std::vector<std::unique_ptr<RawSocket>> slow;
  for (int i = 0; i < 50; ++i) slow.push_back(std::make_unique<RawSocket>(server.port()));
  for (size_t i = 0; i < slow.size(); ++i) {
    if (i % 3 == 0) slow[i]->send("GET / HTT");
    if (i % 3 == 1) slow[i]->send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nab");
  }
  HttpClient client = server.client();
  const int64_t start = monotonic_ns();
  std::vector<int64_t> times;
  while (monotonic_ns() - start < 1'500'000'000) {
    const int64_t before = monotonic_ns();
    ASSERT_EQ(client.request("GET", "/").value().status, 200);
    times.push_back(monotonic_ns() - before);
    for (auto& socket : slow) socket->send("x");  // a byte now and then does not buy time
    std::this_thread::sleep_for(milliseconds(20));
  }
  std::sort(times.begin(), times.end());
  EXPECT_LT(times[times.size() / 2], 100'000'000);
  for (auto& socket : slow) EXPECT_TRUE(socket->closes(30'000));
  EXPECT_TRUE(eventually([&] { return server->stats().timed_out >= 50; }));
  EXPECT_TRUE(eventually([&] { return server->stats().connections <= 1; }));
}

TEST(HttpServer, ClosesAClientThatDoesNotReadItsAnswer) {
  Server server(quick());
  RawSocket socket(server.port());
  socket.send(get("/large"));
  EXPECT_TRUE(eventually([&] { return server->stats().timed_out == 1; }));
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0; }));
}

TEST(HttpServer, ClosesIdleConnectionsAndTheClientReconnects) {
  Server server(quick());
  HttpClient client = server.client();
  EXPECT_EQ(client.request("GET", "/").value().status, 200);
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0; }));
  EXPECT_EQ(client.send_json("POST", "/", "{}").value().status, 200);
}

TEST(HttpServer, ShedsPastItsLimitButNotHealthChecks) {
  HttpServerOptions options;
  options.inflight_max = 2;
  Server server(options);
  RawSocket a(server.port()), b(server.port());
  a.send(get("/hold"));
  b.send(get("/hold"));
  server.wait_held(2);
  HttpClient client = server.client();
  const auto shed = client.request("GET", "/x");
  EXPECT_EQ(shed.value().status, 503);
  EXPECT_EQ(shed.value().header("retry-after"), "1");
  EXPECT_EQ(client.request("GET", "/healthz").value().status, 200);
  EXPECT_EQ(server->stats().shed, 1u);
  EXPECT_EQ(server->stats().inflight, 2u);
  server.release();
  EXPECT_NE(a.read_until("released").find("200 OK"), std::string::npos);
  EXPECT_EQ(client.request("GET", "/x").value().status, 200);
  EXPECT_EQ(server->stats().inflight, 0u);
}

TEST(HttpServer, BoundsTheBytesThatAllRequestsHold) {
  HttpServerOptions options;
  options.buffered_bytes_max = 3 << 20;
  Server server(options);
  RawSocket first(server.port());
  first.send("POST /hold HTTP/1.1\r\nhost: a\r\ncontent-length: 2097152\r\n\r\n" +
             std::string(2 << 20, 'x'));
  server.wait_held(1);
  EXPECT_EQ(server->stats().buffered_bytes, size_t{2} << 20);
  HttpClient client = server.client();
  EXPECT_EQ(client.send_json("POST", "/", std::string(2 << 20, 'x')).value().status, 503);
  server.release();
  first.read_until("released");
  EXPECT_EQ(client.send_json("POST", "/", std::string(2 << 20, 'x')).value().status, 200);
  EXPECT_EQ(server->stats().buffered_bytes, 0u);
}

TEST(HttpServer, RefusesConnectionsPastItsLimit) {
  HttpServerOptions options;
  options.connections_max = 3;
  Server server(options);
  std::vector<std::unique_ptr<RawSocket>> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(std::make_unique<RawSocket>(server.port()));
    open.back()->send(get("/"));
    open.back()->read_until("GET /");
  }
  EXPECT_TRUE(RawSocket(server.port()).closes(30'000));
  EXPECT_EQ(server->stats().refused, 1u);
  open.clear();
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0; }));
  EXPECT_EQ(server.client().request("GET", "/").value().status, 200);
}

TEST(HttpServer, AnswersForAHandlerThatDoesNot) {
  Server server;
  HttpClient client = server.client();
  EXPECT_EQ(client.request("GET", "/drop").value().status, 500);
  EXPECT_EQ(client.request("GET", "/throw").value().status, 500);
  EXPECT_EQ(client.request("GET", "/").value().status, 200);
  EXPECT_EQ(server->stats().unanswered, 1u);
}

TEST(HttpServer, FinishesRequestsInFlightWhenItStops) {
  Server server;
  RawSocket busy(server.port()), idle(server.port());
  idle.send(get("/"));
  idle.read_until("GET /");
  busy.send(get("/hold"));
  server.wait_held(1);
  std::thread stopper([&] { server->stop(); });
  EXPECT_TRUE(idle.closes(30'000));
  EXPECT_FALSE(RawSocket(server.port()).connected());
  server.release();
  EXPECT_TRUE(busy.closes(30'000));
  EXPECT_NE(busy.received().find("connection: close"), std::string::npos);
  EXPECT_NE(busy.received().find("released"), std::string::npos);
  stopper.join();
}

TEST(HttpServer, StopsAfterItsGraceEvenIfAnAnswerNeverComes) {
  HttpServerOptions options;
  options.shutdown_grace_ms = 200;
  Server server(options);
  RawSocket busy(server.port());
  busy.send(get("/hold"));
  server.wait_held(1);
  server->stop();
  EXPECT_TRUE(busy.closes(30'000));
  server.release();  // after the end: does nothing
  EXPECT_EQ(server->stats().inflight, 0u);
}

TEST(HttpServer, TakesAnswersFromOtherThreads) {
  std::vector<std::thread> workers;
  std::mutex mutex;
  HttpServerOptions options;
  options.port = 0;
  HttpServer server(options, [&](HttpRequest&& request, Responder respond) {
    const std::lock_guard lock(mutex);
    workers.emplace_back([path = request.path, respond] {
      std::this_thread::sleep_for(milliseconds(1));
      respond(text(path));
      respond(text("twice"));
    });
  });
  ASSERT_TRUE(server.start().ok());
  std::vector<std::future<int>> clients;
  for (int c = 0; c < 8; ++c) {
    clients.push_back(std::async(std::launch::async, [&server, c] {
      HttpClient client("127.0.0.1", server.port());
      int right = 0;
      for (int i = 0; i < 50; ++i) {
        const std::string path = "/" + std::to_string(c) + "/" + std::to_string(i);
        const auto answer = client.request("GET", path);
        right += answer.ok() && answer.value().body == path;
      }
      return right;
    }));
  }
  for (auto& client : clients) EXPECT_EQ(client.get(), 50);
  server.stop();
  for (std::thread& worker : workers) worker.join();
}

TEST(HttpServer, SpeaksHttp10) {
  Server server;
  RawSocket closing(server.port());
  closing.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(closing.closes(30'000));
  EXPECT_NE(closing.received().find("GET /a"), std::string::npos);
  RawSocket staying(server.port());
  staying.send("GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  EXPECT_NE(staying.read_until("GET /a").find("connection: keep-alive"), std::string::npos);
}

TEST(HttpServer, SaysWhyItCannotListen) {
  Server server;
  HttpServerOptions taken;
  taken.port = server.port();
  const Handler nothing = [](HttpRequest&&, Responder) {};
  EXPECT_EQ(HttpServer(taken, nothing).start().error().code, ErrorCode::kIo);
  HttpServerOptions named;
  named.host = "example.org";
  EXPECT_EQ(HttpServer(named, nothing).start().error().code, ErrorCode::kInvalid);
}

TEST(HttpClient, SaysThatNobodyListensOrAnswersInTime) {
  uint16_t port = 0;
  {
    Server server;
    port = server.port();
    HttpClient client = server.client();
    EXPECT_EQ(client.request("GET", "/hold", {}, {}, 100).error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(client.request("GET", "/").value().status, 200);
  }
  EXPECT_EQ(HttpClient("127.0.0.1", port).request("GET", "/").error().code,
            ErrorCode::kUnavailable);
}

TEST(HttpClient, ReadsEndpoints) {
  EXPECT_EQ(parse_endpoint("http://127.0.0.1:8080/").value().port, 8080);
  EXPECT_EQ(parse_endpoint("localhost:81").value().host, "localhost");
  EXPECT_EQ(parse_endpoint("http://[::1]:9").value().host, "::1");
  EXPECT_EQ(parse_endpoint("http://a").value().port, 80);
  for (const char* bad : {"", "localhost", "http://", "http://a:b", "http://a:70000", "ftp://a:1",
                          "http://a:1/path"}) {
    EXPECT_FALSE(parse_endpoint(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace shanhuo
