// The description of the API, compiled in from serving/openapi.json.
#pragma once

#include <string_view>

namespace shanhuo {

std::string_view openapi_json();

}  // namespace shanhuo
