// JsonWriter: writes JSON text by appending to a caller's string. No tree, no allocation besides
// the growing string, commas placed by the writer.
//
//   std::string out;
//   JsonWriter json(out);
//   json.begin_object();
//   json.field("accepted", 3);
//   json.key("rejected"); json.begin_array(); json.end_array();
//   json.end_object();                       // {"accepted":3,"rejected":[]}
//
// Keeps a reference to the string; not thread-safe. Texts must be UTF-8 and pass as they are: only
// what JSON demands is escaped (quote, backslash, U+0000..U+001F). Doubles are the shortest text
// that reads back as the same double, and must be finite (CHECK): JSON has no other numbers.
// Nesting is the caller's affair; the writer does not verify it.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

namespace shanhuo {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  void key(std::string_view name) {
    comma();
    append_text(name);
    out_.push_back(':');
    need_comma_ = false;
  }

  void value(std::string_view text) {
    comma();
    append_text(text);
  }
  void value(const char* text) { value(std::string_view(text)); }
  void value(std::same_as<bool> auto flag) {
    comma();
    out_.append(flag ? "true" : "false");
  }
  template <std::integral T>
  requires(!std::same_as<T, bool>) void value(T number) {
    comma();
    char text[24];
    out_.append(text, std::to_chars(text, text + sizeof text, number).ptr);
  }
  template <std::floating_point T>
  void value(T number) {
    CHECK(std::isfinite(number));
    comma();
    char text[32];
    // From 2^53 on with an exponent: readers refuse integers of more than 64 bits.
    const auto format = std::abs(number) < T(1LL << 53) ? std::chars_format::general
                                                        : std::chars_format::scientific;
    out_.append(text, std::to_chars(text, text + sizeof text, number, format).ptr);
  }
  void null() {
    comma();
    out_.append("null");
  }
  // JSON text made elsewhere, one whole value.
  void raw(std::string_view json) {
    comma();
    out_.append(json);
  }

  template <typename T>
  void field(std::string_view name, const T& content) {
    key(name);
    value(content);
  }

 private:
  void comma() {
    if (need_comma_) out_.push_back(',');
    need_comma_ = true;
  }
  void open(char bracket) {
    comma();
    out_.push_back(bracket);
    need_comma_ = false;
  }
  void close(char bracket) {
    out_.push_back(bracket);
    need_comma_ = true;
  }

  static bool plain(char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
  }
  // Copies runs of plain bytes whole.
  void append_text(std::string_view text) {
    out_.push_back('"');
    size_t from = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      if (plain(text[i])) continue;
      out_.append(text, from, i - from);
      append_escaped(text[i]);
      from = i + 1;
    }
    out_.append(text, from);
    out_.push_back('"');
  }
  void append_escaped(char c) {
    static constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
        out_.append("\\\"");
        break;
      case '\\':
        out_.append("\\\\");
        break;
      case '\n':
        out_.append("\\n");
        break;
      case '\r':
        out_.append("\\r");
        break;
      case '\t':
        out_.append("\\t");
        break;
      default:
        out_.append({'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]});
    }
  }

  std::string& out_;
  bool need_comma_ = false;
};

}  // namespace shanhuo
