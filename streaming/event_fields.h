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

// Each checks one value, stores it in the event and gives the reason when it does not pass.
Reason set_text(Field field, std::string_view text, Interaction& event);  // ids, token, names
Reason set_integer(Field field, int64_t number, Interaction& event);

// What must hold once every field is in; `seen` has bit f for each field f that was given.
Reason check_complete(uint32_t seen, const Interaction& event);

}  // namespace shanhuo::event_fields
