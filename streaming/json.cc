// A Value is simdjson's tape_ref: a document and an index into its tape. simdjson parses into a
// flat tape, so that walking a document is walking an array; matching brackets know each other.
#include "streaming/json.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"

namespace shanhuo::json {
namespace {

using simdjson::internal::tape_ref;
using simdjson::internal::tape_type;

tape_ref tape(const void* document, size_t index) {
  return {static_cast<const simdjson::dom::document*>(document), index};
}

// Allocated once per growth, so that parsing in place may read past the end of a text.
struct PaddedBuffer {
  std::unique_ptr<char[]> bytes;
  size_t capacity = 0;

  char* fit(size_t size) {
    if (size > capacity || bytes == nullptr) {
      capacity = std::max<size_t>(size, 4096);
      bytes = std::make_unique<char[]>(capacity + simdjson::SIMDJSON_PADDING);
    }
    return bytes.get();
  }
};

std::string complaint(simdjson::error_code code) {
  if (code == simdjson::DEPTH_ERROR) return "nested too deep";
  if (code == simdjson::NUMBER_ERROR) return "not JSON: a number that is malformed or too large";
  return std::string("not JSON: ") + simdjson::error_message(code);
}

}  // namespace

Kind Value::kind() const {
  if (document_ == nullptr) return Kind::kAbsent;
  switch (tape(document_, index_).tape_ref_type()) {
    case tape_type::NULL_VALUE:
      return Kind::kNull;
    case tape_type::TRUE_VALUE:
    case tape_type::FALSE_VALUE:
      return Kind::kBool;
    case tape_type::INT64:
      return Kind::kInt64;
    case tape_type::UINT64:
      return Kind::kUint64;
    case tape_type::DOUBLE:
      return Kind::kDouble;
    case tape_type::STRING:
      return Kind::kText;
    case tape_type::START_ARRAY:
      return Kind::kArray;
    case tape_type::START_OBJECT:
      return Kind::kObject;
    default:
      return Kind::kAbsent;
  }
}

bool Value::get(std::string_view& out) const {
  if (kind() != Kind::kText) return false;
  out = tape(document_, index_).get_string_view();
  return true;
}

bool Value::get(int64_t& out) const {
  if (kind() != Kind::kInt64) return false;  // simdjson says uint64 only above INT64_MAX
  out = tape(document_, index_).next_tape_value<int64_t>();
  return true;
}

bool Value::get(uint64_t& out) const {
  const Kind present = kind();
  if (present == Kind::kUint64) {
    out = tape(document_, index_).next_tape_value<uint64_t>();
    return true;
  }
  int64_t number = 0;
  if (present != Kind::kInt64 || !get(number) || number < 0) return false;
  out = static_cast<uint64_t>(number);
  return true;
}

bool Value::get(double& out) const {
  const tape_ref at = tape(document_, index_);
  switch (kind()) {
    case Kind::kDouble:
      out = at.next_tape_value<double>();
      return true;
    case Kind::kInt64:
      out = static_cast<double>(at.next_tape_value<int64_t>());
      return true;
    case Kind::kUint64:
      out = static_cast<double>(at.next_tape_value<uint64_t>());
      return true;
    default:
      return false;
  }
}

bool Value::get(bool& out) const {
  if (kind() != Kind::kBool) return false;
  out = tape(document_, index_).is_true();
  return true;
}

Members Value::members() const {
  Members range;
  if (!is_object()) return range;
  range.document_ = document_;
  range.begin_ = index_ + 1;
  range.end_ = tape(document_, index_).after_element() - 1;
  return range;
}

Elements Value::elements() const {
  Elements range;
  if (!is_array()) return range;
  range.document_ = document_;
  range.begin_ = index_ + 1;
  range.end_ = tape(document_, index_).after_element() - 1;
  return range;
}

size_t Value::size() const {
  return is_array() || is_object() ? tape(document_, index_).scope_count() : 0;
}

Value Value::find(std::string_view name) const {
  for (const Member member : members()) {
    if (member.name == name) return member.value;
  }
  return {};
}

Member Members::Iterator::operator*() const {
  return {tape(document_, index_).get_string_view(), Value(document_, index_ + 1)};
}

Members::Iterator& Members::Iterator::operator++() {
  index_ = tape(document_, index_ + 1).after_element();
  return *this;
}

Elements::Iterator& Elements::Iterator::operator++() {
  index_ = tape(document_, index_).after_element();
  return *this;
}

struct Document::Rep {
  DocumentOptions options;
  simdjson::dom::parser parser;
  PaddedBuffer buffer;
  size_t kept = 0;
  size_t parser_capacity = 0;

  Result<const simdjson::dom::document*> parse(const char* text, size_t size) {
    if (size > parser_capacity) {
      const size_t wanted = std::max<size_t>(size, 4096);
      if (parser.allocate(wanted, options.depth_max) != simdjson::SUCCESS) {
        return Error{ErrorCode::kTooLarge, "no memory for " + std::to_string(size) + " bytes"};
      }
      parser_capacity = wanted;
    }
    simdjson::dom::element root;
    const auto code = parser.parse(text, size, /*realloc_if_needed=*/false).get(root);
    if (code != simdjson::SUCCESS) return Error{ErrorCode::kInvalid, complaint(code)};
    return &parser.doc;
  }
};

Document::Document(const DocumentOptions& options) : rep_(std::make_unique<Rep>()) {
  rep_->options = options;
}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

Result<std::string_view> Document::keep(std::string_view buffer) {
  if (buffer.size() > rep_->options.bytes_max) {
    return Error{ErrorCode::kTooLarge, std::to_string(buffer.size()) + " bytes, at most " +
                                           std::to_string(rep_->options.bytes_max)};
  }
  char* kept = rep_->buffer.fit(buffer.size());
  if (!buffer.empty()) std::memcpy(kept, buffer.data(), buffer.size());
  std::memset(kept + buffer.size(), ' ', simdjson::SIMDJSON_PADDING);
  rep_->kept = buffer.size();
  return std::string_view(kept, buffer.size());
}

Result<Value> Document::parse_kept(std::string_view piece) {
  const char* begin = rep_->buffer.bytes.get();
  CHECK(begin != nullptr && piece.data() >= begin &&
        piece.data() + piece.size() <= begin + rep_->kept);
  Result<const simdjson::dom::document*> document = rep_->parse(piece.data(), piece.size());
  if (!document.ok()) return document.error();
  return Value(document.value(), 1);  // tape[0] is the root's own bracket
}

Result<Value> Document::parse(std::string_view text) {
  Result<std::string_view> kept = keep(text);
  if (!kept.ok()) return kept.error();
  return parse_kept(kept.value());
}

}  // namespace shanhuo::json
