// Events in: JSON, NDJSON and protobuf. A text that is plain is read in place; any other is parsed
// once into buffers that stay; an Interaction is views into either.  Events out:
// codec_event_write.cc. Tested by tests/streaming_codec_test.cc (round trips of random events, the
// table of reasons).
#include <bit>
#include <cstring>

#include "base/check.h"
#include "streaming/codec.h"
#include "streaming/codec_event_plain.h"
#include "streaming/codec_event_wire.h"
#include "streaming/codec_wire.h"
#include "streaming/event_fields.h"
#include "streaming/shanhuo.pb.h"

namespace shanhuo {
namespace {

using namespace event_fields;  // NOLINT(google-build-using-namespace)

constexpr std::string_view kNotJson = "not_json";
constexpr std::string_view kUnknownContentType = "unknown_content_type";
constexpr std::string_view kUnknownSchemaVersion = "unknown_schema_version";
constexpr std::string_view kNotAnObject = "not_an_object";
constexpr std::string_view kTooLarge = "too_large";

Reason set_json(Field field, json::Value value, Interaction& event) {
  std::string_view text;
  int64_t number = 0;
  if (!is_number(field)) {
    return value.get(text) ? set_text(field, text, is_plain(text), event) : kReasons[field].type;
  }
  if (value.get(number)) return set_integer(field, number, event);
  return value.kind() == json::Kind::kUint64 ? kReasons[field].range : kReasons[field].type;
}

// In the order of the fields' numbers; stops at the first failure.
Reason from_wire(const WireEvent& wire, Interaction& event) {
  event = Interaction();
  for (uint32_t left = wire.given; left != 0; left &= left - 1) {
    const auto field = static_cast<Field>(std::countr_zero(left));
    const Reason reason = is_number(field) ? set_integer(field, wire.numbers[field], event)
                                           : set_text(field, wire.texts[field],
                                                      (wire.plain >> field & 1) != 0, event);
    if (!reason.empty()) return reason;
  }
  return check_complete(wire.given, event);
}

WireEvent fields_of(const wire::Event& event) {
  WireEvent fields;
  const auto give = [&](Field field, bool present, int64_t number) {
    if (present) fields.given |= 1u << field;
    fields.numbers[field] = number;
  };
  const auto give_text = [&](Field field, std::string_view text) {
    if (!text.empty()) fields.given |= 1u << field;
    fields.texts[field] = text;
  };
  give_text(kEventId, event.event_id());
  give_text(kType, event.type());
  give_text(kUserId, event.user_id());
  give_text(kItemId, event.item_id());
  give(kTsMs, event.has_ts_ms(), event.ts_ms());
  give_text(kSurface, event.surface());
  give_text(kRequestId, event.request_id());
  give(kPosition, event.has_position(), event.position());
  give_text(kToken, event.token());
  give(kViewableMs, event.has_viewable_ms(), event.viewable_ms());
  give(kWatchMs, event.has_watch_ms(), event.watch_ms());
  give_text(kOrderId, event.order_id());
  give(kQuantity, event.has_quantity(), event.quantity());
  give(kAmountFen, event.has_amount_fen(), event.amount_fen());
  give_text(kDeed, event.deed());
  return fields;
}

// Cuts the first line off `rest`; without the line's end, and without surrounding blanks.
std::string_view take_line(std::string_view& rest) {
  const void* end = std::memchr(rest.data(), '\n', rest.size());
  const size_t length = end == nullptr
                            ? rest.size()
                            : static_cast<size_t>(static_cast<const char*>(end) - rest.data());
  std::string_view line = rest.substr(0, length);
  rest.remove_prefix(end == nullptr ? length : length + 1);
  const size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

size_t count_lines(std::string_view text) {
  size_t lines = 0;
  while (!text.empty()) lines += take_line(text).empty() ? 0 : 1;
  return lines;
}

Status too_many(size_t given, size_t most) {
  return Error{ErrorCode::kTooLarge,
               std::to_string(given) + " events, at most " + std::to_string(most)};
}

}  // namespace

struct EventDecoder::Rep {
  explicit Rep(const Options& given)
      : options(given), document({.bytes_max = given.body_bytes_max}) {}

  const Options options;
  json::Document document;
  wire::EventBatch batch;
  std::map<std::string, uint64_t, std::less<>> unknown;

  void count_unknown(std::string_view name) {
    auto found = unknown.find(name.substr(0, kIdBytesMax));
    if (found == unknown.end()) {
      const bool room = unknown.size() < options.unknown_names_max;
      found =
          unknown.try_emplace(room ? std::string(name.substr(0, kIdBytesMax)) : "(other)").first;
    }
    ++found->second;
  }

  Reason from_json(json::Value value, Interaction& out) {
    if (!value.is_object()) return kNotAnObject;
    out = Interaction();
    uint32_t seen = 0;
    int before = -1;
    for (const json::Member member : value.members()) {
      const int field = find_field(member.name, before);
      if (field < 0) {
        count_unknown(member.name);
        continue;
      }
      before = field;
      if ((seen & (1u << field)) != 0) return kReasons[static_cast<size_t>(field)].duplicate;
      seen |= 1u << field;
      const Reason reason = set_json(static_cast<Field>(field), member.value, out);
      if (!reason.empty()) return reason;
    }
    return check_complete(seen, out);
  }

