// Strict reading on top of json::Value, and conversions of whole values. No JSON library here.
#include <algorithm>
#include <string>
#include <unordered_set>

#include "base/check.h"
#include "base/ids.h"
#include "streaming/json.h"

namespace shanhuo::json {
namespace {

constexpr std::string_view kText = "a string";
constexpr std::string_view kInteger = "an integer";
constexpr std::string_view kNumber = "a number";
constexpr std::string_view kFlag = "true or false";

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kAbsent:
      return "nothing";
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "a boolean";
    case Kind::kInt64:
    case Kind::kUint64:
      return "an integer";
    case Kind::kDouble:
      return "a number";
    case Kind::kText:
      return "a string";
    case Kind::kArray:
      return "an array";
    case Kind::kObject:
      return "an object";
  }
  return "";
}

void wrong_kind(Value value, std::string_view wanted, const Pointer& at, FieldErrors& errors) {
  if (!value.present()) return errors.add(at, "missing, must be " + std::string(wanted));
  errors.add(at, "is " + std::string(kind_name(value.kind())) + ", must be " + std::string(wanted));
}

void out_of_range(const std::string& least, const std::string& most, const Pointer& at,
                  FieldErrors& errors) {
  errors.add(at, "is out of range, must be " + least + ".." + most);
}

std::string number_text(double number) {
  std::string text;
  JsonWriter(text).value(number);
  return text;
}

}  // namespace

std::string Pointer::str() const {
  if (parent_ == nullptr) return "";
  std::string text = parent_->str();
  text.push_back('/');
  if (array_) return text + std::to_string(index_);
  for (const char c : name_) {
    if (c == '~') {
      text.append("~0");
    } else if (c == '/') {
      text.append("~1");
    } else {
      text.push_back(c);
    }
  }
  return text;
}

void FieldErrors::add(const Pointer& at, std::string_view detail) {
  if (++count_ <= kept_max_) list_.push_back({at.str(), std::string(detail)});
}

Error FieldErrors::as_error() const {
  std::string text;
  for (const FieldError& error : list_) {
    if (!text.empty()) text.append("; ");
    text.append(error.pointer.empty() ? "/" : error.pointer).append(": ").append(error.detail);
  }
  if (count_ > list_.size()) {
    text.append("; and ").append(std::to_string(count_ - list_.size())).append(" more");
  }
  return {ErrorCode::kInvalid, text};
}

bool read_fields(Value value, std::span<const std::string_view> names, std::span<Value> values,
                 const Pointer& at, FieldErrors& errors) {
  CHECK(values.size() == names.size());
  const size_t before = errors.count();
  std::fill(values.begin(), values.end(), Value());
  if (!value.is_object()) {
    wrong_kind(value, "an object", at, errors);
    return false;
  }
  for (const Member member : value.members()) {
    const auto name = std::find(names.begin(), names.end(), member.name);
    if (name == names.end()) {
      errors.add(Pointer(at, member.name), "unknown field");
      continue;
    }
    Value& place = values[static_cast<size_t>(name - names.begin())];
    if (place.present()) errors.add(Pointer(at, member.name), "given twice");
    place = member.value;
  }
  return errors.count() == before;
}

std::optional<std::string_view> text_of(Value value, size_t bytes_max, const Pointer& at,
                                        FieldErrors& errors) {
  std::string_view text;
  if (value.get(text)) return text_of(std::optional(text), bytes_max, at, errors);
  wrong_kind(value, kText, at, errors);
  return std::nullopt;
}

std::optional<std::string_view> text_of(std::optional<std::string_view> text, size_t bytes_max,
                                        const Pointer& at, FieldErrors& errors) {
  if (!text) {
    wrong_kind(Value(), kText, at, errors);
  } else if (text->size() > bytes_max) {
    errors.add(
        at, "has " + std::to_string(text->size()) + " bytes, at most " + std::to_string(bytes_max));
    return std::nullopt;
  }
  return text;
}

std::optional<std::string_view> id_of(Value value, const Pointer& at, FieldErrors& errors) {
  std::string_view text;
  if (value.get(text)) return id_of(std::optional(text), at, errors);
  wrong_kind(value, kText, at, errors);
  return std::nullopt;
}

std::optional<std::string_view> id_of(std::optional<std::string_view> text, const Pointer& at,
                                      FieldErrors& errors) {
  if (!text) {
    wrong_kind(Value(), kText, at, errors);
  } else if (!valid_id(*text)) {
    errors.add(at, "is no id: 1..128 bytes of UTF-8 without control characters");
    return std::nullopt;
  }
  return text;
}

