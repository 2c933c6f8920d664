// Numbers to text follow ECMA-262 6.1.6.1.20 (Number::toString), text to number 7.1.4.1
// (StringToNumber), versions the padding that GrowthBook's SDKs share.
// Tested by tests/features_condition_test.cc against cases that a JavaScript engine decided.
#include "features/coercion.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace shanhuo {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes of the white space (ECMA-262: WhiteSpace, LineTerminator) that `text` begins with, or 0.
size_t leading_space(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) return 1;
  if (text.starts_with("\u00a0")) return 2;
  if (text.size() < 3) return 0;
  const std::string_view three = text.substr(0, 3);
  if (three >= "\u2000" && three <= "\u200a") return 3;
  for (const char* space : {"\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"}) {
    if (three == space) return 3;
  }
  return 0;
}

std::string_view trim(std::string_view text) {
  while (const size_t bytes = leading_space(text)) text.remove_prefix(bytes);
  while (!text.empty()) {
    size_t bytes = 1;
    while (bytes < 3 && bytes < text.size() && (text[text.size() - bytes] & 0xc0) == 0x80) ++bytes;
    if (leading_space(text.substr(text.size() - bytes)) != bytes) break;
    text.remove_suffix(bytes);
  }
  return text;
}

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

double digits_in_base(std::string_view digits, int base) {
  if (digits.empty()) return kNaN;
  double sum = 0;
  for (const char c : digits) {
    if (digit_value(c) >= base) return kNaN;
    sum = sum * base + digit_value(c);
  }
  return sum;
}

// from_chars says "out of range" for both ends: a negative exponent, or a fraction without one,
// is the small end.
double out_of_range(std::string_view text) {
  const size_t exponent = text.find_first_of("eE");
  const bool small = exponent == std::string_view::npos
                         ? text[0] == '0' || text[0] == '.'
                         : exponent + 1 < text.size() && text[exponent + 1] == '-';
  return small ? 0 : kInfinity;
}

double unsigned_decimal(std::string_view text) {
  if (text == "Infinity") return kInfinity;
  if (text.empty() || !(is_digit(text[0]) || text[0] == '.')) return kNaN;  // no "inf", no "nan"
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  if (last != end || error == std::errc::invalid_argument) return kNaN;
  return error == std::errc::result_out_of_range ? out_of_range(text) : number;
}

// Appends with every null left out, as joining an array does.
void append_element_text(const AttributeView& element, TextBuffer* room);

void append_array_text(const AttributeView& array, TextBuffer* room) {
  for (size_t i = 0; i < array.size(); ++i) {
    if (i > 0) room->append(",");
    append_element_text(array.element(i), room);
  }
}

void append_element_text(const AttributeView& element, TextBuffer* room) {
  std::array<char, 32> number;
  switch (element.kind()) {
    case AttributeKind::kNull:
      return;
    case AttributeKind::kBool:
      return room->append(element.as_bool() ? "true" : "false");
    case AttributeKind::kNumber:
      return room->append(number_text(element.as_number(), &number));
    case AttributeKind::kText:
      return room->append(element.as_text());
    case AttributeKind::kArray:
      return append_array_text(element, room);
    case AttributeKind::kObject:
      return room->append("[object Object]");
  }
}

// Lays `count` digits out as ECMAScript does; the value is 0.d1d2d3... times ten to the `point`.
char* lay_out(const char* digits, int count, int point, char* out) {
  const auto copy = [&out](const char* from, int n) { out = std::copy_n(from, n, out); };
  const auto zeros = [&out](int n) { out = std::fill_n(out, n, '0'); };
  if (count <= point && point <= 21) {
    copy(digits, count);
    zeros(point - count);
  } else if (0 < point && point <= 21) {
    copy(digits, point);
    *out++ = '.';
    copy(digits + point, count - point);
  } else if (-6 < point && point <= 0) {
    copy("0.", 2);
    zeros(-point);
    copy(digits, count);
  } else {
    copy(digits, 1);
    if (count > 1) {
      *out++ = '.';
      copy(digits + 1, count - 1);
    }
    *out++ = 'e';
    if (point > 0) *out++ = '+';
    out = std::to_chars(out, out + 5, point - 1).ptr;
  }
  return out;
}

void append_version_part(std::string_view part, TextBuffer* room) {
  constexpr size_t kWidth = 5;
  bool number = !part.empty();
  for (const char c : part) number = number && is_digit(c);
  if (number && part.size() < kWidth) room->append(std::string_view("     ", kWidth - part.size()));
  room->append(part);
}

}  // namespace

