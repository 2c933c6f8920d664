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

DeadLetters::DeadLetters(EventLog& log, const Clock& clock, Owned owned)
    : log_(log), clock_(clock), owned_(std::move(owned)), outbox_(std::make_shared<Outbox>()) {}
DeadLetters::~DeadLetters() = default;

Status DeadLetters::resume(int64_t offset, ToCome to_come) {
  to_come_ = std::move(to_come);
  outbox_->known_below = offset;
  std::unordered_set<std::string> there;
  return read_new(there);
}

// Owns the topic and reads what was not known of it. `there`: letters whose records were folded.
Status DeadLetters::read_new(std::unordered_set<std::string>& there) {
  const Status own = log_.own(Topic::kDeadLetters);
  if (!own.ok()) return own;
  const int64_t end = log_.end_offset(Topic::kDeadLetters, kPartition);
  int64_t from = log_.first_offset(Topic::kDeadLetters, kPartition);
  {
    const std::lock_guard lock(outbox_->mutex);
    from = std::max(from, outbox_->known_below);
  }
  auto reader = log_.read(Topic::kDeadLetters, {{kPartition, from}});
  if (!reader.ok()) return reader.error();
  const Status read =
      scan_to(*reader.value(), kPartition, end, [&](const LogRecord& record) -> Status {
        const Result<DeadLetter> letter = decode_dead_letter(record.value);
        if (!letter.ok()) return {};  // somebody else's
        const auto& [source, partition, at] =
            std::tie(letter.value().source, letter.value().partition, letter.value().offset);
        if (to_come_(source, partition, at)) {
          known_.emplace(record.key, record.offset);
        } else {
          there.emplace(record.key);
        }
        return {};
      });
  // Dropped by retention: as old as that, nobody misses them.
  if (!read.ok() && read.error().code != ErrorCode::kNotFound) return read;
  const std::lock_guard lock(outbox_->mutex);
  outbox_->known_below = std::max(outbox_->known_below, end);
  return {};
}

int64_t DeadLetters::resume_offset() const {
  const std::lock_guard lock(outbox_->mutex);
  int64_t offset = outbox_->known_below;
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
  Sending to_send;
  take_refused(to_send);
  if (!added_.empty()) {
    const uint64_t number = next_++;
    auto letters = std::make_shared<const std::vector<Letter>>(std::exchange(added_, {}));
    const std::lock_guard lock(outbox_->mutex);
    outbox_->unwritten.emplace(number, letters);
    to_send.emplace_back(number, std::move(letters));
  }
  for (const auto& [number, letters] : to_send) send(number, letters);
}

// What was refused and does not stand in the topic, now that nobody else can bring it there.
void DeadLetters::take_refused(Sending& to_send) {
  {
    const std::lock_guard lock(outbox_->mutex);
    if (outbox_->refused.empty()) return;
  }
  if (clock_.monotonic_ns() - last_retry_ns_ < kRetryNs) return;
  std::unordered_set<std::string> there;
  const bool again = log_.reachable().ok() && owned_().ok() && read_new(there).ok();
  last_retry_ns_ = clock_.monotonic_ns();
  if (!again) return;
  const std::lock_guard lock(outbox_->mutex);
  for (const uint64_t number : std::exchange(outbox_->refused, {})) {
    std::vector<Letter> missing;
    for (const Letter& letter : *outbox_->unwritten.at(number)) {
      if (!there.contains(letter.key)) missing.push_back(letter);
    }
    if (missing.empty()) {
      outbox_->unwritten.erase(number);
      continue;
    }
    auto letters = std::make_shared<const std::vector<Letter>>(std::move(missing));
    outbox_->unwritten[number] = letters;
    to_send.emplace_back(number, std::move(letters));
  }
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
                  outbox->known_below =
                      std::max(outbox->known_below, appended.value().back().last_offset + 1);
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
