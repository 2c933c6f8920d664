// The JSON of an event as nearly every producer writes it, read in one pass over its bytes: one
// object of members that events have, each once; texts of 0x20..0x7E without escapes; integers of
// up to 18 digits without a sign. Whatever is not as plain as that, or no JSON, is left to the
// parser of json.h, which decides alone what it is. Internal to streaming/codec_event*.cc.
#pragma once

#include <optional>
#include <string_view>

#include "streaming/codec.h"

namespace shanhuo {

// What codec.h says of `text`, with `event` filled if that is an empty reason; views point into
// `text`. Nothing: it is not plain, and `event` is in any state.
std::optional<Reason> read_plain_event(std::string_view text, Interaction& event);

}  // namespace shanhuo
