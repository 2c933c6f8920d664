// What conditions read: values as operators and callers write them (Value), and the light views by
// which anything with fields answers a lookup (AttributeSource, AttributeView).
//
// A Value owns a JSON-like tree: null, bool, number, text, array, object. It knows no JSON library;
// streaming/json.cc and configs/yaml.cc build it. Numbers are doubles, so integers above 2^53 lose
// digits: ids are texts. Objects keep the order of their keys. Parsers bound the depth of a tree,
// because copying, comparing and destroying one recurse.
//
// A view is 32 bytes, owns nothing, and stays valid as long as what it looks at. Everything here
// may be read from many threads at once. "Text" is UTF-8.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace shanhuo {

enum class AttributeKind : uint8_t { kNull, kBool, kNumber, kText, kArray, kObject };

// "null", "boolean", "number", "string", "array", "object".
std::string_view attribute_kind_name(AttributeKind kind);

class Value {
 public:
  using Array = std::vector<Value>;
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;

  // Implicit, so that `Value::Array{1, "tea", true, Value()}` reads like what it means. Only a bool
  // makes a boolean: pointers do not convert.
  // NOLINTBEGIN(google-explicit-constructor)
  Value() = default;  // null
  template <std::same_as<bool> T>
  Value(T flag) : data_(flag) {}
  template <typename T>
  requires(std::integral<T> && !std::same_as<T, bool>) Value(T number)
      : data_(static_cast<double>(number)) {}
  Value(double number) : data_(number) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(Array elements) : data_(std::move(elements)) {}
  Value(Object members) : data_(std::move(members)) {}
  // NOLINTEND(google-explicit-constructor)

  AttributeKind kind() const { return static_cast<AttributeKind>(data_.index()); }
  bool is_null() const { return kind() == AttributeKind::kNull; }
  bool is_bool() const { return kind() == AttributeKind::kBool; }
  bool is_number() const { return kind() == AttributeKind::kNumber; }
  bool is_text() const { return kind() == AttributeKind::kText; }
  bool is_array() const { return kind() == AttributeKind::kArray; }
  bool is_object() const { return kind() == AttributeKind::kObject; }

  // Requires: the value is of that kind (aborts otherwise).
  bool as_bool() const { return get<bool>(); }
  double as_number() const { return get<double>(); }
  const std::string& as_text() const { return get<std::string>(); }
  const Array& as_array() const { return get<Array>(); }
  const Object& as_object() const { return get<Object>(); }
  Array& as_array() { return const_cast<Array&>(std::as_const(*this).get<Array>()); }
  Object& as_object() { return const_cast<Object&>(std::as_const(*this).get<Object>()); }

  // The first member of that name; null pointer when there is none, or when this is no object.
  const Value* find(std::string_view key) const;

  // Same kinds, same values, elements and keys in the same order.
  bool operator==(const Value& other) const;

 private:
  template <typename T>
  const T& get() const {
    const T* value = std::get_if<T>(&data_);
    if (value == nullptr) wrong_kind();
    return *value;
  }
  [[noreturn]] static void wrong_kind();

  // In the order of AttributeKind.
  std::variant<std::monostate, bool, double, std::string, Array, Object> data_;
};

// A look at one attribute. What is missing and what is null are the same.
class AttributeView {
 public:
  AttributeView() = default;
  static AttributeView boolean(bool flag);
  static AttributeView number(double number);
  static AttributeView text(std::string_view text);
  static AttributeView texts(std::span<const std::string> texts);  // an array of texts
  static AttributeView of(const Value& value);

  AttributeKind kind() const { return kind_; }
  bool is_null() const { return kind_ == AttributeKind::kNull; }

  // Requires: the view is of that kind.
  bool as_bool() const { return number_ != 0; }
  double as_number() const { return number_; }
  std::string_view as_text() const { return {static_cast<const char*>(data_), size_}; }
  size_t size() const { return size_; }  // of an array, or members of an object
  AttributeView element(size_t index) const;
  std::span<const Value::Member> members() const;

  // One step of a path: a member of an object, an element of an array ("0", "1", ...), else null.
  AttributeView step(std::string_view name) const;
  // The steps of a dotted path, one after the other; null as soon as one is missing.
  AttributeView walk(std::string_view dotted_path) const;

 private:
  AttributeKind kind_ = AttributeKind::kNull;
  bool of_strings_ = false;  // an array of std::string, not of Value
  size_t size_ = 0;
  double number_ = 0;
  const void* data_ = nullptr;
};

// What can be asked for attributes: an item, a viewer, a request, an object. find() must be
// callable from many threads, allocate nothing and return a view that outlives the evaluation. The
// path is dotted ("place.lat") and never interpreted before it gets here.
class AttributeSource {
 public:
  virtual ~AttributeSource() = default;
  virtual AttributeView find(std::string_view dotted_path) const = 0;
  // The attribute of exactly that name, whatever dots are in it: what hashes are made of.
  virtual AttributeView member(std::string_view name) const {
    return name.find('.') == std::string_view::npos ? find(name) : AttributeView();
  }
};

// A Value (or any view) as a source. Keeps a reference.
class ObjectSource final : public AttributeSource {
 public:
  explicit ObjectSource(const Value& object) : object_(AttributeView::of(object)) {}
  explicit ObjectSource(const AttributeView& object) : object_(object) {}

  AttributeView find(std::string_view dotted_path) const override {
    return object_.walk(dotted_path);
  }
  AttributeView member(std::string_view name) const override { return object_.step(name); }

 private:
  AttributeView object_;
};

}  // namespace shanhuo
