// What answers about exposures share (api_exposure.cc, api_impact.cc, api_board.cc).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "features/exposure.h"
#include "serving/http_api.h"

namespace shanhuo {

// Milliseconds of a query's parameter into `target`, which stays when it is absent. False: it is
// wrong, and `errors` says so.
bool read_time(const HttpRequest& request, std::string_view name, Millis& target,
               std::vector<FieldError>& errors);

// RFC 4180. A cell that a spreadsheet would run as a formula is kept from it by an apostrophe.
std::string csv_cell(std::string_view text);

// The numbers of contract 2.4 as fields of the object that is open.
void write_numbers(JsonWriter& json, const ExposureNumbers& numbers);

}  // namespace shanhuo
