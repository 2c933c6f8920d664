// POST /v1/rank as protobuf (serving/rank.proto): the values, checks and pointers of its JSON form
// (rank_codec.h). Fields that the schema lacks are skipped, so that newer callers may send more; a
// scalar given twice counts as last given, as protobuf has it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serving/rank_codec.h"
#include "streaming/json.h"

namespace shanhuo {

// Reuses its buffers; one per thread. Views in the RankCall are valid until the next decode().
class RankProtoDecoder {
 public:
  RankProtoDecoder();
  ~RankProtoDecoder();

  // kInvalid, with `errors` empty when the body is no RankRequest at all (text that is not UTF-8
  // included), otherwise saying what is wrong. Lists above candidates_max are refused unread, so
  // that memory stays below some twenty times the body.
  Status decode(std::string_view body, const RankLimits& limits, RankCall& call,
                json::FieldErrors& errors);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// Replaces `out` with the answer as RankAnswer: what write_rank_answer() says in JSON, the same
// bytes for the same answer.
void encode_rank_answer(const RankRequest& request, const Slate& slate,
                        const std::vector<std::string>& tokens, const ProgramSet& programs,
                        const RankVersions& versions, std::string& out,
                        std::span<const ShownExperiment> experiments = {});

}  // namespace shanhuo
