// The engine's log by `stream.kind`: the embedded one in data_dir/log, or a Kafka cluster. Whoever
// opened it works with the interface; the two pointers are for what only one kind can do.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "configs/engine_options.h"
#include "streaming/embedded_log.h"
#include "streaming/kafka_log.h"

namespace shanhuo {

struct OpenedLog {
  std::unique_ptr<EventLog> log;
  EmbeddedLog* embedded = nullptr;  // one of the two; owned by `log`
  KafkaLog* kafka = nullptr;

  EventLog* operator->() const { return log.get(); }
  EventLog& operator*() const { return *log; }
};

// `clock` must outlive the log.
Result<OpenedLog> open_engine_log(const EngineOptions& options, const Clock& clock);

}  // namespace shanhuo
