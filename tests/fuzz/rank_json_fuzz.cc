// Rank requests. The first byte chooses the limits (rank_request_checks.h). Holds whatever the
// bytes are: false exactly when there are errors; what was taken obeys the contract's bounds; the
// organic answer to it is JSON with every candidate in its place.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/fuzz/rank_request_checks.h"

namespace shanhuo {
namespace {

void check_answer(const RankRequest& request) {
  const Slate slate = organic_slate(request);
  std::string out;
  JsonWriter json(out);
  write_rank_answer(json, request, slate, std::vector<std::string>(slate.items.size()),
                    ProgramSet(), RankVersions());
  json::Document document;
  const Result<json::Value> answer = document.parse(out);
  CHECK(answer.ok());
  std::string_view id;
  CHECK(answer.value().find("request_id").get(id) && id == request.request_id);
  CHECK(answer.value().find("items").size() == slate.items.size());
  size_t position = 0;
  for (const json::Value item : answer.value().find("items").elements()) {
    CHECK(item.find("item_id").get(id) && id == slate.items[position].item_id);
    double score = 0;
    CHECK(item.find("score").get(score) && score == slate.items[position].score);
    ++position;
  }
}

void run(std::string_view input) {
  if (input.empty()) return;
  const RankLimits limits = limits_of(input.front());
  json::Document document;
  const Result<json::Value> body = document.parse(input.substr(1));
  if (!body.ok()) return;
  RankCall call;
  json::FieldErrors errors;
  const bool taken = decode_rank_call(body.value(), limits, call, errors);
  CHECK(taken == errors.empty());
  if (!taken) return;
  check_request(call, limits);
  check_answer(call.request);
}

}  // namespace
}  // namespace shanhuo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shanhuo::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
