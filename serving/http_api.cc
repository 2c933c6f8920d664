#include "serving/http_api.h"

#include <array>
#include <memory>
#include <utility>

namespace shanhuo {
namespace {

constexpr int kWorkerThreads = 2;
constexpr size_t kWorkerQueueMax = 256;

using Route = HttpApi::Route;
using enum RouteClass;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  if (segments.size() == 1 && segments.front().empty()) segments.clear();
  return segments;
}

// The route's path, taken apart once.
struct Pattern {
  const Route* route;
  std::vector<std::string_view> segments;

  bool matches(const std::vector<std::string>& path, std::vector<std::string>& arguments) const {
    arguments.clear();
    const bool open_end = !segments.empty() && segments.back() == "*";
    if (open_end ? path.size() < segments.size() : path.size() != segments.size()) return false;
    for (size_t i = 0; i < segments.size(); ++i) {
      if (segments[i] == "*") {
        arguments.push_back(path[i]);
      } else if (segments[i].starts_with('{')) {
        const std::string_view verb = segments[i].substr(segments[i].find('}') + 1);  // ":approve"
        if (!path[i].ends_with(verb) || path[i].size() == verb.size()) return false;
        arguments.push_back(path[i].substr(0, path[i].size() - verb.size()));
      } else if (segments[i] != path[i]) {
        return false;
      }
    }
    return true;
  }
};

}  // namespace

struct HttpApi::Table {
  static constexpr std::array kRoutes = {
      Route{"POST", "/v1/rank", kFeed, false, &HttpApi::rank},
      Route{"POST", "/v1/events", kIngest, false, &HttpApi::post_events},
      Route{"PUT", "/v1/items", kIngest, true, &HttpApi::put_items},
      Route{"GET", "/v1/items/{id}", kIngest, true, &HttpApi::get_item},
      Route{"PATCH", "/v1/items/{id}", kIngest, true, &HttpApi::patch_item},
      Route{"DELETE", "/v1/items/{id}", kIngest, true, &HttpApi::delete_item},
      Route{"PUT", "/v1/creators", kIngest, true, &HttpApi::put_creators},
      Route{"GET", "/v1/creators/{id}", kIngest, true, &HttpApi::get_creator},
      Route{"GET", "/v1/creators/{id}/exposure", kExposure, true, &HttpApi::get_exposure},
      Route{"PUT", "/v1/blocks/{kind}/{id}", kOperate, true, &HttpApi::put_block},
      Route{"DELETE", "/v1/blocks/{kind}/{id}", kOperate, true, &HttpApi::delete_block},
      Route{"GET", "/v1/programs", kOperate, false, &HttpApi::list_programs},
      Route{"GET", "/v1/programs/{id}", kOperate, true, &HttpApi::get_program},
      Route{"PUT", "/v1/programs/{id}", kOperate, true, &HttpApi::put_program},
      Route{"POST", "/v1/programs:validate", kOperate, true, &HttpApi::validate_program},
      Route{"GET", "/v1/programs/{id}/board", kOperate, true, &HttpApi::get_board},
      Route{"GET", "/v1/programs/{id}/forecast", kOperate, true, &HttpApi::get_forecast},
      Route{"PATCH", "/v1/programs/{id}", kOperate, true, &HttpApi::patch_program},
      Route{"DELETE", "/v1/programs/{id}", kOperate, true, &HttpApi::delete_program},
      Route{"GET", "/v1/experiments", kOperate, false, &HttpApi::list_experiments},
      Route{"POST", "/v1/experiments:why", kOperate, true, &HttpApi::assign},
      Route{"PUT", "/v1/experiments/{id}", kOperate, true, &HttpApi::put_experiment},
      Route{"GET", "/v1/experiments/{id}", kOperate, true, &HttpApi::get_experiment},
      Route{"PATCH", "/v1/experiments/{id}", kOperate, true, &HttpApi::patch_experiment},
      Route{"DELETE", "/v1/experiments/{id}", kOperate, true, &HttpApi::delete_experiment},
      Route{"GET", "/v1/experiments/{id}/history", kOperate, true,
            &HttpApi::get_experiment_history},
      Route{"GET", "/v1/experiments/{id}/results", kOperate, true,
            &HttpApi::get_experiment_results},
      Route{"POST", "/v1/experiments/{id}/revert", kOperate, true, &HttpApi::revert_experiment},
      Route{"POST", "/v1/experiments/{id}:approve", kOperate, true, &HttpApi::approve_experiment},
      Route{"POST", "/v1/experiments/{id}:dry_run", kOperate, true, &HttpApi::dry_run_experiment},
      Route{"POST", "/v1/programs/{id}:dry_run", kOperate, true, &HttpApi::dry_run_program},
      Route{"POST", "/v1/assign", kFeed, false, &HttpApi::assign},
      Route{"GET", "/api/features/{client_key}", kOpen, false, &HttpApi::sdk_features},
      Route{"GET", "/v1/models", kOperate, true, &HttpApi::list_models},
      Route{"PUT", "/v1/models/current", kOperate, true, &HttpApi::put_model},
      Route{"GET", "/v1/audit", kOperate, true, &HttpApi::get_audit},
      Route{"GET", "/v1/boosting", kOperate, true, &HttpApi::get_boosting},
      Route{"PUT", "/v1/boosting", kOperate, true, &HttpApi::put_boosting},
      Route{"GET", "/v1/parameters", kOperate, false, &HttpApi::list_parameters},
      Route{"GET", "/v1/stats", kOperate, false, &HttpApi::stats},
      Route{"GET", "/metrics", kOperate, false, &HttpApi::metrics},
      Route{"GET", "/v1/impact", kOperate, true, &HttpApi::get_impact},
      Route{"GET", "/v1/causes", kOperate, true, &HttpApi::list_causes},
      Route{"POST", "/v1/causes/{id}/pledges", kOperate, true, &HttpApi::post_pledge},
      Route{"GET", "/v1/ledger", kOperate, true, &HttpApi::get_ledger},
      Route{"GET", "/v1/ledger/{entry}/proof", kOperate, true, &HttpApi::get_proof},
      Route{"GET", "/v1/users/{id}/points", kAdmin, true, &HttpApi::get_points},
      Route{"GET", "/v1/users/{id}", kAdmin, true, &HttpApi::get_user},
      Route{"DELETE", "/v1/users/{id}", kAdmin, true, &HttpApi::delete_user},
      Route{"POST", "/v1/backups", kAdmin, true, &HttpApi::post_backup},
      Route{"POST", "/v1/session", kOpen, false, &HttpApi::post_session},
      Route{"GET", "/v1/session", kSelf, false, &HttpApi::get_session},
      Route{"DELETE", "/v1/session", kSelf, false, &HttpApi::delete_session},
      Route{"GET", "/healthz", kOpen, false, &HttpApi::healthz},
      Route{"GET", "/readyz", kOpen, false, &HttpApi::readyz},
      Route{"GET", "/version", kOpen, false, &HttpApi::version},
      Route{"GET", "/openapi.json", kOpen, false, &HttpApi::openapi},
      Route{"GET", "/", kOpen, false, &HttpApi::page},
      Route{"GET", "/creator", kOpen, false, &HttpApi::page},
      Route{"GET", "/operate", kOpen, false, &HttpApi::page},
      Route{"GET", "/impact", kOpen, false, &HttpApi::page},
      Route{"GET", "/sign-in", kOpen, false, &HttpApi::page},
      Route{"GET", "/static/*", kOpen, false, &HttpApi::page},
      Route{"GET", "/favicon.ico", kOpen, false, &HttpApi::favicon},
  };
};

