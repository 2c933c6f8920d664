// A protobuf message looked at before it is parsed. A parsed element takes up to a hundred times
// its smallest encoding, so lists are counted here before anything is made of them. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

namespace shanhuo {

// Calls each(field number, content) for the fields that have a length, until one call says false.
// True when the bytes are a message, and no call said false.
bool each_wire_part(std::string_view bytes,
                    const std::function<bool(int number, std::string_view content)>& each);

// How many fields of that number, each with a length, the message has; nothing when it is none.
std::optional<size_t> count_wire_parts(std::string_view bytes, int number);

}  // namespace shanhuo
