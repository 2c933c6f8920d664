// Result<T>: a value, or an Error that says what is wrong, for failures that are expected (input,
// disk, peers). The one error mechanism of the project; there are no exceptions of ours. Context is
// added on the way up:
//
//   Result<Options> options = read_options(path);
//   if (!options.ok()) return options.error().within("engine.yaml");
//
// Result<void> is spelled Status. Value access without a value is our bug and aborts (CHECK).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace shanhuo {

enum class ErrorCode {
  kInvalid,      // the input is wrong: HTTP 422 or 400
  kNotFound,     // HTTP 404
  kConflict,     // a revision, or a field that never changes: HTTP 409
  kTooLarge,     // a limit of the options: HTTP 413
  kUnavailable,  // log down, shedding, stopping: HTTP 503, try again
  kCorrupt,      // a checksum or a length does not hold: never served
  kIo,           // the operating system or a library said no
};

struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string message;  // for a person: what is wrong, and what is allowed

  // The same error, said to have happened inside `place`.
  [[nodiscard]] Error within(std::string_view place) const {
    return {code, std::string(place) + ": " + message};
  }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const T& value() const& {
    CHECK(ok());
    return *value_;
  }
  T& value() & {
    CHECK(ok());
    return *value_;
  }
  T&& value() && {
    CHECK(ok());
    return std::move(*value_);
  }
  const Error& error() const {
    CHECK(!ok());
    return error_;
  }

 private:
  std::optional<T> value_;
  Error error_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !error_.has_value(); }
  const Error& error() const {
    CHECK(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace shanhuo