std::span<const Route> HttpApi::routes() { return Table::kRoutes; }

HttpApi::HttpApi(Engine& engine, const Access& access)
    : engine_(engine),
      access_(access),
      pages_(PageFiles::load(engine.options().web_dir)),
      decoders_([&engine] {
        EventDecoderOptions options;
        options.body_bytes_max = static_cast<size_t>(engine.options().http.body_bytes_max);
        options.events_max = static_cast<size_t>(engine.options().api.events_max);
        return std::make_unique<EventDecoder>(options);
      }),
      documents_([&engine] {
        json::DocumentOptions options;
        options.bytes_max = static_cast<size_t>(engine.options().http.body_bytes_max);
        return std::make_unique<json::Document>(options);
      }),
      rank_decoders_([] { return std::make_unique<RankProtoDecoder>(); }),
      worker_(kWorkerThreads, kWorkerQueueMax) {}

void HttpApi::handle(HttpRequest&& request, Responder respond) {
  static const std::vector<Pattern> kPatterns = [] {
    std::vector<Pattern> all;
    for (const Route& route : routes()) all.push_back({&route, split(route.path)});
    return all;
  }();
  auto call = std::make_shared<Call>(Call{std::move(request), std::move(respond), {}, {}});
  std::string allowed;
  for (const Pattern& pattern : kPatterns) {
    if (!pattern.matches(call->request.segments, call->arguments)) continue;
    const Route& route = *pattern.route;
    if (route.method != call->request.method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
      continue;
    }
    if (auto refused = access_.admit(call->request, route.access, call->principal)) {
      call->respond(std::move(*refused));
    } else if (!route.waits) {
      (this->*route.handler)(*call);
    } else if (!worker_.post([this, call, &route] { (this->*route.handler)(*call); })) {
      call->respond(problem(503, "", "too many requests wait already").with("retry-after", "1"));
    }
    return;
  }
  if (allowed.empty()) {
    call->respond(problem(404, "", "no such path; see /openapi.json"));
    return;
  }
  HttpResponse refused = problem(405, "Method Not Allowed", "allowed here: " + allowed);
  call->respond(std::move(refused.with("allow", allowed)));
}

std::optional<json::Value> HttpApi::parse(Call& call, json::Document& document) {
  Result<json::Value> body = document.parse(call.request.body);
  if (body.ok()) return body.value();
  const int status = body.error().code == ErrorCode::kTooLarge ? 413 : 400;
  call.respond(problem(status, "", body.error().message));
  return std::nullopt;
}

HttpResponse unprocessable(const json::FieldErrors& errors) {
  std::vector<FieldError> fields;
  for (const json::FieldError& error : errors.list())
    fields.push_back({error.pointer, error.detail});
  return problem(422, "",
                 std::to_string(errors.count()) +
                     (errors.count() == 1 ? " field is wrong" : " fields are wrong"),
                 fields);
}

HttpResponse json_answer(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

}  // namespace shanhuo
