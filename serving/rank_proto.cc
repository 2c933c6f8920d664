// A parsed list element takes thirty times its smallest encoding, so lists are counted on the wire
// before anything is made of them. The message then lives in an arena, whose first block stays and
// holds an ordinary request.
#include "serving/rank_proto.h"

#include <google/protobuf/arena.h>

#include "serving/rank.pb.h"
#include "serving/rank_checks.h"
#include "streaming/codec_wire.h"

namespace shanhuo {
namespace {

using json::FieldErrors;
using json::Pointer;
using Request = wire::RankRequest;

constexpr size_t kFirstBlockBytes = 64u << 10;

struct ListSizes {
  size_t candidates = 0;
  size_t lineup = 0;
};

bool count_lists(std::string_view body, ListSizes& sizes) {
  const auto in_room = [&](int number, std::string_view) {
    sizes.lineup += number == Request::Room::kLineupFieldNumber ? 1 : 0;
    return true;
  };
  return each_wire_part(body, [&](int number, std::string_view content) {
    sizes.candidates += number == Request::kCandidatesFieldNumber ? 1 : 0;
    return number != Request::kRoomFieldNumber || each_wire_part(content, in_room);
  });
}

std::optional<std::string_view> text_if(bool present, const std::string& text) {
  return present ? std::optional<std::string_view>(text) : std::nullopt;
}

template <typename T>
std::optional<T> value_if(bool present, T value) {
  return present ? std::optional<T>(value) : std::nullopt;
}

void read_candidates(const Request& wire, const RankLimits& limits, const Pointer& at,
                     std::vector<RankCandidate>& out, FieldErrors& errors) {
  out.reserve(static_cast<size_t>(wire.candidates_size()));
  for (const Request::Candidate& from : wire.candidates()) {
    rank_checks::take_candidate(text_if(from.has_item_id(), from.item_id()),
                                value_if(from.has_score(), from.score()), limits,
                                Pointer(at, out.size()), out, errors);
  }
  rank_checks::check_distinct(out, at, "item_id", errors);
}

void read_context(const Request::Context& wire, json::Document& document, const Pointer& at,
                  RankRequest& request, FieldErrors& errors) {
  rank_checks::take_context(text_if(wire.has_city(), wire.city()),
                            value_if(wire.has_personalized(), wire.personalized()), at, request,
                            errors);
  if (wire.has_place()) {
    const Request::Place& place = wire.place();
    rank_checks::take_place(value_if(place.has_lat(), place.lat()),
                            value_if(place.has_lon(), place.lon()), Pointer(at, "place"), request,
                            errors);
  }
  if (!wire.has_attributes()) return;
  const Pointer attributes(at, "attributes");
  const Result<json::Value> parsed = document.parse(wire.attributes());
  if (parsed.ok()) {
    rank_checks::take_attributes(parsed.value(), attributes, request, errors);
  } else {
    errors.add(attributes, parsed.error().message);
  }
}

void read_room(const Request::Room& wire, const Pointer& at, RankCall& call, FieldErrors& errors) {
  call.request.room_id =
      json::id_of(text_if(wire.has_room_id(), wire.room_id()), Pointer(at, "room_id"), errors)
          .value_or("");
  const Pointer lineup(at, "lineup");
  std::vector<RankCandidate> list;
  list.reserve(static_cast<size_t>(wire.lineup_size()));
  for (const std::string& id : wire.lineup()) {
    const auto taken = json::id_of(text_if(true, id), Pointer(lineup, list.size()), errors);
    list.push_back({taken.value_or(""), 0});
  }
  rank_checks::take_lineup(std::move(list), lineup, call, errors);
}

void write_item(const SlateItem& item, size_t position, const std::string& token,
                const ProgramSet& programs, wire::RankAnswer::Item& out) {
  out.set_item_id(item.item_id);
  out.set_position(static_cast<int32_t>(position));
  out.set_source(std::string(item_source_name(item.source)));
  out.set_score(item.score);
  for (const int program : item.programs) {
    out.add_programs(programs.programs[static_cast<size_t>(program)]->id.str());
  }
  if (const auto label = shown_label(item, programs)) {
    out.mutable_label()->set_kind(std::string(label->kind));
    out.mutable_label()->set_text(std::string(label->text));
  }
  out.set_token(token);
  if (item.hold.count() > 0) out.set_hold_ms(item.hold.count());
  if (!item.reason_code.empty()) {
    out.mutable_reason()->set_code(std::string(item.reason_code));
    out.mutable_reason()->set_text(item.reason_text);
  }
}

}  // namespace

struct RankProtoDecoder::Rep {
  std::unique_ptr<char[]> first_block{new char[kFirstBlockBytes]};
  google::protobuf::Arena arena{first_block.get(), kFirstBlockBytes};
  json::Document attributes;
};

RankProtoDecoder::RankProtoDecoder() : rep_(std::make_unique<Rep>()) {}
RankProtoDecoder::~RankProtoDecoder() = default;

Status RankProtoDecoder::decode(std::string_view body, const RankLimits& limits, RankCall& call,
                                FieldErrors& errors) {
  const Error not_one{ErrorCode::kInvalid, "not a protobuf RankRequest"};
  const Pointer root, candidates(root, "candidates"), room(root, "room"), lineup(room, "lineup");
  ListSizes sizes;
  if (!count_lists(body, sizes)) return not_one;
  const bool candidates_fit =
      json::is_array_of(sizes.candidates, limits.candidates_max, candidates, errors);
  const bool lineup_fits = json::is_array_of(sizes.lineup, limits.candidates_max, lineup, errors);
  if (!candidates_fit || !lineup_fits) return errors.as_error();

  rep_->arena.Reset();
  Request& wire = *google::protobuf::Arena::CreateMessage<Request>(&rep_->arena);
  if (!wire.ParseFromArray(body.data(), static_cast<int>(body.size()))) return not_one;
  call.format = RankFormat::kProtobuf;
  RankRequest& request = call.request;
  rank_checks::take_names(text_if(wire.has_request_id(), wire.request_id()),
                          text_if(wire.has_surface(), wire.surface()), request, errors);
  read_candidates(wire, limits, candidates, request.candidates, errors);
  if (wire.has_context()) {
    read_context(wire.context(), rep_->attributes, Pointer(root, "context"), request, errors);
  }
  if (wire.has_room()) read_room(wire.room(), room, call, errors);
  rank_checks::take_user_and_count(text_if(wire.has_user_id(), wire.user_id()),
                                   value_if(wire.has_count(), wire.count()), request, errors);
  rank_checks::take_times(value_if(wire.has_now_ms(), wire.now_ms()),
                          value_if(wire.has_timeout_ms(), wire.timeout_ms()),
                          value_if(wire.has_explain(), wire.explain()), limits, call, errors);
  if (!errors.empty()) return errors.as_error();
  return {};
}

void encode_rank_answer(const RankRequest& request, const Slate& slate,
                        const std::vector<std::string>& tokens, const ProgramSet& programs,
                        const RankVersions& versions, std::string& out,
                        std::span<const ShownExperiment> experiments) {
  google::protobuf::Arena arena;
  auto& wire = *google::protobuf::Arena::CreateMessage<wire::RankAnswer>(&arena);
  wire.set_request_id(std::string(request.request_id));
  for (size_t i = 0; i < slate.items.size(); ++i) {
    write_item(slate.items[i], i, tokens[i], programs, *wire.add_items());
  }
  for (const ShownExperiment& each : experiments) {
    wire::RankAnswer::Experiment& shown = *wire.add_experiments();
    shown.set_experiment(std::string(each.experiment));
    shown.set_variation(std::string(each.variation));
    shown.set_in_experiment(each.in);
    shown.set_reason(std::string(each.reason));
  }
  for (const std::string_view stage : slate.degraded) wire.add_degraded(std::string(stage));
  wire::RankAnswer::Versions& to = *wire.mutable_versions();
  to.set_catalogue(std::to_string(versions.catalogue));
  to.set_model(std::string(versions.model));
  to.set_programs(std::string(versions.programs));
  to.set_prices(std::to_string(versions.prices));
  to.set_experiments(std::string(versions.experiments));
  wire.SerializeToString(&out);
}

}  // namespace shanhuo
