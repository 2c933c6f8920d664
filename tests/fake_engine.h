// An engine for tests of the command line: a real HTTP server that keeps what it was sent and
// answers as told.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "serving/cli.h"
#include "serving/http_server.h"

namespace shanhuo::testing {

class FakeEngine {
 public:
  struct Request {
    std::string method, path, content_type, authorization, body;
    bool operator==(const Request&) const = default;
  };
  using Answer = std::function<HttpResponse(const Request&)>;

  explicit FakeEngine(Answer answer)
      : answer_(std::move(answer)), server_(options(), [this](HttpRequest&& request, Responder r) {
          r(handle(std::move(request)));
        }) {
    EXPECT_TRUE(server_.start().ok());
  }
  ~FakeEngine() { server_.stop(); }

  CliArguments arguments(std::string token = "") const {
    CliArguments arguments;
    arguments.verb = "test";
    arguments.url = "http://127.0.0.1:" + std::to_string(server_.port());
    arguments.token = std::move(token);
    return arguments;
  }
  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  static HttpServerOptions options() {
    HttpServerOptions options;
    options.port = 0;
    options.threads = 2;
    return options;
  }
  HttpResponse handle(HttpRequest&& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back({request.method, request.path, request.content_type,
                         std::string(request.header("authorization")), request.body});
    return answer_(requests_.back());
  }

  const Answer answer_;  // called under mutex_
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  HttpServer server_;
};

inline HttpResponse json_response(std::string body, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

}  // namespace shanhuo::testing
