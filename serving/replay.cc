#include "serving/replay.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "serving/replay_lane.h"
#include "serving/stream_lines.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

using Kind = FlagSpec::Kind;
constexpr FlagSpec kFlags[] = {
    {"connections", Kind::kInteger, "N", "side by side; the order of each viewer is kept", "1", 1,
     64},
    {"batch", Kind::kInteger, "N", "lines of one request", "500", 1, 10'000},
    {"rate", Kind::kNumber, "N", "lines a second at most; 0: as fast as the engine takes them", "0",
     0, 1e9},
    {"limit", Kind::kInteger, "N", "lines to send; 0: all", "0", 0, 1e15},
    {"from-log", Kind::kText, "DIR|kafka",
     "the log of a stopped engine's data folder, or of a backup; or the topics of --config"},
    {"topic", Kind::kText, "NAME",
     "of the log: interactions, or items for the catalogue that stands at the range's end",
     "interactions"},
    {"from-offset", Kind::kInteger, "N", "first record", "", 0, 1e18},
    {"to-offset", Kind::kInteger, "N", "the record after the last", "", 0, 1e18},
    {"from-ms", Kind::kInteger, "MS", "accepted at or after, ms since the epoch", "", 0, 1e15},
    {"to-ms", Kind::kInteger, "MS", "accepted before", "", 0, 1e15},
    {"patience", Kind::kDuration, "TIME", "how long a batch is repeated without an answer", "60s"},
};

// Deals lines to lanes in batches, at the wanted rate.
class Dealer {
 public:
  Dealer(ReplayKind kind, const ReplayOptions& options)
      : kind_(kind), options_(options), chooser_(options.connections) {}

  Status open_lanes(const CliArguments& arguments) {
    // Items and creators are few: one connection keeps them in order.
    const int lanes = kind_ == ReplayKind::kEvents ? options_.connections : 1;
    for (int i = 0; i < lanes; ++i) {
      Result<ApiClient> client = ApiClient::open(arguments);
      if (!client.ok()) return client.error();
      lanes_.push_back(std::make_unique<ReplayLane>(kind_, options_, std::move(client).value()));
    }
    batches_.resize(lanes_.size());
    return {};
  }

  // False: a lane has failed.
  bool deal(std::string_view line, uint64_t number) {
    const size_t lane = lanes_.size() > 1 ? chooser_.lane_of(line) : 0;
    ReplayBatch& batch = batches_[lane];
    const bool full = batch.lines.size() == options_.batch_lines ||
                      batch.text.size() + line.size() >= options_.batch_bytes;
    if (full && !flush(lane)) return false;
    batch.text.append(line).push_back('\n');
    batch.lines.push_back(number);
    ++dealt_;
    return pace();
  }

  Result<ReplaySummary> finish() {
    ReplaySummary total;
    Status failure;
    for (size_t lane = 0; lane < lanes_.size(); ++lane) {
      flush(lane);
      const Result<ReplaySummary> part = lanes_[lane]->finish();
      if (!part.ok()) {
        failure = part.error();
        continue;
      }
      total.lines += part.value().lines;
      total.accepted += part.value().accepted;
      total.rejected += part.value().rejected;
      total.retries += part.value().retries;
      for (const auto& [reason, count] : part.value().reasons) total.reasons[reason] += count;
    }
    if (!failure.ok()) return failure.error();
    total.seconds = seconds_since_start();
    return total;
  }

 private:
  bool flush(size_t lane) {
    if (batches_[lane].lines.empty()) return true;
    return lanes_[lane]->push(std::exchange(batches_[lane], {}));
  }

  double seconds_since_start() const {
    return static_cast<double>(monotonic_ns() - started_ns_) * 1e-9;
  }

  bool pace() {
    if (options_.lines_per_s <= 0) return true;
    const double early = static_cast<double>(dealt_) / options_.lines_per_s - seconds_since_start();
    if (early < 0.002) return true;
    for (size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (!flush(lane)) return false;  // what is due is sent before waiting
    }
    return sleep_unless_interrupted(Millis(static_cast<int64_t>(early * 1000)));
  }

  const ReplayKind kind_;
  const ReplayOptions options_;
  LaneChooser chooser_;
  const int64_t started_ns_ = monotonic_ns();
  std::vector<std::unique_ptr<ReplayLane>> lanes_;
  std::vector<ReplayBatch> batches_;
  uint64_t dealt_ = 0;
};

void write_summary(const ReplaySummary& summary, JsonWriter& json) {
  json.begin_object();
  json.field("lines", summary.lines);
  json.field("accepted", summary.accepted);
  json.field("rejected", summary.rejected);
  json.key("reasons");
  json.begin_object();
  for (const auto& [reason, count] : summary.reasons) json.field(reason, count);
  json.end_object();
  for (const auto& [why, count] : summary.left_out) json.field(why, count);
  json.field("retries", summary.retries);
  json.field("seconds", summary.seconds);
  json.field("events_per_s", static_cast<double>(summary.lines) / std::max(summary.seconds, 1e-9));
  json.end_object();
}

void print_summary(const ReplaySummary& summary) {
  std::printf("%s accepted, %s rejected in %s s: %s a second\n",
              with_separators(summary.accepted).c_str(), with_separators(summary.rejected).c_str(),
              format_fixed(summary.seconds, 2).c_str(),
              with_separators(static_cast<uint64_t>(static_cast<double>(summary.lines) /
                                                    std::max(summary.seconds, 1e-9)))
                  .c_str());
  for (const auto& [reason, count] : summary.reasons) {
    std::printf("  %s x %s\n", with_separators(count).c_str(), reason.c_str());
  }
  for (const auto& [why, count] : summary.left_out) {
    if (count > 0) std::printf("  left out, %s: %s\n", why.c_str(), with_separators(count).c_str());
  }
}

}  // namespace

