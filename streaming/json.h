// JSON text to values: a strict reader. The only door to simdjson.
//
// A Document owns the parsed text and is meant to be reused: its buffers grow to the largest text
// and stay. A Value is a 16-byte handle into its Document, valid until that Document parses again
// or dies; texts are views into it. One thread uses a Document at a time; any number may read the
// Values of one that is at rest. Text must be UTF-8 JSON of RFC 8259; numbers that no double or
// 64-bit integer holds (1e400, NaN, 2^64) make the whole text not JSON.
//
// Strict reading of an object is read_fields() (unknown and duplicate members are errors) followed
// by the text_of(), integer_of(), ... helpers, which collect every complaint in FieldErrors with
// its JSON pointer, so that a caller learns all of them at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "base/result.h"
#include "features/attributes.h"

namespace shanhuo::json {

class Value;
class Members;
class Elements;

enum class Kind : uint8_t {
  kAbsent,
  kNull,
  kBool,
  kInt64,
  kUint64,
  kDouble,
  kText,
  kArray,
  kObject
};

// A handle. Default: absent, which is no JSON value at all and answers false to every is_*().
class Value {
 public:
  Value() = default;

  bool present() const { return document_ != nullptr; }
  Kind kind() const;
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_text() const { return kind() == Kind::kText; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }

  // False, and `out` untouched, when the value is of another kind. Numbers: an integer is taken by
  // get(int64_t&) when it is written without fraction and exponent and fits; get(double&) takes
  // every number.
  bool get(std::string_view& out) const;
  bool get(int64_t& out) const;
  bool get(uint64_t& out) const;
  bool get(double& out) const;
  bool get(bool& out) const;

  // In the order of the text. Empty ranges when this is no object (no array).
  Members members() const;
  Elements elements() const;
  size_t size() const;  // elements of an array, members of an object (duplicates counted), else 0
  // The first member of that name; absent when there is none, or this is no object.
  Value find(std::string_view name) const;

 private:
  friend class Document;
  friend class Members;
  friend class Elements;
  Value(const void* document, size_t index) : document_(document), index_(index) {}

  const void* document_ = nullptr;
  size_t index_ = 0;
};

struct Member {
  std::string_view name;
  Value value;
};

// for (json::Member member : value.members()) ...
class Members {
 public:
  class Iterator {
   public:
    Member operator*() const;
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    friend class Members;
    Iterator(const void* document, size_t index) : document_(document), index_(index) {}
    const void* document_;
    size_t index_;
  };
  Iterator begin() const { return {document_, begin_}; }
  Iterator end() const { return {document_, end_}; }

 private:
  friend class Value;
  const void* document_ = nullptr;
  size_t begin_ = 0, end_ = 0;
};

// for (json::Value element : value.elements()) ...
class Elements {
 public:
  class Iterator {
   public:
    Value operator*() const { return {document_, index_}; }
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    friend class Elements;
    Iterator(const void* document, size_t index) : document_(document), index_(index) {}
    const void* document_;
    size_t index_;
  };
  Iterator begin() const { return {document_, begin_}; }
  Iterator end() const { return {document_, end_}; }

 private:
  friend class Value;
  const void* document_ = nullptr;
  size_t begin_ = 0, end_ = 0;
};

struct DocumentOptions {
  size_t bytes_max = 8u << 20;  // of one text; about ten times as much memory at the worst
  size_t depth_max = 32;        // of nested arrays and objects
};

class Document {
 public:
  explicit Document(const DocumentOptions& options = {});
  ~Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;

  // Copies `text`. kInvalid: not JSON, or nested too deep; kTooLarge: above bytes_max.
  Result<Value> parse(std::string_view text);

  // For many small texts inside one buffer: keep() copies the buffer once and returns the copy;
  // parse_kept() parses a piece of that copy in place. The copy lives until the next keep() or
  // parse().
  Result<std::string_view> keep(std::string_view buffer);
  Result<Value> parse_kept(std::string_view piece);  // Requires: inside what keep() returned

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// Where in a document something stands; a chain on the stack, made into RFC 6901 text only when
// something is wrong:  Pointer root; Pointer items(root, "items"); Pointer third(items, 3);
class Pointer {
 public:
  Pointer() = default;
  Pointer(const Pointer& parent, std::string_view name) : parent_(&parent), name_(name) {}
  Pointer(const Pointer& parent, size_t index) : parent_(&parent), index_(index), array_(true) {}
  Pointer(const Pointer&) = delete;
  Pointer& operator=(const Pointer&) = delete;

  std::string str() const;  // "/items/3"; "" for the root

 private:
  const Pointer* parent_ = nullptr;
  std::string_view name_;
  size_t index_ = 0;
  bool array_ = false;
};

struct FieldError {
  std::string pointer;
  std::string detail;
};

// All that is wrong with a document. Keeps the first `kept_max`, counts the others.
class FieldErrors {
 public:
  explicit FieldErrors(size_t kept_max = 100) : kept_max_(kept_max) {}

  void add(const Pointer& at, std::string_view detail);
  bool empty() const { return count_ == 0; }
  size_t count() const { return count_; }
  const std::vector<FieldError>& list() const { return list_; }
  // kInvalid with all of them in one line, "/items/3/county: ..., ..."; for logs and tests.
  Error as_error() const;

 private:
  size_t kept_max_;
  size_t count_ = 0;
  std::vector<FieldError> list_;
};

// Fills values[i] with the member called names[i], or leaves it absent. A member that `names`
// lacks, one that comes twice, and a `value` that is no object are errors. False if it added any.
bool read_fields(Value value, std::span<const std::string_view> names, std::span<Value> values,
                 const Pointer& at, FieldErrors& errors);

// Each gives the value, or adds an error that says what is allowed. An absent value is an error
// "missing": ask present() first when the field is optional. Bounds are inclusive.
std::optional<std::string_view> text_of(Value value, size_t bytes_max, const Pointer& at,
                                        FieldErrors& errors);
std::optional<std::string_view> id_of(Value value, const Pointer& at, FieldErrors& errors);
std::optional<int64_t> integer_of(Value value, int64_t least, int64_t most, const Pointer& at,
                                  FieldErrors& errors);
std::optional<double> number_of(Value value, double least, double most, const Pointer& at,
                                FieldErrors& errors);
std::optional<bool> bool_of(Value value, const Pointer& at, FieldErrors& errors);
// True when it is an array of at most elements_max.
bool is_array_of(Value value, size_t elements_max, const Pointer& at, FieldErrors& errors);

// The same checks of what came in another format than JSON, where types cannot be wrong.
std::optional<std::string_view> text_of(std::optional<std::string_view> text, size_t bytes_max,
                                        const Pointer& at, FieldErrors& errors);
std::optional<std::string_view> id_of(std::optional<std::string_view> text, const Pointer& at,
                                      FieldErrors& errors);
std::optional<int64_t> integer_of(std::optional<int64_t> number, int64_t least, int64_t most,
                                  const Pointer& at, FieldErrors& errors);
std::optional<double> number_of(std::optional<double> number, double least, double most,
                                const Pointer& at, FieldErrors& errors);
std::optional<bool> bool_of(std::optional<bool> flag, const Pointer& at, FieldErrors& errors);
bool is_array_of(size_t elements, size_t elements_max, const Pointer& at, FieldErrors& errors);

// The value as a tree of our own (features/attributes.h). kInvalid: an object has a member twice.
Result<shanhuo::Value> to_value(Value value);
// The value as JSON text again.
void write(JsonWriter& out, Value value);

}  // namespace shanhuo::json
