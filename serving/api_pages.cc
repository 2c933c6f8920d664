// The static pages of web/dist. Only names without a slash or a leading dot are looked up, so no
// path leads out.
#include <fstream>
#include <sstream>

#include "serving/http_api.h"

namespace shanhuo {
namespace {

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "";
}

HttpResponse not_there() {
  return problem(404, "", "no such page; the pages are built by make build");
}

}  // namespace

void HttpApi::page(Call& call) {
  const std::vector<std::string>& path = call.request.segments;
  std::string name = "creator.html";
  if (!path.empty() && path.front() == "static") name = path.size() == 2 ? path[1] : "";
  const std::string_view type = type_of(name);
  const bool safe = !name.empty() && name.front() != '.' && name.find('/') == std::string::npos;
  std::ifstream file;
  if (safe && !type.empty()) file.open(engine_.options().web_dir + "/" + name, std::ios::binary);
  if (!file.is_open()) {
    call.respond(not_there());
    return;
  }
  std::ostringstream text;
  text << file.rdbuf();
  HttpResponse response = json_answer(200, std::move(text).str());
  response.content_type = type;
  response.with("content-security-policy",
                "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
  response.with("x-content-type-options", "nosniff").with("cache-control", "no-cache");
  call.respond(std::move(response));
}

void HttpApi::favicon(Call& call) {
  HttpResponse response = json_answer(204, "");
  response.content_type.clear();
  call.respond(std::move(response));
}

}  // namespace shanhuo