std::optional<int64_t> integer_of(Value value, int64_t least, int64_t most, const Pointer& at,
                                  FieldErrors& errors) {
  int64_t number = 0;
  if (value.get(number)) return integer_of(std::optional(number), least, most, at, errors);
  if (value.kind() == Kind::kUint64) {
    out_of_range(std::to_string(least), std::to_string(most), at, errors);
  } else {
    wrong_kind(value, kInteger, at, errors);
  }
  return std::nullopt;
}

std::optional<int64_t> integer_of(std::optional<int64_t> number, int64_t least, int64_t most,
                                  const Pointer& at, FieldErrors& errors) {
  if (!number) {
    wrong_kind(Value(), kInteger, at, errors);
  } else if (*number < least || *number > most) {
    out_of_range(std::to_string(least), std::to_string(most), at, errors);
    return std::nullopt;
  }
  return number;
}

std::optional<double> number_of(Value value, double least, double most, const Pointer& at,
                                FieldErrors& errors) {
  double number = 0;
  if (value.get(number)) return number_of(std::optional(number), least, most, at, errors);
  wrong_kind(value, kNumber, at, errors);
  return std::nullopt;
}

std::optional<double> number_of(std::optional<double> number, double least, double most,
                                const Pointer& at, FieldErrors& errors) {
  if (!number) {
    wrong_kind(Value(), kNumber, at, errors);
  } else if (!(*number >= least && *number <= most)) {  // NaN is in no range
    out_of_range(number_text(least), number_text(most), at, errors);
    return std::nullopt;
  }
  return number;
}

std::optional<bool> bool_of(Value value, const Pointer& at, FieldErrors& errors) {
  bool flag = false;
  if (value.get(flag)) return flag;
  wrong_kind(value, kFlag, at, errors);
  return std::nullopt;
}

std::optional<bool> bool_of(std::optional<bool> flag, const Pointer& at, FieldErrors& errors) {
  if (!flag) wrong_kind(Value(), kFlag, at, errors);
  return flag;
}

bool is_array_of(Value value, size_t elements_max, const Pointer& at, FieldErrors& errors) {
  if (value.is_array()) return is_array_of(value.size(), elements_max, at, errors);
  wrong_kind(value, "an array", at, errors);
  return false;
}

bool is_array_of(size_t elements, size_t elements_max, const Pointer& at, FieldErrors& errors) {
  if (elements <= elements_max) return true;
  errors.add(
      at, "has " + std::to_string(elements) + " elements, at most " + std::to_string(elements_max));
  return false;
}

namespace {

Result<shanhuo::Value> object_to_value(Value value) {
  shanhuo::Value::Object object;
  object.reserve(value.size());
  std::unordered_set<std::string_view> seen;
  for (const Member member : value.members()) {
    if (!seen.insert(member.name).second) {
      return Error{ErrorCode::kInvalid, std::string(member.name) + ": given twice"};
    }
    Result<shanhuo::Value> inner = to_value(member.value);
    if (!inner.ok()) return inner.error().within(member.name);
    object.emplace_back(std::string(member.name), std::move(inner).value());
  }
  return shanhuo::Value(std::move(object));
}

Result<shanhuo::Value> array_to_value(Value value) {
  shanhuo::Value::Array array;
  array.reserve(value.size());
  for (const Value element : value.elements()) {
    Result<shanhuo::Value> inner = to_value(element);
    if (!inner.ok()) return inner.error().within(std::to_string(array.size()));
    array.push_back(std::move(inner).value());
  }
  return shanhuo::Value(std::move(array));
}

}  // namespace

Result<shanhuo::Value> to_value(Value value) {
  std::string_view text;
  double number = 0;
  bool flag = false;
  if (value.is_object()) return object_to_value(value);
  if (value.is_array()) return array_to_value(value);
  if (value.get(text)) return shanhuo::Value(text);
  if (value.get(number)) return shanhuo::Value(number);
  if (value.get(flag)) return shanhuo::Value(flag);
  return shanhuo::Value();
}

void write(JsonWriter& out, Value value) {
  switch (value.kind()) {
    case Kind::kObject:
      out.begin_object();
      for (const Member member : value.members()) {
        out.key(member.name);
        write(out, member.value);
      }
      return out.end_object();
    case Kind::kArray:
      out.begin_array();
      for (const Value element : value.elements()) write(out, element);
      return out.end_array();
    default:
      break;
  }
  std::string_view text;
  int64_t integer = 0;
  uint64_t large = 0;
  double number = 0;
  bool flag = false;
  if (value.get(text)) return out.value(text);
  if (value.get(integer)) return out.value(integer);
  if (value.get(large)) return out.value(large);
  if (value.get(number)) return out.value(number);
  if (value.get(flag)) return out.value(flag);
  out.null();
}

}  // namespace shanhuo::json
