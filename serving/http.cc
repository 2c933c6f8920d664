#include "serving/http.h"

#include <algorithm>

#include "base/ids.h"

namespace shanhuo {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Appends the decoded text to `out`; false on a broken escape, a NUL or bytes that are not UTF-8.
bool percent_decode(std::string_view text, bool plus_is_blank, std::string& out) {
  const size_t start = out.size();
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_blank) {
      c = ' ';
    } else if (c == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || high + low == 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    out.push_back(c);
  }
  return valid_utf8(std::string_view(out).substr(start));
}

// Cuts `text` at the first `mark` and returns what stood before it.
std::string_view take_until(std::string_view& text, char mark) {
  const size_t at = text.find(mark);
  const std::string_view head = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return head;
}

Status parse_query(std::string_view query, HttpRequest& request) {
  while (!query.empty()) {
    std::string_view value = take_until(query, '&');
    if (value.empty()) continue;
    const std::string_view name = take_until(value, '=');
    auto& [decoded_name, decoded_value] = request.params.emplace_back();
    if (!percent_decode(name, true, decoded_name) || !percent_decode(value, true, decoded_value)) {
      return Error{ErrorCode::kInvalid, "the query is not percent-encoded UTF-8"};
    }
  }
  return {};
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

void HeaderList::add(std::string_view name, std::string_view value) {
  const auto at = static_cast<uint32_t>(text_.size());
  const auto name_bytes = static_cast<uint32_t>(name.size());
  text_.append(name).append(value);
  lines_.push_back({at, name_bytes, at + name_bytes, static_cast<uint32_t>(value.size())});
}

std::string_view HeaderList::name(const Line& line) const {
  return std::string_view(text_).substr(line.name_at, line.name_bytes);
}

std::string_view HeaderList::get(std::string_view wanted) const {
  for (const Line& line : lines_) {
    if (equals_ignoring_case(name(line), wanted)) {
      return std::string_view(text_).substr(line.value_at, line.value_bytes);
    }
  }
  return {};
}

size_t HeaderList::count(std::string_view wanted) const {
  return static_cast<size_t>(std::count_if(lines_.begin(), lines_.end(), [&](const Line& line) {
    return equals_ignoring_case(name(line), wanted);
  }));
}

std::optional<std::string_view> HttpRequest::param(std::string_view name) const {
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return {};
}

Status parse_target(std::string_view target, HttpRequest& request) {
  if (target.empty() || target[0] != '/') {
    return Error{ErrorCode::kInvalid, "the request target must begin with '/'"};
  }
  std::string_view query = target;
  const std::string_view path = take_until(query, '?');
  request.path.clear();
  request.segments.clear();
  request.params.clear();
  std::string_view rest = path.substr(1);
  const auto slashes = static_cast<size_t>(std::count(rest.begin(), rest.end(), '/'));
  const size_t segments = rest.empty() ? 0 : slashes + 1;
  request.segments.reserve(segments);
  for (size_t i = 0; i < segments; ++i) {
    std::string& segment = request.segments.emplace_back();
    if (!percent_decode(take_until(rest, '/'), false, segment)) {
      return Error{ErrorCode::kInvalid, "the path is not percent-encoded UTF-8"};
    }
  }
  percent_decode(path, false, request.path);  // its segments were just found to be well-formed
  return parse_query(query, request);
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

}  // namespace shanhuo
