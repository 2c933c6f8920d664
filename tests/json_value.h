// JSON text to a Value, for tests of folders that may not know a JSON library. Well-formed input
// only; anything else aborts.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "base/check.h"
#include "features/attributes.h"

namespace shanhuo::testing {

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : left_(text) {}

  Value read_document() {
    Value value = read();
    CHECK(peek() == '\0');
    return value;
  }

 private:
  char peek() {
    left_.remove_prefix(std::min(left_.find_first_not_of(" \n\r\t"), left_.size()));
    return left_.empty() ? '\0' : left_[0];
  }

  bool take(std::string_view text) {
    peek();
    if (!left_.starts_with(text)) return false;
    left_.remove_prefix(text.size());
    return true;
  }

  Value read() {
    if (take("null")) return {};
    if (take("true")) return true;
    if (take("false")) return false;
    if (peek() == '"') return read_text();
    if (take("[")) {
      Value::Array elements;
      while (!take("]")) {
        elements.push_back(read());
        CHECK(take(",") || peek() == ']');
      }
      return elements;
    }
    if (take("{")) {
      Value::Object members;
      while (!take("}")) {
        std::string key = read_text();
        CHECK(take(":"));
        members.emplace_back(std::move(key), read());
        CHECK(take(",") || peek() == '}');
      }
      return members;
    }
    double number = 0;
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), number);
    CHECK(error == std::errc());
    left_.remove_prefix(static_cast<size_t>(end - left_.data()));
    return number;
  }

  uint32_t read_hex4() {
    uint32_t code = 0;
    CHECK(left_.size() >= 4);
    CHECK(std::from_chars(left_.data(), left_.data() + 4, code, 16).ptr == left_.data() + 4);
    left_.remove_prefix(4);
    return code;
  }

  static void append_utf8(uint32_t code, std::string* out) {
    const auto push = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
    if (code < 0x80) return push(code);
    if (code >= 0x10000) {
      push(0xf0 | code >> 18);
      push(0x80 | (code >> 12 & 0x3f));
    } else if (code >= 0x800) {
      push(0xe0 | code >> 12);
    }
    push(code >= 0x800 ? 0x80 | (code >> 6 & 0x3f) : 0xc0 | code >> 6);
    push(0x80 | (code & 0x3f));
  }

  std::string read_text() {
    CHECK(take("\""));
    std::string out;
    while (left_[0] != '"') {
      const char c = left_[0];
      left_.remove_prefix(1);
      if (c != '\\') {
        out += c;
        continue;
      }
      const char escape = left_[0];
      left_.remove_prefix(1);
      const size_t known = std::string_view("bfnrt").find(escape);
      if (escape == 'u') {
        uint32_t code = read_hex4();
        if (code >= 0xd800 && code < 0xdc00) {
          CHECK(left_.starts_with("\\u"));
          left_.remove_prefix(2);
          code = 0x10000 + ((code - 0xd800) << 10) + (read_hex4() - 0xdc00);
        }
        append_utf8(code, &out);
      } else {
        out += known == std::string_view::npos ? escape : "\b\f\n\r\t"[known];
      }
    }
    left_.remove_prefix(1);
    return out;
  }

  std::string_view left_;
};

inline Value json(std::string_view text) { return JsonReader(text).read_document(); }

// Null when there is no such file.
inline Value json_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return {};
  std::ostringstream text;
  text << file.rdbuf();
  return json(text.str());
}

}  // namespace shanhuo::testing
