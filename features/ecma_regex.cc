// One pass over the pattern; a class ([...]) has its own loop, because most signs lose their
// meaning in it. Grammar: ECMA-262 22.2.1 with Annex B (what engines accept without the `u` flag).
#include "features/ecma_regex.h"

#include <cstdint>
#include <cstdio>

namespace shanhuo {
namespace {

constexpr std::string_view kAny = "[^\\n\\r\\x{2028}\\x{2029}]";
constexpr std::string_view kSpaces =
    "\\t-\\r "
    "\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}";
constexpr std::string_view kNoSpaces =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}"
    "\\x{ff00}-\\x{10ffff}";

class Translator {
 public:
  explicit Translator(std::string_view pattern) : left_(pattern) {}

  Result<std::string> run() {
    while (!left_.empty() && why_.empty()) sign();
    if (!why_.empty()) return Error{ErrorCode::kInvalid, why_};
    return std::move(out_);
  }

 private:
  void refuse(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }

  bool take(std::string_view text) {
    if (!left_.starts_with(text)) return false;
    left_.remove_prefix(text.size());
    return true;
  }

  void copy_byte() {
    out_ += left_[0];
    left_.remove_prefix(1);
  }

  void emit_code_point(uint32_t code) {
    char text[16];
    std::snprintf(text, sizeof text, "\\x{%x}", code);
    out_ += text;
  }

  void sign() {
    if (take("\\")) return escape(false);
    if (take("(?")) return group();
    if (take("[")) return bracket();
    if (take(".")) {
      out_ += kAny;
      return;
    }
    copy_byte();
  }

  void group() {
    if (take(":")) {
      out_ += "(?:";
    } else if (take("=") || take("!")) {
      refuse("look-ahead (?= (?! is not supported");
    } else if (take("<=") || take("<!")) {
      refuse("look-behind (?<= (?<! is not supported");
    } else if (const size_t end = left_.find('>');
               left_.starts_with("<") && end > 1 && end != std::string_view::npos) {
      left_.remove_prefix(end + 1);
      out_ += "(";
    } else {
      refuse("(? begins no group of ECMAScript: (?: and (?<name> are allowed");
    }
  }

  void bracket() {
    if (take("^]")) {
      out_ += "[\\x{0}-\\x{10ffff}]";
      return;
    }
    if (take("]")) {
      out_ += "[^\\x{0}-\\x{10ffff}]";
      return;
    }
    out_ += take("^") ? "[^" : "[";
    while (!take("]")) {
      if (left_.empty()) return refuse("a class [ has no closing ]");
      if (!why_.empty()) return;
      if (take("\\")) {
        escape(true);
      } else if (take("[")) {
        out_ += "\\[";
      } else {
        copy_byte();
      }
    }
    out_ += ']';
  }

  // Takes `digits` hexadecimal digits.
  bool take_hex(size_t digits, uint32_t* code) {
    if (left_.size() < digits) return false;
    uint32_t sum = 0;
    for (const char c : left_.substr(0, digits)) {
      const size_t digit = std::string_view("0123456789abcdef")
                               .find(static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c));
      if (digit == std::string_view::npos) return false;
      sum = sum * 16 + static_cast<uint32_t>(digit);
    }
    left_.remove_prefix(digits);
    *code = sum;
    return true;
  }

  void unicode_escape(uint32_t code) {
    uint32_t low = 0;
    if (code >= 0xd800 && code < 0xdc00 && take("\\u") && take_hex(4, &low) && low >= 0xdc00 &&
        low < 0xe000) {
      return emit_code_point(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
    }
    if (code >= 0xd800 && code < 0xe000) return refuse("half of a surrogate pair is not supported");
    emit_code_point(code);
  }

  void escape(bool in_class) {
    if (left_.empty()) return refuse("a \\ at the end escapes nothing");
    const char c = left_[0];
    left_.remove_prefix(1);
    uint32_t code = 0;
    if (std::string_view("dDwWtnvfr").find(c) != std::string_view::npos) {
      out_ += '\\';
      out_ += c;
    } else if (c == 's' || c == 'S') {
      if (!in_class) out_ += '[';
      out_ += c == 's' ? kSpaces : kNoSpaces;
      if (!in_class) out_ += ']';
    } else if (c == 'b' && in_class) {
      emit_code_point(8);
    } else if ((c == 'b' || c == 'B') && !in_class) {
      out_ += '\\';
      out_ += c;
    } else if (c == '0' && (left_.empty() || left_[0] < '0' || left_[0] > '9')) {
      emit_code_point(0);
    } else if ((c >= '0' && c <= '9') || (c == 'k' && left_.starts_with("<"))) {
      refuse("back-references and octal escapes are not supported");
    } else if (c == 'x' && take_hex(2, &code)) {
      emit_code_point(code);
    } else if (c == 'u' && take_hex(4, &code)) {
      unicode_escape(code);
    } else if (c == 'c') {
      control_escape();
    } else {
      identity_escape(c);
    }
  }

  void control_escape() {
    const char letter = left_.empty() ? '\0' : static_cast<char>(left_[0] | 0x20);
    if (letter < 'a' || letter > 'z') return refuse("\\c needs a letter");
    left_.remove_prefix(1);
    emit_code_point(static_cast<uint32_t>(letter & 0x1f));
  }

  // Every other sign stands for itself; beyond ASCII its bytes follow by themselves.
  void identity_escape(char c) {
    if (static_cast<unsigned char>(c) < 0x80) return emit_code_point(static_cast<uint32_t>(c));
    out_ += c;
  }

  std::string_view left_;
  std::string out_;
  std::string why_;
};

}  // namespace

Result<std::string> ecma_regex_to_re2(std::string_view pattern) {
  return Translator(pattern).run();
}

}  // namespace shanhuo
