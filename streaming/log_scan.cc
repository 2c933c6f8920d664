#include "streaming/log_scan.h"

#include <vector>

namespace shanhuo {
namespace {

constexpr size_t kPollRecords = 1'024;
constexpr int kPollMs = 100;
constexpr int kSilentPollsMax = 100;

}  // namespace

Status scan_to(LogReader& reader, uint32_t partition, int64_t end,
               const std::function<Status(const LogRecord&)>& each) {
  std::vector<LogRecord> records;
  for (int silent = 0; reader.position(partition) < end; ++silent) {
    const int64_t before = reader.position(partition);
    const Status polled = reader.poll(kPollRecords, kPollMs, records);
    if (!polled.ok() && polled.error().code != ErrorCode::kIo) return polled;
    for (const LogRecord& record : records) {
      if (record.offset >= end) return {};
      const Status taken = each(record);
      if (!taken.ok()) return taken;
    }
    if (reader.position(partition) > before) silent = -1;
    if (silent < kSilentPollsMax) continue;
    return polled.ok() ? Error{ErrorCode::kIo, "the log does not answer"} : polled.error();
  }
  return {};
}

}  // namespace shanhuo
