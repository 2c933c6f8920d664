#include "features/attributes.h"

#include <charconv>

#include "base/check.h"

namespace shanhuo {
namespace {

// "0", "17", but not "", "+1", "01" or "1.0".
bool parse_index(std::string_view text, size_t* index) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, *index);
  return error == std::errc() && last == end;
}

}  // namespace

std::string_view attribute_kind_name(AttributeKind kind) {
  switch (kind) {
    case AttributeKind::kNull:
      return "null";
    case AttributeKind::kBool:
      return "boolean";
    case AttributeKind::kNumber:
      return "number";
    case AttributeKind::kText:
      return "string";
    case AttributeKind::kArray:
      return "array";
    case AttributeKind::kObject:
      return "object";
  }
  CHECK(false);
}

void Value::wrong_kind() { check_failed("a Value of the kind that is read", __FILE__, __LINE__); }

const Value* Value::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const Member& member : as_object()) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

bool Value::operator==(const Value& other) const { return data_ == other.data_; }

AttributeView AttributeView::boolean(bool flag) {
  AttributeView view;
  view.kind_ = AttributeKind::kBool;
  view.number_ = flag ? 1 : 0;
  return view;
}

AttributeView AttributeView::number(double number) {
  AttributeView view;
  view.kind_ = AttributeKind::kNumber;
  view.number_ = number;
  return view;
}

AttributeView AttributeView::text(std::string_view text) {
  AttributeView view;
  view.kind_ = AttributeKind::kText;
  view.data_ = text.data();
  view.size_ = text.size();
  return view;
}

AttributeView AttributeView::texts(std::span<const std::string> texts) {
  AttributeView view;
  view.kind_ = AttributeKind::kArray;
  view.of_strings_ = true;
  view.data_ = texts.data();
  view.size_ = texts.size();
  return view;
}

AttributeView AttributeView::of(const Value& value) {
  AttributeView view;
  view.kind_ = value.kind();
  switch (value.kind()) {
    case AttributeKind::kNull:
      break;
    case AttributeKind::kBool:
      return boolean(value.as_bool());
    case AttributeKind::kNumber:
      return number(value.as_number());
    case AttributeKind::kText:
      return text(value.as_text());
    case AttributeKind::kArray:
      view.data_ = value.as_array().data();
      view.size_ = value.as_array().size();
      break;
    case AttributeKind::kObject:
      view.data_ = value.as_object().data();
      view.size_ = value.as_object().size();
      break;
  }
  return view;
}

AttributeView AttributeView::element(size_t index) const {
  CHECK(kind_ == AttributeKind::kArray && index < size_);
  if (of_strings_) return text(static_cast<const std::string*>(data_)[index]);
  return of(static_cast<const Value*>(data_)[index]);
}

std::span<const Value::Member> AttributeView::members() const {
  CHECK(kind_ == AttributeKind::kObject);
  return {static_cast<const Value::Member*>(data_), size_};
}

AttributeView AttributeView::step(std::string_view name) const {
  if (kind_ == AttributeKind::kObject) {
    for (const Value::Member& member : members()) {
      if (member.first == name) return of(member.second);
    }
  } else if (kind_ == AttributeKind::kArray) {
    size_t index = 0;
    if (parse_index(name, &index) && index < size_) return element(index);
  }
  return {};
}

AttributeView AttributeView::walk(std::string_view dotted_path) const {
  AttributeView at = *this;
  while (true) {
    const size_t dot = dotted_path.find('.');
    at = at.step(dotted_path.substr(0, dot));
    if (dot == std::string_view::npos || at.is_null()) return at;
    dotted_path.remove_prefix(dot + 1);
  }
}

}  // namespace shanhuo
