// /v1/session: people sign in to the pages with a token, and out again.
#include <array>
#include <string>

#include "serving/http_api.h"

namespace shanhuo {
namespace {

// `session`: of the cookie; nullptr: the caller has a token, or needs none.
std::string as_json(const Principal& principal, const Session* session) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("role", role_name(principal.role));
  json.field("name", principal.caller);
  if (principal.role == Role::kCreator) json.field("creator_id", principal.creator_id);
  if (session != nullptr) {
    json.field("until_ms", session->until.count());
    json.field("csrf", session->csrf);
  }
  json.end_object();
  return out;
}

}  // namespace

void HttpApi::post_session(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> body = parse(call, *document);
  if (!body) return;
  constexpr std::array<std::string_view, 1> kNames = {"token"};
  std::array<json::Value, 1> values;
  json::FieldErrors errors;
  const json::Pointer root, token_at(root, kNames[0]);
  std::string token;
  if (json::read_fields(*body, kNames, values, root, errors)) {
    token = json::id_of(values[0], token_at, errors).value_or("");
  }
  if (errors.count() > 0) return call.respond(unprocessable(errors));
  const std::optional<SignedIn> signed_in = access_.sign_in(token);
  if (!signed_in) return call.respond(problem(401, "", "unknown or expired token"));
  const NewSession* const made = signed_in->session ? &*signed_in->session : nullptr;
  HttpResponse response =
      json_answer(200, as_json(signed_in->principal, made != nullptr ? &made->session : nullptr));
  if (made != nullptr) {
    response.with("set-cookie",
                  access_.session_cookie(call.request, made->cookie, made->session.until));
  }
  call.respond(std::move(response.with("cache-control", "no-store")));
}

void HttpApi::get_session(Call& call) {
  const std::optional<Session> session = access_.session_of(call.request);
  HttpResponse response = json_answer(
      200, as_json(call.principal,
                   call.request.header("authorization").empty() && session ? &*session : nullptr));
  call.respond(std::move(response.with("cache-control", "no-store")));
}

void HttpApi::delete_session(Call& call) {
  access_.sign_out(call.request);
  HttpResponse response = json_answer(204, "");
  response.content_type.clear();
  call.respond(
      std::move(response.with("set-cookie", access_.session_cookie(call.request, "", Millis(0)))));
}

}  // namespace shanhuo