bool truthy(const AttributeView& value) {
  switch (value.kind()) {
    case AttributeKind::kNull:
      return false;
    case AttributeKind::kBool:
      return value.as_bool();
    case AttributeKind::kNumber:
      return value.as_number() != 0 && !std::isnan(value.as_number());
    case AttributeKind::kText:
      return !value.as_text().empty();
    case AttributeKind::kArray:
    case AttributeKind::kObject:
      break;
  }
  return true;
}

std::string_view number_text(double number, std::array<char, 32>* room) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  if (number == 0) return "0";
  std::array<char, 32> shortest;  // d.ddde-ddd
  const char* begin = shortest.data();
  const char* end = std::to_chars(shortest.data(), shortest.data() + shortest.size(),
                                  std::abs(number), std::chars_format::scientific)
                        .ptr;
  const char* e = std::find(begin, end, 'e');
  char digits[20];
  const int count = static_cast<int>(std::remove_copy(begin, e, digits, '.') - digits);
  int exponent = 0;
  std::from_chars(e + (e[1] == '+' ? 2 : 1), end, exponent);
  char* out = room->data();
  if (number < 0) *out++ = '-';
  out = lay_out(digits, count, exponent + 1, out);
  return {room->data(), static_cast<size_t>(out - room->data())};
}

std::string_view text_of(const AttributeView& value, TextBuffer* room) {
  if (value.kind() == AttributeKind::kText) return value.as_text();
  if (value.is_null()) return "null";
  append_element_text(value, room);
  return room->view();
}

double number_of_text(std::string_view text) {
  text = trim(text);
  if (text.empty()) return 0;
  if (text.size() > 1 && text[0] == '0') {
    const std::string_view digits = text.substr(2);
    const char mark = static_cast<char>(text[1] | 0x20);
    if (mark == 'x') return digits_in_base(digits, 16);
    if (mark == 'o') return digits_in_base(digits, 8);
    if (mark == 'b') return digits_in_base(digits, 2);
  }
  const bool is_signed = text[0] == '-' || text[0] == '+';
  const double number = unsigned_decimal(text.substr(is_signed ? 1 : 0));
  return text[0] == '-' ? -number : number;
}

double number_of(const AttributeView& value) {
  switch (value.kind()) {
    case AttributeKind::kNull:
      return 0;
    case AttributeKind::kBool:
    case AttributeKind::kNumber:
      return value.as_number();
    case AttributeKind::kText:
      return number_of_text(value.as_text());
    case AttributeKind::kArray:
    case AttributeKind::kObject:
      break;
  }
  TextBuffer room;
  return number_of_text(text_of(value, &room));
}

// UTF-8 orders by code point. UTF-16 differs only in that code points beyond U+FFFF, whose first
// byte is 0xf0 and up, stand before U+E000..U+FFFF, whose first byte is 0xee or 0xef.
int compare_texts(std::string_view a, std::string_view b) {
  const size_t shared = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < shared && a[i] == b[i]) ++i;
  if (i == shared) return a.size() == b.size() ? 0 : (a.size() < b.size() ? -1 : 1);
  const auto x = static_cast<unsigned char>(a[i]), y = static_cast<unsigned char>(b[i]);
  const bool by_surrogate = std::min(x, y) >= 0xee && (x >= 0xf0) != (y >= 0xf0);
  return (x < y) != by_surrogate ? -1 : 1;
}

void append_padded_version(const AttributeView& version, TextBuffer* room) {
  std::array<char, 32> number;
  std::string_view text;
  if (version.kind() == AttributeKind::kNumber) text = number_text(version.as_number(), &number);
  if (version.kind() == AttributeKind::kText) text = version.as_text();
  if (text.empty()) text = "0";
  if (text.starts_with('v')) text.remove_prefix(1);
  text = text.substr(0, text.find('+'));
  size_t parts = 0;
  while (true) {
    const size_t cut = text.find_first_of(".-");
    if (parts++ > 0) room->append("-");
    append_version_part(text.substr(0, cut), room);
    if (cut == std::string_view::npos) break;
    text.remove_prefix(cut + 1);
  }
  if (parts == 3) room->append("-~");  // a release stands above its pre-releases
}

bool same_json(const AttributeView& a, const AttributeView& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case AttributeKind::kNull:
      return true;
    case AttributeKind::kBool:
    case AttributeKind::kNumber:
      return a.as_number() == b.as_number();
    case AttributeKind::kText:
      return a.as_text() == b.as_text();
    case AttributeKind::kArray:
    case AttributeKind::kObject:
      break;
  }
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a.kind() == AttributeKind::kArray) {
      if (!same_json(a.element(i), b.element(i))) return false;
    } else if (a.members()[i].first != b.members()[i].first ||
               !same_json(AttributeView::of(a.members()[i].second),
                          AttributeView::of(b.members()[i].second))) {
      return false;
    }
  }
  return true;
}

}  // namespace shanhuo