  // A line of what document.keep() holds.
  Reason from_line(std::string_view line, Interaction& out) {
    if (line.size() > options.event_bytes_max) return kTooLarge;
    if (const auto reason = read_plain_event(line, out)) return *reason;
    const Result<json::Value> value = document.parse_kept(line);
    return value.ok() ? from_json(value.value(), out) : kNotJson;
  }

  Status json_body(std::string_view body, json::FieldErrors& errors, const Each& each);
  Status ndjson_body(std::string_view body, const Each& each);
  Status protobuf_body(std::string_view body, const Each& each);
};

Status EventDecoder::Rep::json_body(std::string_view body, json::FieldErrors& errors,
                                    const Each& each) {
  const Result<json::Value> root = document.parse(body);
  if (!root.ok()) return root.error();
  constexpr std::string_view kNames[] = {"events"};
  json::Value events;
  const json::Pointer at;
  const json::Pointer at_events(at, kNames[0]);
  if (json::read_fields(root.value(), kNames, {&events, 1}, at, errors)) {
    if (events.size() > options.events_max) return too_many(events.size(), options.events_max);
    json::is_array_of(events, options.events_max, at_events, errors);
  }
  if (!errors.empty()) return errors.as_error();
  size_t index = 0;
  Interaction event;
  for (const json::Value value : events.elements()) {
    const Reason reason = from_json(value, event);
    each(index++, reason, event);
  }
  return {};
}

Status EventDecoder::Rep::ndjson_body(std::string_view body, const Each& each) {
  const size_t lines = count_lines(body);
  if (lines > options.events_max) return too_many(lines, options.events_max);
  const Result<std::string_view> kept = document.keep(body);
  if (!kept.ok()) return kept.error();
  std::string_view rest = kept.value();
  Interaction event;
  for (size_t index = 0; index < lines;) {
    const std::string_view line = take_line(rest);
    if (line.empty()) continue;
    const Reason reason = from_line(line, event);
    each(index++, reason, event);
  }
  return {};
}

Status EventDecoder::Rep::protobuf_body(std::string_view body, const Each& each) {
  if (body.size() > options.body_bytes_max) {
    return Error{ErrorCode::kTooLarge, std::to_string(body.size()) + " bytes, at most " +
                                           std::to_string(options.body_bytes_max)};
  }
  const auto events = count_wire_parts(body, wire::EventBatch::kEventsFieldNumber);
  if (events && *events > options.events_max) return too_many(*events, options.events_max);
  if (!events || !batch.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return Error{ErrorCode::kInvalid, "not a protobuf EventBatch"};
  }
  Interaction event;
  for (size_t i = 0; i < *events; ++i) {
    const Reason reason = from_wire(fields_of(batch.events(static_cast<int>(i))), event);
    each(i, reason, event);
  }
  return {};
}

EventDecoder::EventDecoder(const Options& options) : rep_(std::make_unique<Rep>(options)) {}
EventDecoder::~EventDecoder() = default;
EventDecoder::EventDecoder(EventDecoder&&) noexcept = default;
EventDecoder& EventDecoder::operator=(EventDecoder&&) noexcept = default;

Status EventDecoder::decode_body(BodyFormat format, std::string_view body,
                                 json::FieldErrors& errors, const Each& each) {
  switch (format) {
    case BodyFormat::kJson:
      return rep_->json_body(body, errors, each);
    case BodyFormat::kNdjson:
      return rep_->ndjson_body(body, each);
    case BodyFormat::kProtobuf:
      return rep_->protobuf_body(body, each);
  }
  CHECK(!"a format");
}

Reason EventDecoder::decode_record(const LogRecord& record, Interaction& event) {
  CHECK(is_event(record.content));
  if (record.content == ContentType::kUnknown) return kUnknownContentType;
  if (record.content == ContentType::kNewerSchema) return kUnknownSchemaVersion;
  if (record.value.size() > rep_->options.event_bytes_max) return kTooLarge;
  if (record.content == ContentType::kJson) {
    if (const auto reason = read_plain_event(record.value, event)) return *reason;
    const Result<json::Value> value = rep_->document.parse(record.value);
    return value.ok() ? rep_->from_json(value.value(), event) : kNotJson;
  }
  WireEvent fields;
  return read_wire_event(record.value, fields) ? from_wire(fields, event) : kNotJson;
}

Reason EventDecoder::decode_json(json::Value value, Interaction& event) {
  return rep_->from_json(value, event);
}

const std::map<std::string, uint64_t, std::less<>>& EventDecoder::unknown_fields() const {
  return rep_->unknown;
}

void EventDecoder::clear_unknown_fields() { rep_->unknown.clear(); }

}  // namespace shanhuo
