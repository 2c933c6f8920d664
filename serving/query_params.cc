#include "serving/query_params.h"

#include <algorithm>
#include <charconv>

#include "streaming/codec.h"

namespace shanhuo {

std::optional<uint64_t> whole_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void read_time(const HttpRequest& request, std::string_view name, Millis& target,
               std::vector<FieldError>& errors) {
  const std::optional<std::string_view> text = request.param(name);
  if (!text) return;
  const auto ms = whole_number(*text);
  if (ms && *ms <= uint64_t{kEventTimeMsMax}) {
    target = Millis(static_cast<int64_t>(*ms));
  } else {
    errors.push_back({"?" + std::string(name), "must be milliseconds since the epoch"});
  }
}

void read_period(const HttpRequest& request, std::optional<Millis> span, Millis& from, Millis& to,
                 std::vector<FieldError>& errors) {
  read_time(request, "to", to, errors);
  if (span) from = std::max(Millis(0), to - *span);
  read_time(request, "from", from, errors);
  if (from > to) errors.push_back({"?from", "is after to"});
}

void read_count(const HttpRequest& request, std::string_view name, uint64_t& target, uint64_t min,
                uint64_t max, std::vector<FieldError>& errors) {
  const std::optional<std::string_view> text = request.param(name);
  if (!text) return;
  const auto number = whole_number(*text);
  if (number && *number >= min && *number <= max) {
    target = *number;
  } else {
    errors.push_back(
        {"?" + std::string(name), "must be " + std::to_string(min) + " to " + std::to_string(max)});
  }
}

}  // namespace shanhuo
