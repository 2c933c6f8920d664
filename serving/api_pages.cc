// The static pages of web/dist.
#include "serving/http_api.h"

namespace shanhuo {

void HttpApi::page(Call& call) {
  const std::vector<std::string>& path = call.request.segments;
  std::string name = "creator.html";
  if (path.size() == 2) {
    name = path[0] + "/" + path[1];  // static/NAME
  } else if (path.size() == 1) {
    name = path[0] + ".html";
  } else if (path.size() > 2) {
    name.clear();
  }
  std::optional<HttpResponse> found = pages_.answer(name, call.request);
  call.respond(found ? std::move(*found)
                     : problem(404, "", "no such page; the pages are built by make build"));
}

void HttpApi::favicon(Call& call) {
  HttpResponse response = json_answer(204, "");
  response.content_type.clear();
  call.respond(std::move(response));
}

}  // namespace shanhuo
