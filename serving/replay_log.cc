// `shanhuo replay --from-log`: which log, which part of it, and what becomes of it.
#include <filesystem>
#include <limits>

#include "base/clock.h"
#include "serving/api_client.h"
#include "serving/catalogue_lines.h"
#include "serving/http.h"
#include "serving/log_lines.h"
#include "serving/replay.h"
#include "serving/serve.h"
#include "streaming/embedded_log.h"
#include "streaming/kafka_log.h"

namespace shanhuo {
namespace {

// The log of a data folder or of a backup; nobody else may have it open.
Result<std::unique_ptr<EmbeddedLog>> open_log(const std::string& folder, const Clock& clock) {
  const std::string path = folder + "/log";
  std::error_code error;
  if (!std::filesystem::is_regular_file(path + "/CURRENT", error)) {
    return Error{ErrorCode::kNotFound, "is no data folder and no backup: log/ is missing"};
  }
  EmbeddedLogOptions options;
  options.retention_h = std::numeric_limits<int32_t>::max();  // looking drops nothing
  Result<std::unique_ptr<EmbeddedLog>> log = EmbeddedLog::open(path, options, clock);
  if (log.ok() || log.error().code != ErrorCode::kConflict) return log;
  return Error{ErrorCode::kConflict,
               "an engine is running on it; stop it, or replay from a backup of it (shanhuo backup "
               "DIR): " +
                   log.error().message};
}

LogRange range_of(const CliArguments& arguments) {
  LogRange range;
  if (arguments.given("from-offset")) range.from_offset = arguments.integer("from-offset");
  if (arguments.given("to-offset")) range.to_offset = arguments.integer("to-offset");
  if (arguments.given("from-ms")) range.from = Millis(arguments.integer("from-ms"));
  if (arguments.given("to-ms")) range.to = Millis(arguments.integer("to-ms"));
  return range;
}

// The cluster that the configuration names; an engine may run on it.
Result<std::unique_ptr<EventLog>> open_topics(const CliArguments& arguments) {
  ConfigErrors errors;
  const EngineOptions options = read_options(arguments, errors);
  if (!errors.empty()) return Error{ErrorCode::kInvalid, errors.front().to_string()};
  auto log = KafkaLog::open(options.kafka);
  if (!log.ok()) return log.error();
  return std::unique_ptr<EventLog>(std::move(log).value());
}

Result<std::unique_ptr<EventLog>> open_source(const std::string& from, const Clock& clock,
                                              const CliArguments& arguments) {
  if (from == "kafka") return open_topics(arguments);
  auto log = open_log(from, clock);
  if (!log.ok()) return log.error();
  return std::unique_ptr<EventLog>(std::move(log).value());
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
  const auto log = open_source(from, clock, arguments);
  if (!log.ok()) return log.error();
  return arguments.text("topic") == "items" ? replay_catalogue(*log.value(), options, arguments)
                                            : replay_events(*log.value(), options, arguments);
}

}  // namespace shanhuo
