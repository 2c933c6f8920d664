#include "serving/decision_book.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "streaming/codec.h"
#include "streaming/log_scan.h"

namespace shanhuo {
namespace {

constexpr std::string_view kKey = "de";
static_assert(std::atomic<uint64_t>::is_always_lock_free);

Error system_error(const std::string& path) {
  return {ErrorCode::kIo, path + ": " + std::strerror(errno)};
}

}  // namespace

Result<std::unique_ptr<DecisionBook>> DecisionBook::open(const std::string& counter_path,
                                                         EventLog& log,
                                                         const DecisionBookOptions& options) {
  const int file = ::open(counter_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return system_error(counter_path);
  void* mapped = MAP_FAILED;
  if (::ftruncate(file, sizeof(uint64_t)) == 0) {
    mapped = ::mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  const Error error = system_error(counter_path);
  ::close(file);
  if (mapped == MAP_FAILED) return error;
  auto* counter = static_cast<std::atomic<uint64_t>*>(mapped);
  return std::unique_ptr<DecisionBook>(new DecisionBook(counter, log, options));
}

DecisionBook::~DecisionBook() {
  {
    std::unique_lock lock(mutex_);
    answered_.wait(lock, [this] { return answers_ == appends_; });
  }
  ::munmap(counter_, sizeof(uint64_t));
}

void DecisionBook::append(Decision decision) {
  decision.seq = counter_->fetch_add(1, std::memory_order_relaxed);
  const Millis at = decision.at;
  std::string bytes;
  encode_decision(decision, bytes);
  {
    const std::lock_guard lock(mutex_);
    ++appends_;
  }
  log_.append(Topic::kDecisions, 0, {{decision.user_id, bytes, ContentType::kProtobuf}},
              [this, at](const Result<Appended>& appended) {
                const std::lock_guard lock(mutex_);
                if (appended.ok()) remember(at, appended.value().front().first_offset);
                ++answers_;
                answered_.notify_all();
              });
}

bool DecisionBook::wait_answered(Millis timeout) {
  std::unique_lock lock(mutex_);
  return answered_.wait_for(lock, std::chrono::milliseconds(timeout.count()),
                            [this, upto = appends_] { return answers_ >= upto; });
}

// Requires: mutex_ is held.
void DecisionBook::remember(Millis at, int64_t offset) {
  latest_ = std::max(latest_, at);
  if (minutes_.empty() || minutes_.back().first + kMinute <= at) minutes_.emplace_back(at, offset);
  durable_ = std::max(durable_, offset + 1);
  // The first minute must still cover the whole replay span.
  while (minutes_.size() > 1 && minutes_[1].first + options_.replay <= latest_)
    minutes_.pop_front();
}

uint64_t DecisionBook::queued() const {
  const std::lock_guard lock(mutex_);
  return appends_ - answers_;
}

Status DecisionBook::replay(const std::function<void(const Decision&)>& decided,
                            const std::function<void(std::string_view user_id)>& forgotten) {
  const int64_t end = log_.end_offset(Topic::kDecisions, 0);
  uint64_t next_seq = 0;
  const int64_t at = std::max(
      {replay_from_, end - options_.replay_records_max, log_.first_offset(Topic::kDecisions, 0)});
  Result<std::unique_ptr<LogReader>> reader = log_.read(Topic::kDecisions, {{0, at}});
  if (!reader.ok()) return reader.error().within("decisions");
  const auto take = [&](const LogRecord& record) -> Status {
    if (record.content == ContentType::kForget) {
      forgotten(record.key);
      return {};
    }
    const Result<Decision> decision = decode_decision(record.value);
    if (!decision.ok()) return decision.error();
    next_seq = std::max(next_seq, decision.value().seq + 1);
    {
      const std::lock_guard lock(mutex_);
      remember(decision.value().at, record.offset);
    }
    decided(decision.value());
    return {};
  };
  const Status read = scan_to(*reader.value(), 0, end, take);
  if (!read.ok()) return read.error().within("decisions");
  if (next_seq == 0 && end > 0) return {};  // retention left none to compare with
  const uint64_t given_out = counter_->load();
  lost_ = given_out > next_seq ? given_out - next_seq : 0;
  counter_->store(next_seq);  // numbers of lost ones are given out again, and not counted again
  return {};
}

// What is durable now was recorded everywhere before it was appended, so a restart need not read it
// for the frequency caps; it reads `replay` more for what lives in memory alone.
void DecisionBook::begin_checkpoint(StateWriter& writer) {
  const std::lock_guard lock(mutex_);
  const int64_t from = minutes_.empty() ? durable_ : std::min(durable_, minutes_.front().second);
  writer.put(kKey, std::to_string(from));
}

Status DecisionBook::restore(const StateReader& reader) {
  return reader.scan(kKey, [this](std::string_view, std::string_view value) -> Status {
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), replay_from_);
    if (error == std::errc() && end == value.data() + value.size()) return {};
    return Error{ErrorCode::kCorrupt, "decisions: a broken position in the checkpoint"};
  });
}

}  // namespace shanhuo
