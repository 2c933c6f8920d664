// The fields of a protobuf Event, read in place: what the library's message would hold, but the
// texts stay where they are. (The message copies each of them; for the fold, which reads every
// event once, that was two thirds of decoding.) Internal to streaming/codec_event*.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "streaming/event_fields.h"

namespace shanhuo {

struct WireEvent {
  std::array<std::string_view, event_fields::kFields> texts;  // of those that are given; UTF-8
  std::array<int64_t, event_fields::kFields> numbers;         // of those that are given
  uint32_t given = 0;  // bit f: field f is there; an empty text is as good as none
  uint32_t plain = 0;  // bit f: text f is known to be is_plain()
};

// False when the bytes are no Event. As proto3 has it: the last one of a field counts, unknown
// fields are skipped, texts are UTF-8. `out` points into `bytes`.
bool read_wire_event(std::string_view bytes, WireEvent& out);

}  // namespace shanhuo
