// `shanhuo replay --from-log`: which log, which part of it, and what becomes of it.
#include "base/clock.h"
#include "serving/api_client.h"
#include "serving/catalogue_lines.h"
#include "serving/http.h"
#include "serving/log_lines.h"
#include "serving/log_source.h"
#include "serving/replay.h"

namespace shanhuo {
namespace {

LogRange range_of(const CliArguments& arguments) {
  LogRange range;
  if (arguments.given("from-offset")) range.from_offset = arguments.integer("from-offset");
  if (arguments.given("to-offset")) range.to_offset = arguments.integer("to-offset");
  if (arguments.given("from-ms")) range.from = Millis(arguments.integer("from-ms"));
  if (arguments.given("to-ms")) range.to = Millis(arguments.integer("to-ms"));
  return range;
}

Result<ReplaySummary> replay_events(EventLog& log, const ReplayOptions& options,
                                    const CliArguments& arguments) {
  const auto lines = LogLines::open(log, range_of(arguments));
  if (!lines.ok()) return lines.error();
  Result<ReplaySummary> done = replay(*lines.value(), options, arguments);
  if (done.ok()) {
    done.value().left_out["forgotten"] = lines.value()->forgotten();
    done.value().left_out["undecodable"] = lines.value()->undecodable();
  }
  return done;
}

Status block(const std::vector<std::pair<BlockKind, std::string>>& blocks,
             const ReplayOptions& options, const CliArguments& arguments, ReplaySummary& summary) {
  if (blocks.empty()) return {};
  Result<ApiClient> client = ApiClient::open(arguments);
  if (!client.ok()) return client.error();
  for (const auto& [kind, id] : blocks) {
    const std::string target =
        "/v1/blocks/" + std::string(block_kind_name(kind)) + "/" + percent_encode(id);
    const Result<std::string> done =
        client.value().call_patiently("PUT", target, "", kJsonType, options.patience);
    if (!done.ok()) return done.error().within(target);
    ++summary.lines;
    ++summary.accepted;
  }
  return {};
}

// Creators first, so that no item is there without its groups; blocks last, when what they name is.
Result<ReplaySummary> replay_catalogue(EventLog& log, const ReplayOptions& options,
                                       const CliArguments& arguments) {
  const Result<CatalogueLines> catalogue = read_catalogue_lines(log, range_of(arguments));
  if (!catalogue.ok()) return catalogue.error();
  ReplaySummary total;
  for (const auto* const lines : {&catalogue.value().creators, &catalogue.value().items}) {
    if (lines->empty()) continue;
    MemoryLines source(*lines);
    const Result<ReplaySummary> done = replay(source, options, arguments);
    if (!done.ok()) return done.error();
    total.lines += done.value().lines;
    total.accepted += done.value().accepted;
    total.rejected += done.value().rejected;
    total.retries += done.value().retries;
    total.seconds += done.value().seconds;
    total.reasons.insert(done.value().reasons.begin(), done.value().reasons.end());
  }
  const Status blocked = block(catalogue.value().blocks, options, arguments, total);
  if (!blocked.ok()) return blocked.error();
  total.left_out["deleted"] = catalogue.value().deleted;
  total.left_out["undecodable"] = catalogue.value().undecodable;
  total.left_out["dropped_by_retention"] = catalogue.value().dropped;
  return total;
}

}  // namespace

Result<ReplaySummary> replay_log(const std::string& from, const ReplayOptions& options,
                                 const CliArguments& arguments) {
  const WallClock clock;
  const auto log = open_log_source(from, clock, arguments);
  if (!log.ok()) return log.error();
  return arguments.text("topic") == "items" ? replay_catalogue(*log.value(), options, arguments)
                                            : replay_events(*log.value(), options, arguments);
}

}  // namespace shanhuo
