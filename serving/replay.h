// `shanhuo replay FILE|-`: lines of NDJSON through the public API, in batches; with --from-log, the
// interactions of a log as such lines (log_lines.h), or its catalogue (catalogue_lines.h).
//
// The first line decides what they are: events (they have event_id) go to POST /v1/events, items
// (item_id) to PUT /v1/items, creators (creator_id without item_id) to PUT /v1/creators.
//
//   file -> one reader -> lane 1..N, by hash of user_id -> one connection each -> engine
//
// With one connection (the default) everything arrives in the order of the file; with N, everything
// of one viewer does. A batch is repeated until it is answered (429, 503, a lost connection):
// events are idempotent by event_id, items and creators by their ids.
#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "serving/cli.h"

namespace shanhuo {

struct ReplayOptions {
  size_t batch_lines = 500;       // of one request; the engine takes 10,000
  size_t batch_bytes = 4u << 20;  // a batch is sent when it is this long; the engine takes 8 MiB
  int connections = 1;            // 1..64
  size_t queued_batches_max = 4;  // waiting, for each connection
  double lines_per_s = 0;         // 0: as fast as the engine takes them
  uint64_t lines_max = 0;         // 0: all
  Millis patience{60'000};        // how long a batch is repeated without an answer
};

struct ReplaySummary {
  uint64_t lines = 0;  // sent
  uint64_t accepted = 0;
  uint64_t rejected = 0;  // by the engine; of items and creators a batch is taken whole or not
  uint64_t retries = 0;
  double seconds = 0;
  std::map<std::string, uint64_t> reasons;   // of the rejected
  std::map<std::string, uint64_t> left_out;  // of a log: records that were not sent, and why
};

// Where lines come from.
class LineSource {
 public:
  virtual ~LineSource() = default;
  // False at the end. `line`: without its '\n'.
  virtual Result<bool> next(std::string& line) = 0;
  virtual uint64_t number() const = 0;    // of the line given last, for messages
  virtual double share_done() const = 0;  // 0..1; below 0: nobody knows
};

enum class ReplayKind : uint8_t { kEvents, kItems, kCreators };

// kInvalid when the line is none of the three.
Result<ReplayKind> kind_of_line(std::string_view line);

// Which lane an event belongs to: by its user_id. Lines without one go to lane 0.
class LaneChooser {
 public:
  explicit LaneChooser(int lanes);
  ~LaneChooser();
  size_t lane_of(std::string_view line);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
  const size_t lanes_;
};

// Reads the lines to their end. `arguments` names the engine. Fails with what stopped it; lines
// that the engine rejected are no failure but counted.
Result<ReplaySummary> replay(LineSource& lines, const ReplayOptions& options,
                             const CliArguments& arguments);
// `bytes_total`: for the progress bar, 0 when unknown.
Result<ReplaySummary> replay(std::istream& in, uint64_t bytes_total, const ReplayOptions& options,
                             const CliArguments& arguments);
// --from-log: the log of a data folder or of a backup, or "kafka" for the topics of --config.
Result<ReplaySummary> replay_log(const std::string& from, const ReplayOptions& options,
                                 const CliArguments& arguments);

int replay_verb(const CliArguments& arguments);
extern const std::span<const FlagSpec> kReplayFlags;

}  // namespace shanhuo
