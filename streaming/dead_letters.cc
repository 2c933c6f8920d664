#include "streaming/dead_letters.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "streaming/log_scan.h"

namespace shanhuo {
namespace {

constexpr uint32_t kPartition = 0;  // letters are few; one partition keeps them in one order
constexpr int64_t kRetryNs = 100'000'000;

}  // namespace

DeadLetters::DeadLetters(EventLog& log, const Clock& clock)
    : log_(log), clock_(clock), outbox_(std::make_shared<Outbox>()) {}
DeadLetters::~DeadLetters() = default;

Status DeadLetters::resume(int64_t offset, const ToCome& to_come) {
  const int64_t end = log_.end_offset(Topic::kDeadLetters, kPartition);
  auto reader = log_.read(Topic::kDeadLetters, {{kPartition, offset}});
  if (!reader.ok()) return reader.error();
  const Status read =
      scan_to(*reader.value(), kPartition, end, [&](const LogRecord& record) -> Status {
        const Result<DeadLetter> letter = decode_dead_letter(record.value);
        if (!letter.ok()) return {};  // somebody else's
        const auto& [source, partition, at] =
            std::tie(letter.value().source, letter.value().partition, letter.value().offset);
        if (to_come(source, partition, at)) known_.emplace(record.key, record.offset);
        return {};
      });
  // Dropped by retention: as old as that, nobody misses them.
  return !read.ok() && read.error().code == ErrorCode::kNotFound ? Status() : read;
}

int64_t DeadLetters::resume_offset() const {
  int64_t offset = log_.end_offset(Topic::kDeadLetters, kPartition);
  for (const auto& [key, known] : known_) offset = std::min(offset, known);
  return offset;
}

void DeadLetters::add(Topic source, const LogRecord& record, DeadReason reason) {
  std::string key = std::string(topic_name(source)) + "/" + std::to_string(record.partition) + "/" +
                    std::to_string(record.offset);
  if (known_.erase(key) > 0) return;
  const DeadLetter letter{
      std::string(reason), source,         record.partition,        record.offset,
      record.accepted_at,  record.content, std::string(record.key), std::string(record.value)};
  Letter& added = added_.emplace_back();
  added.key = std::move(key);
  encode_dead_letter(letter, added.value);
}

void DeadLetters::flush() {
  std::vector<std::pair<uint64_t, Letters>> to_send;
  {
    const std::lock_guard lock(outbox_->mutex);
    if (!outbox_->refused.empty() && clock_.monotonic_ns() - last_retry_ns_ >= kRetryNs) {
      last_retry_ns_ = clock_.monotonic_ns();
      for (const uint64_t number : std::exchange(outbox_->refused, {})) {
        to_send.emplace_back(number, outbox_->unwritten.at(number));
      }
    }
    if (!added_.empty()) {
      const uint64_t number = next_++;
      auto letters = std::make_shared<const std::vector<Letter>>(std::exchange(added_, {}));
      outbox_->unwritten.emplace(number, letters);
      to_send.emplace_back(number, std::move(letters));
    }
  }
  for (const auto& [number, letters] : to_send) send(number, letters);
}

void DeadLetters::send(uint64_t number, const Letters& letters) {
  std::vector<AppendRecord> records;
  records.reserve(letters->size());
  for (const Letter& letter : *letters) {
    records.push_back({letter.key, letter.value, ContentType::kProtobuf});
  }
  log_.append(Topic::kDeadLetters, kPartition, records,
              [outbox = outbox_, number](const Result<Appended>& appended) {
                const std::lock_guard lock(outbox->mutex);
                if (appended.ok()) {
                  outbox->unwritten.erase(number);
                } else {
                  outbox->refused.push_back(number);
                }
              });
}

size_t DeadLetters::unwritten() const {
  const std::lock_guard lock(outbox_->mutex);
  size_t letters = added_.size();
  for (const auto& [number, sent] : outbox_->unwritten) letters += sent->size();
  return letters;
}

bool DeadLetters::durable_before(uint64_t mark) const {
  const std::lock_guard lock(outbox_->mutex);
  return outbox_->unwritten.empty() || outbox_->unwritten.begin()->first >= mark;
}

}  // namespace shanhuo
