// POST /v1/events: decode, append, answer when durable.
#include <memory>

#include "serving/http_api.h"

namespace shanhuo {
namespace {

// The encoded events of one call, end to end, and what was refused.
struct Accepted {
  std::string bytes;
  std::vector<std::pair<std::string, size_t>> users_and_ends;  // key, end of its value in bytes
  std::vector<std::pair<size_t, std::string_view>> rejected;

  std::vector<AppendRecord> records() const {
    std::vector<AppendRecord> records;
    records.reserve(users_and_ends.size());
    size_t begin = 0;
    for (const auto& [user, end] : users_and_ends) {
      records.push_back(
          {user, std::string_view(bytes).substr(begin, end - begin), ContentType::kProtobuf});
      begin = end;
    }
    return records;
  }

  std::string answer() const {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.field("accepted", users_and_ends.size());
    json.key("rejected");
    json.begin_array();
    for (const auto& [index, reason] : rejected) {
      json.begin_object();
      json.field("index", index);
      json.field("reason", reason);
      json.end_object();
    }
    json.end_array();
    json.end_object();
    return out;
  }
};

BodyFormat format_of(const HttpRequest& request) {
  if (request.content_type == "application/x-ndjson") return BodyFormat::kNdjson;
  if (request.content_type == "application/x-protobuf") return BodyFormat::kProtobuf;
  return BodyFormat::kJson;
}

}  // namespace

void HttpApi::post_events(Call& call) {
  const auto decoder = decoders_.take();
  auto batch = std::make_shared<Accepted>();
  json::FieldErrors errors;
  std::string encoded;
  const auto take = [&](size_t index, Reason reason, const Interaction& event) {
    if (!reason.empty()) {
      batch->rejected.emplace_back(index, reason);
      return;
    }
    encode_event(event, encoded);
    batch->bytes += encoded;
    batch->users_and_ends.emplace_back(event.user_id, batch->bytes.size());
  };
  const Status decoded =
      decoder->decode_body(format_of(call.request), call.request.body, errors, take);
  if (!decoded.ok()) {
    const bool syntax = errors.empty() && decoded.error().code == ErrorCode::kInvalid;
    call.respond(syntax           ? problem(400, "", decoded.error().message)
                 : errors.empty() ? problem(decoded.error())
                                  : unprocessable(errors));
    return;
  }
  Metrics& metrics = engine_.metrics();
  for (const auto& [name, count] : decoder->unknown_fields()) {
    metrics.event_unknown_fields.at(name).add(count);
  }
  decoder->clear_unknown_fields();
  metrics.events_rejected.add(batch->rejected.size());
  if (batch->users_and_ends.empty()) {
    call.respond(json_answer(202, batch->answer()));
    return;
  }
  const std::vector<AppendRecord> records = batch->records();
  engine_.append_events(
      records, [batch, respond = call.respond, &metrics](const Result<Appended>& appended) {
        if (!appended.ok()) {
          respond(problem(appended.error()));
          return;
        }
        metrics.events_accepted.add(batch->users_and_ends.size());
        respond(json_answer(202, batch->answer()));
      });
}

}  // namespace shanhuo
