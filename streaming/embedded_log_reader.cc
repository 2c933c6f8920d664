// Readers of the embedded log. A source (one partition) holds the block it is in; poll() always
// takes from the source whose block was accepted first. That order is the same at every reading,
// because the ends of all partitions are looked at under one lock: a source that had nothing then
// can only get blocks with later stamps.
#include <algorithm>
#include <chrono>
#include <deque>

#include "base/check.h"
#include "streaming/embedded_log_state.h"

namespace shanhuo {
namespace {

constexpr size_t kReadAheadBytes = 1u << 20;  // at once from the store

struct Source {
  uint32_t partition = 0;
  int64_t next_offset = 0;
  int64_t end_offset = 0;                          // as last seen
  FrameCursor frames;                              // done(): the next block is to be found
  std::deque<std::shared_ptr<const Block>> ahead;  // read from the store, in order
};

}  // namespace

class EmbeddedLogReader final : public LogReader {
 public:
  EmbeddedLogReader(EmbeddedLog::State& state, Topic topic, const std::vector<LogPosition>& from)
      : state_(state), topic_(topic) {
    for (const LogPosition& position : from) {
      sources_.push_back({position.partition, position.next_offset, 0, {}, {}});
    }
  }

  Status poll(size_t records_max, int timeout_ms, std::vector<LogRecord>& out) override {
    out.clear();
    held_.clear();
    while (out.size() < records_max) {
      const Status found = find_blocks(out.empty() ? timeout_ms : 0);
      if (!found.ok()) return found;
      Source* source = earliest();
      if (source == nullptr) break;
      take_from(*source, records_max, out);
    }
    return {};
  }

  int64_t position(uint32_t partition) const override {
    for (const Source& source : sources_) {
      if (source.partition == partition) return source.next_offset;
    }
    CHECK(!"a partition of this reader");
  }

 private:
  // Gives every source that has more a block. Waits only while no source has any.
  Status find_blocks(int timeout_ms) {
    using std::chrono::milliseconds;
    std::vector<Source*> behind;  // older than what memory has
    {
      std::unique_lock lock(state_.mutex);
      if (timeout_ms > 0) {
        state_.published.wait_for(lock, milliseconds(timeout_ms), [&] { return any_left(); });
      }
      for (Source& source : sources_) {
        const Status looked = look(source, behind);
        if (!looked.ok()) return looked;
      }
      state_.stats.store_reads += behind.size();
    }
    for (Source* source : behind) {
      const Status loaded = load(*source);
      if (!loaded.ok()) return loaded;
    }
    return {};
  }

  bool any_left() const {  // under the lock
    return std::any_of(sources_.begin(), sources_.end(), [&](const Source& source) {
      return !source.frames.done() ||
             source.next_offset != state_.at(topic_, source.partition).end_offset;
    });
  }

  // Under the lock.
  Status look(Source& source, std::vector<Source*>& behind) {
    if (!source.frames.done()) return {};
    const LogPartition& partition = state_.at(topic_, source.partition);
    source.end_offset = partition.end_offset;
    if (source.next_offset == partition.end_offset) return {};
    if (source.next_offset > partition.end_offset) {
      return wrong(source, ErrorCode::kNotFound,
                   "the log ends before it, at " + std::to_string(partition.end_offset));
    }
    if (source.next_offset < partition.first_offset) {
      return wrong(source, ErrorCode::kNotFound,
                   "was dropped, the log begins at " + std::to_string(partition.first_offset));
    }
    if (!source.ahead.empty()) return enter_ahead(source);
    const auto& tail = partition.tail;
    const auto after = std::upper_bound(
        tail.begin(), tail.end(), source.next_offset,
        [](int64_t offset, const auto& block) { return offset < block->first_offset; });
    if (after == tail.begin()) {
      behind.push_back(&source);
      return {};
    }
    return enter(source, *std::prev(after));
  }

  Status enter_ahead(Source& source) {
    const std::shared_ptr<const Block> block = source.ahead.front();
    source.ahead.pop_front();
    return enter(source, block);
  }

  Status enter(Source& source, const std::shared_ptr<const Block>& block) {
    if (source.next_offset < block->first_offset || source.next_offset >= block->end_offset()) {
      return wrong(source, ErrorCode::kCorrupt, "there is a hole in the log");
    }
    source.frames = FrameCursor(block);
    while (source.frames.offset() < source.next_offset) source.frames.take();
    return {};
  }

  // From the store: the block that holds the position, and some of those after it.
  Status load(Source& source) {
    Cursor cursor = state_.store.cursor();
    cursor.seek_at_most(block_key(topic_, source.partition, source.next_offset));
    const std::string end = block_key(topic_, source.partition, source.end_offset);
    for (size_t bytes = 0; bytes < kReadAheadBytes && cursor.valid() && cursor.key() < end;
         cursor.next()) {
      auto block = open_block(cursor.key(), cursor.value());
      if (!block.ok()) return block.error();
      bytes += block.value()->bytes.size();
      source.ahead.push_back(std::move(block).value());
    }
    const Status status = cursor.status();
    if (!status.ok()) return status;
    if (source.ahead.empty()) return wrong(source, ErrorCode::kCorrupt, "is missing from the log");
    if (source.ahead.front()->topic != topic_ ||
        source.ahead.front()->partition != source.partition) {
      return wrong(source, ErrorCode::kCorrupt, "is missing from the log");
    }
    return enter_ahead(source);
  }

  Source* earliest() {
    Source* first = nullptr;
    for (Source& source : sources_) {
      if (source.frames.done()) continue;
      if (first == nullptr ||
          source.frames.block()->accepted_at < first->frames.block()->accepted_at) {
        first = &source;
      }
    }
    return first;
  }

  void take_from(Source& source, size_t records_max, std::vector<LogRecord>& out) {
    held_.push_back(source.frames.block());
    while (!source.frames.done() && out.size() < records_max) {
      out.push_back(source.frames.take());
      ++source.next_offset;
    }
  }

  Error wrong(const Source& source, ErrorCode code, const std::string& what) const {
    return {code, std::string(topic_name(topic_)) + "[" + std::to_string(source.partition) +
                      "] offset " + std::to_string(source.next_offset) + ": " + what};
  }

  EmbeddedLog::State& state_;
  const Topic topic_;
  std::vector<Source> sources_;                     // ascending by partition as given
  std::vector<std::shared_ptr<const Block>> held_;  // what the last poll's records point into
};

Result<std::unique_ptr<LogReader>> EmbeddedLog::read(Topic topic,
                                                     const std::vector<LogPosition>& from) {
  for (const LogPosition& position : from) {
    if (position.partition >= state_->options.partitions || position.next_offset < 0) {
      return Error{ErrorCode::kInvalid, "log: no such position"};
    }
  }
  return std::unique_ptr<LogReader>(std::make_unique<EmbeddedLogReader>(*state_, topic, from));
}

}  // namespace shanhuo
