// What answers about exposures share (api_exposure.cc, api_impact.cc, api_board.cc).
#pragma once

#include <string>
#include <string_view>

#include "features/exposure.h"
#include "serving/http_api.h"

namespace shanhuo {

// RFC 4180. A cell that a spreadsheet would run as a formula is kept from it by an apostrophe.
std::string csv_cell(std::string_view text);
bool wants_csv(const HttpRequest& request);
// A file to keep, `name`.csv.
HttpResponse csv_answer(std::string_view name, std::string text);

// The numbers of contract 2.4 as fields of the object that is open.
void write_numbers(JsonWriter& json, const ExposureNumbers& numbers);

}  // namespace shanhuo