const std::span<const FlagSpec> kReplayFlags = kFlags;

struct LaneChooser::Rep {
  json::Document document;
};

LaneChooser::LaneChooser(int lanes)
    : rep_(std::make_unique<Rep>()), lanes_(static_cast<size_t>(lanes)) {}
LaneChooser::~LaneChooser() = default;

size_t LaneChooser::lane_of(std::string_view line) {
  const Result<json::Value> event = rep_->document.parse(line);
  std::string_view user;
  if (!event.ok() || !event.value().find("user_id").get(user)) return 0;
  return hash64(user) % lanes_;
}

Result<ReplayKind> kind_of_line(std::string_view line) {
  json::Document document;
  const Result<json::Value> value = document.parse(line);
  if (!value.ok()) return value.error();
  if (value.value().find("event_id").present()) return ReplayKind::kEvents;
  if (value.value().find("item_id").present()) return ReplayKind::kItems;
  if (value.value().find("creator_id").present()) return ReplayKind::kCreators;
  return Error{ErrorCode::kInvalid, "no event (event_id), item (item_id) or creator (creator_id)"};
}

Result<ReplaySummary> replay(LineSource& lines, const ReplayOptions& options,
                             const CliArguments& arguments) {
  Progress progress("replay", "lines");
  std::optional<Dealer> dealer;
  std::string line;
  uint64_t sent = 0;
  while (!interrupted() && (options.lines_max == 0 || sent < options.lines_max)) {
    const Result<bool> more = lines.next(line);
    if (!more.ok()) return more.error();
    if (!more.value()) break;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    if (!dealer) {
      const Result<ReplayKind> kind = kind_of_line(line);
      if (!kind.ok()) return kind.error().within("line " + std::to_string(lines.number()));
      dealer.emplace(kind.value(), options);
      const Status opened = dealer->open_lanes(arguments);
      if (!opened.ok()) return opened.error();
    }
    if (!dealer->deal(line, lines.number())) break;
    ++sent;
    const double of_lines =
        options.lines_max == 0 ? -1.0
                               : static_cast<double>(sent) / static_cast<double>(options.lines_max);
    progress.update(std::max(lines.share_done(), of_lines), sent);
  }
  if (!dealer) return Error{ErrorCode::kInvalid, "there is no line to send"};
  Result<ReplaySummary> total = dealer->finish();
  progress.finish();
  return total;
}

Result<ReplaySummary> replay(std::istream& in, uint64_t bytes_total, const ReplayOptions& options,
                             const CliArguments& arguments) {
  StreamLines lines(in, bytes_total);
  return replay(lines, options, arguments);
}

namespace {

Result<ReplaySummary> replay_file(const std::string& path, const ReplayOptions& options,
                                  const CliArguments& arguments) {
  if (path == "-") return replay(std::cin, 0, options, arguments);
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  const uint64_t bytes_total = std::filesystem::file_size(path, error);
  if (!file || error) {
    return Error{ErrorCode::kIo, error ? error.message() : std::strerror(errno)};
  }
  return replay(file, bytes_total, options, arguments);
}

}  // namespace

int replay_verb(const CliArguments& arguments) {
  ReplayOptions options;
  options.connections = static_cast<int>(arguments.integer("connections"));
  options.batch_lines = static_cast<size_t>(arguments.integer("batch"));
  options.lines_per_s = arguments.number("rate");
  options.lines_max = static_cast<uint64_t>(arguments.integer("limit"));
  options.patience = arguments.duration("patience");
  catch_interrupts();

  const bool from_log = arguments.given("from-log");
  if (from_log == !arguments.operands.empty()) {
    return bad_usage(arguments, "either FILE (- is the standard input) or --from-log DIR");
  }
  const std::string& topic = arguments.text("topic");
  if (from_log && topic != "interactions" && topic != "items") {
    return bad_usage(arguments, "--topic: interactions or items");
  }
  const std::string path = from_log ? arguments.text("from-log") : arguments.operands[0];
  const Result<ReplaySummary> done =
      from_log ? replay_log(path, options, arguments) : replay_file(path, options, arguments);
  if (!done.ok()) return fail(arguments, done.error().within(path));
  if (arguments.json) {
    std::string out;
    JsonWriter json(out);
    write_summary(done.value(), json);
    std::printf("%s\n", out.c_str());
  } else {
    print_summary(done.value());
  }
  return done.value().accepted == 0 ? kExitFailed : kExitDone;
}

}  // namespace shanhuo
