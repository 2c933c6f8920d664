#include "serving/log_source.h"

#include <filesystem>
#include <limits>

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
               "an engine is running on it; stop it, or read a backup of it (shanhuo backup "
               "DIR): " +
                   log.error().message};
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

}  // namespace

Result<std::unique_ptr<EventLog>> open_log_source(const std::string& from, const Clock& clock,
                                                  const CliArguments& arguments) {
  if (from == "kafka") return open_topics(arguments);
  auto log = open_log(from, clock);
  if (!log.ok()) return log.error();
  return std::unique_ptr<EventLog>(std::move(log).value());
}

}  // namespace shanhuo
