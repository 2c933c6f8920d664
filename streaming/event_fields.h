// The fields of an event, shared by its JSON and its protobuf reader: names, reasons, and the
// checks that both apply. Internal to streaming/codec_event*.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "features/interaction.h"
#include "streaming/codec.h"

namespace shanhuo::event_fields {

enum Field : int {
  kEventId,
  kType,
  kUserId,
  kItemId,
  kTsMs,
  kSurface,
  kRequestId,
  kPosition,
  kToken,
  kViewableMs,
  kWatchMs,
  kOrderId,
  kQuantity,
  kAmountFen,
  kDeed,
  kFields,
};

// A field's name and the reasons that name it.
struct FieldReasons {
  std::string_view name, missing, type, range, bad_id, duplicate;
};
extern const std::array<FieldReasons, kFields> kReasons;

// -1: no field of an event. Looks behind the field `before` first (-1: none): writers keep an
// order.
int find_field(std::string_view name, int before);

constexpr bool is_number(Field field) {
  constexpr uint32_t kNumbers = 1u << kTsMs | 1u << kPosition | 1u << kViewableMs | 1u << kWatchMs |
                                1u << kQuantity | 1u << kAmountFen;
  return (kNumbers >> field & 1) != 0;
}

// What nearly every text is: bytes of 0x20..0x7E alone. The empty one, too.
bool is_plain(std::string_view text);

// Each checks one value, stores it in the event and gives the reason when it does not pass.
// `plain` spares a second look: is_plain(text), if that is known; false is always right.
Reason set_text(Field field, std::string_view text, bool plain, Interaction& event);
Reason set_integer(Field field, int64_t number, Interaction& event);

// What must hold once every field is in; `seen` has bit f for each field f that was given.
Reason check_complete(uint32_t seen, const Interaction& event);

}  // namespace shanhuo::event_fields
