#include "serving/replay_lane.h"

#include <cstdio>

#include "base/json_writer.h"

namespace shanhuo {
namespace {

constexpr uint64_t kRejectedShown = 5;  // of each lane, on stderr

std::string_view target_of(ReplayKind kind) {
  switch (kind) {
    case ReplayKind::kEvents:
      return "/v1/events";
    case ReplayKind::kItems:
      return "/v1/items";
    case ReplayKind::kCreators:
      return "/v1/creators";
  }
  return "";
}

}  // namespace

ReplayLane::ReplayLane(ReplayKind kind, const ReplayOptions& options, ApiClient client)
    : kind_(kind), options_(options), client_(std::move(client)), thread_([this] { run(); }) {}

ReplayLane::~ReplayLane() {
  if (thread_.joinable()) static_cast<void>(finish());
}

bool ReplayLane::push(ReplayBatch batch) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock,
                [&] { return queue_.size() < options_.queued_batches_max || !failure_.ok(); });
  if (!failure_.ok()) return false;
  queue_.push_back(std::move(batch));
  changed_.notify_all();
  return true;
}

Result<ReplaySummary> ReplayLane::finish() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  thread_.join();
  if (!failure_.ok()) return failure_.error();
  summary_.retries = client_.retries();
  return summary_;
}

void ReplayLane::run() {
  for (;;) {
    ReplayBatch batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !queue_.empty() || closed_; });
      if (queue_.empty()) return;
      batch = std::move(queue_.front());
      queue_.pop_front();
      changed_.notify_all();
    }
    const Status sent = send(batch);
    if (sent.ok()) continue;
    const std::lock_guard lock(mutex_);
    failure_ = sent;
    changed_.notify_all();
    return;
  }
}

// Events go as NDJSON as they are; items and creators are members of one array.
std::string ReplayLane::wrap(const ReplayBatch& batch) const {
  std::string body = kind_ == ReplayKind::kItems ? "{\"items\":[" : "{\"creators\":[";
  body.reserve(body.size() + batch.text.size() + 2);
  for (const char c : std::string_view(batch.text).substr(0, batch.text.size() - 1)) {
    body.push_back(c == '\n' ? ',' : c);
  }
  return body += "]}";
}

Status ReplayLane::send(const ReplayBatch& batch) {
  const bool events = kind_ == ReplayKind::kEvents;
  const Result<std::string> answer = client_.call_patiently(
      events ? "POST" : "PUT", target_of(kind_), events ? batch.text : wrap(batch),
      events ? kNdjsonType : kJsonType, options_.patience);
  if (answer.ok()) {
    summary_.lines += batch.lines.size();
    return read_answer(batch, answer.value());
  }
  const Error& error = answer.error();
  const bool refused = error.code == ErrorCode::kInvalid || error.code == ErrorCode::kTooLarge ||
                       error.code == ErrorCode::kConflict;
  // A token that is missing or not enough will not do for the next batch either.
  if (!refused || error.message.starts_with("401") || error.message.starts_with("403")) {
    return error.within("line " + std::to_string(batch.lines[0]));
  }
  summary_.lines += batch.lines.size();
  reject(batch.lines[0], error.message, batch.lines.size());
  return {};
}

Status ReplayLane::read_answer(const ReplayBatch& batch, const std::string& answer) {
  const Result<json::Value> body = document_.parse(answer);
  uint64_t accepted = 0;
  if (!body.ok() || !body.value().find("accepted").get(accepted)) {
    return Error{ErrorCode::kInvalid, "the engine's answer has no 'accepted': " + answer};
  }
  summary_.accepted += accepted;
  for (const json::Value rejected : body.value().find("rejected").elements()) {
    uint64_t index = 0;
    std::string_view reason;
    rejected.find("index").get(index);
    rejected.find("reason").get(reason);
    reject(index < batch.lines.size() ? batch.lines[index] : 0, std::string(reason));
  }
  return {};
}

void ReplayLane::reject(uint64_t line, const std::string& reason, uint64_t count) {
  if (summary_.rejected < kRejectedShown) {
    std::fprintf(stderr, "line %s: %s\n", std::to_string(line).c_str(), reason.c_str());
  }
  summary_.rejected += count;
  summary_.reasons[reason.substr(0, reason.find('\n'))] += count;
}

}  // namespace shanhuo
