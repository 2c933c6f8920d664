#include "serving/engine_log.h"

namespace shanhuo {

Result<OpenedLog> open_engine_log(const EngineOptions& options, const Clock& clock) {
  OpenedLog opened;
  if (options.stream_kind == StreamKind::kKafka) {
    auto log = KafkaLog::open(options.kafka);
    if (!log.ok()) return log.error();
    opened.kafka = log.value().get();
    opened.log = std::move(log).value();
    return opened;
  }
  const std::string path = options.data_dir + "/log";
  auto log = EmbeddedLog::open(path, options.log, clock);
  if (!log.ok()) return log.error().within(path);
  opened.embedded = log.value().get();
  opened.log = std::move(log).value();
  return opened;
}

}  // namespace shanhuo
