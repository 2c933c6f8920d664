// Beast's parser calls back with each piece, which goes straight into the HttpRequest: no container
// of fields in between, one pass over the bytes.
// Tested by tests/serving_request_reader_test.cc.
#include "serving/request_reader.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>

#include "base/check.h"
#include "serving/http_wire.h"

namespace shanhuo {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

std::string_view view(BeastView s) { return {s.data(), s.size()}; }

bool known_method(std::string_view method) {
  constexpr std::string_view kKnown[] = {"GET",   "HEAD",   "POST",   "PUT",
                                         "PATCH", "DELETE", "OPTIONS"};
  return std::find(std::begin(kKnown), std::end(kKnown), method) != std::end(kKnown);
}

class BeastParser final : public http::basic_parser<true> {
 public:
  explicit BeastParser(size_t header_bytes_max, size_t body_bytes_max)
      : header_bytes_max_(header_bytes_max) {
    eager(true);
    header_limit(static_cast<uint32_t>(header_bytes_max));
    body_limit(body_bytes_max);
  }

  HttpRequest request;
  std::string target;
  int version = 11;
  size_t hosts = 0;
  bool expects_continue = false;

 private:
  // Beast applies its limit to each piece; ours is for the whole header.
  void count_header(size_t bytes, error_code& ec) {
    header_bytes_ += bytes;
    if (header_bytes_ > header_bytes_max_) ec = http::error::header_limit;
  }
  size_t take_body(BeastView body) {
    request.body.append(body.data(), body.size());
    return body.size();
  }

  void on_request_impl(http::verb, BeastView method, BeastView request_target, int http_version,
                       error_code& ec) override {
    request.method = view(method);
    target = view(request_target);
    version = http_version;
    count_header(method.size() + request_target.size(), ec);
  }
  void on_field_impl(http::field field, BeastView name, BeastView value, error_code& ec) override {
    count_header(name.size() + value.size() + 4, ec);
    if (is_header_done()) return;  // a trailer: bounded, and of no meaning here
    request.headers.add(view(name), view(value));
    if (field == http::field::host) ++hosts;
    // Beast takes any other coding for "no body".
    if (field == http::field::transfer_encoding && !equals_ignoring_case(view(value), "chunked")) {
      ec = http::error::bad_transfer_encoding;
    }
    if (field == http::field::expect) {
      expects_continue = equals_ignoring_case(view(value), "100-continue");
    }
  }
  void on_body_init_impl(const boost::optional<uint64_t>& length, error_code&) override {
    if (length) request.body.reserve(*length);  // untouched pages cost nothing until bytes arrive
  }
  size_t on_body_impl(BeastView body, error_code&) override { return take_body(body); }
  size_t on_chunk_body_impl(uint64_t, BeastView body, error_code&) override {
    return take_body(body);
  }
  void on_response_impl(int, BeastView, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_chunk_header_impl(uint64_t, BeastView, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  const size_t header_bytes_max_;
  size_t header_bytes_ = 0;
};

}  // namespace

struct RequestReader::Parser {
  std::optional<BeastParser> now;
};

RequestReader::RequestReader(Limits limits)
    : limits_(limits), parser_(std::make_unique<Parser>()) {}
RequestReader::~RequestReader() = default;

size_t RequestReader::feed(std::string_view bytes) {
  CHECK(!bytes.empty() && state_ < State::kDone);
  if (state_ == State::kIdle) {
    parser_->now.emplace(limits_.header_bytes_max, limits_.body_bytes_max);
    state_ = State::kHeader;
  }
  BeastParser& parser = *parser_->now;
  error_code ec;
  const size_t used = parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
  if (ec == http::error::body_limit) {
    refuse(413, "the body exceeds " + std::to_string(limits_.body_bytes_max) + " bytes");
  } else if (ec == http::error::header_limit) {
    refuse(431, "the header exceeds " + std::to_string(limits_.header_bytes_max) + " bytes");
  } else if (ec && ec != http::error::need_more) {
    refuse(400, "not HTTP/1.1: " + ec.message());
  } else if (parser.is_done()) {
    finish();
  } else if (parser.is_header_done()) {
    state_ = State::kBody;
  }
  return used;
}

void RequestReader::finish() {
  BeastParser& parser = *parser_->now;
  HttpRequest& request = parser.request;
  if (parser.hosts > 1 || (parser.hosts == 0 && !http_1_0())) {
    return refuse(400, "exactly one Host header is required");
  }
  if (!known_method(request.method)) return refuse(501, "unknown method");
  request.head = request.method == "HEAD";
  if (request.head) request.method = "GET";
  const Status parsed = parse_target(parser.target, request);
  if (!parsed.ok()) return refuse(400, parsed.error().message);
  request.content_type = media_type(request.header("content-type"));
  state_ = State::kDone;
}

void RequestReader::refuse(int status, std::string detail) {
  refusal_ = {status, std::move(detail)};
  state_ = State::kRefused;
}

RequestReader::State RequestReader::state() const { return state_; }

bool RequestReader::keep_alive() const { return parser_->now->keep_alive(); }
bool RequestReader::http_1_0() const { return parser_->now && parser_->now->version < 11; }
bool RequestReader::expects_continue() const { return parser_->now->expects_continue; }
size_t RequestReader::body_bytes() const {
  return parser_->now ? parser_->now->request.body.size() : 0;
}

std::string_view RequestReader::request_id_header() const {
  return parser_->now ? parser_->now->request.header("x-request-id") : std::string_view();
}

HttpRequest RequestReader::take() {
  CHECK(state_ == State::kDone);
  HttpRequest request = std::move(parser_->now->request);
  reset();
  return request;
}

void RequestReader::reset() {
  parser_->now.reset();
  state_ = State::kIdle;
}

int RequestReader::refused_status() const { return refusal_.status; }
const std::string& RequestReader::refused_detail() const { return refusal_.detail; }

}  // namespace shanhuo
