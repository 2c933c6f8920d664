// Rank requests as protobuf. The first byte chooses the limits (rank_request_checks.h). Holds
// whatever the bytes are: what was refused says why when it is a RankRequest at all, and only then;
// what was taken obeys the contract's bounds, and is taken again with the same meaning when the
// message is written anew; the organic answer to it has every candidate in its place. A decoder is
// used again and again, as a thread's is.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "serving/rank.pb.h"
#include "serving/rank_proto.h"
#include "tests/fuzz/rank_request_checks.h"

namespace shanhuo {
namespace {

void check_same(const RankRequest& one, const RankRequest& other) {
  CHECK(one.request_id == other.request_id && one.user_id == other.user_id);
  CHECK(one.room_id == other.room_id && one.count == other.count && one.now == other.now);
  CHECK(one.candidates.size() == other.candidates.size());
  for (size_t i = 0; i < one.candidates.size(); ++i) {
    CHECK(one.candidates[i].item_id == other.candidates[i].item_id);
    CHECK(one.candidates[i].score == other.candidates[i].score);
  }
}

void check_answer(const RankRequest& request) {
  const Slate slate = organic_slate(request);
  std::string out;
  encode_rank_answer(request, slate, std::vector<std::string>(slate.items.size()), ProgramSet(),
                     RankVersions(), out);
  wire::RankAnswer answer;
  CHECK(answer.ParseFromString(out));
  CHECK(answer.request_id() == request.request_id);
  CHECK(static_cast<size_t>(answer.items_size()) == slate.items.size());
  for (int i = 0; i < answer.items_size(); ++i) {
    const auto& item = slate.items[static_cast<size_t>(i)];
    CHECK(answer.items(i).item_id() == item.item_id);
    CHECK(answer.items(i).position() == i && answer.items(i).score() == item.score);
  }
}

void run(std::string_view input) {
  if (input.empty()) return;
  const RankLimits limits = limits_of(input.front());
  input.remove_prefix(1);
  static RankProtoDecoder decoder;
  RankCall call;
  json::FieldErrors errors;
  const bool taken = decoder.decode(input, limits, call, errors).ok();
  wire::RankRequest message;
  const bool parsed = message.ParseFromArray(input.data(), static_cast<int>(input.size()));
  CHECK(!taken || errors.empty());
  CHECK(parsed || !taken);
  if (!taken) return;
  check_request(call, limits);
  check_answer(call.request);
  const std::string anew = message.SerializeAsString();
  RankProtoDecoder other;
  RankCall again;
  CHECK(other.decode(anew, limits, again, errors).ok() && errors.empty());
  check_same(call.request, again.request);
}

}  // namespace
}  // namespace shanhuo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shanhuo::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
