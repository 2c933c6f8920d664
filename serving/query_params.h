// What a query's parameters say, read the same way by every route. A parameter that is absent
// leaves its target as it is; one that is wrong is added to `errors` as "?name" and what is
// allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "serving/http.h"
#include "serving/problem.h"

namespace shanhuo {

// Milliseconds since the epoch.
void read_time(const HttpRequest& request, std::string_view name, Millis& target,
               std::vector<FieldError>& errors);
// `from` and `to`; with a `span`, from is by default so long before the end.
void read_period(const HttpRequest& request, std::optional<Millis> span, Millis& from, Millis& to,
                 std::vector<FieldError>& errors);
// A whole number, min..max.
void read_count(const HttpRequest& request, std::string_view name, uint64_t& target, uint64_t min,
                uint64_t max, std::vector<FieldError>& errors);

std::optional<uint64_t> whole_number(std::string_view text);

}  // namespace shanhuo
