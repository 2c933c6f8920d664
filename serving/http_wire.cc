#include "serving/http_wire.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/hash.h"
#include "base/ids.h"
#include "serving/problem.h"

namespace shanhuo {
namespace {

void append_number(uint64_t value, std::string& out) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void append_line(std::string_view name, std::string_view value, std::string& out) {
  out.append(name).append(": ").append(value).append("\r\n");
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// "Sun, 06 Nov 1994 08:49:37 GMT", formatted once a second on each thread.
std::string_view http_date() {
  struct Cached {
    std::time_t second = -1;
    std::array<char, 32> text;
    size_t bytes = 0;
  };
  thread_local Cached cached;
  const std::time_t now = std::time(nullptr);
  if (now != cached.second) {
    std::tm parts;
    gmtime_r(&now, &parts);
    // Nothing in this program calls setlocale(), so the names are the English ones of the "C"
    // locale.
    cached.bytes =
        std::strftime(cached.text.data(), cached.text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    cached.second = now;
  }
  return {cached.text.data(), cached.bytes};
}

}  // namespace

void append_response_head(const HttpResponse& response, const ResponseFraming& framing,
                          std::string& out) {
  out.append("HTTP/1.1 ");
  append_number(static_cast<uint64_t>(response.status), out);
  out.append(" ").append(status_phrase(response.status)).append("\r\n");
  if (!response.content_type.empty() && !has_control(response.content_type)) {
    append_line("content-type", response.content_type, out);
  }
  for (const auto& [name, value] : response.headers) {
    if (!has_control(name) && !has_control(value)) append_line(name, value, out);
  }
  append_line("date", http_date(), out);
  append_line("x-request-id", framing.request_id, out);
  if (response.status != 204 && response.status != 304) {  // those two never have a body
    out.append("content-length: ");
    append_number(response.body.size(), out);
    out.append("\r\n");
  }
  if (!framing.keep_alive) {
    out.append("connection: close\r\n");
  } else if (framing.http_1_0) {
    out.append("connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

std::string media_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  const size_t first = content_type.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  content_type = content_type.substr(first, content_type.find_last_not_of(" \t") - first + 1);
  std::string type(content_type);
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return type;
}

std::string choose_request_id(std::string_view from_client, uint64_t seed, uint64_t sequence) {
  if (valid_id(from_client)) return std::string(from_client);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id(16, '0');
  uint64_t bits = hash_combine(seed, sequence);
  for (char& digit : id) {
    digit = kHex[bits & 15];
    bits >>= 4;
  }
  return id;
}

}  // namespace shanhuo
