// A block: what one group commit wrote for one partition (grammar in embedded_log.h). Internal to
// streaming/embedded_log*.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "streaming/event_log.h"

namespace shanhuo {

// Immutable once made; shared by the tail and readers.
struct Block {
  Topic topic = Topic::kItems;
  uint32_t partition = 0;
  int64_t first_offset = 0;
  uint32_t count = 0;
  Millis accepted_at;
  std::string bytes;
  int64_t durable_ns = 0;  // monotonic_ns() when it was written; 0: read from the store

  int64_t end_offset() const { return first_offset + count; }
};

// Keys sort by topic, partition, offset.
std::string block_key(Topic topic, uint32_t partition, int64_t first_offset);
// A partition's entry of the time index: the first block of a stretch of ten minutes. The value is
// that block's first offset, 8 bytes little endian.
std::string time_key(Topic topic, uint32_t partition, Millis accepted_at);

void append_frame(std::string& frames, const AppendRecord& record);

// Fills in block.bytes: header and checksum around `frames`.
void seal_block(Block& block, std::string_view frames);
// A block read from the store, verified as a whole: checksum, key, count and frames.
Result<std::shared_ptr<const Block>> open_block(std::string_view key, std::string_view bytes);

// Walks the records of a verified block.
class FrameCursor {
 public:
  FrameCursor() = default;
  explicit FrameCursor(std::shared_ptr<const Block> block);

  const std::shared_ptr<const Block>& block() const { return block_; }
  bool done() const { return block_ == nullptr || index_ == block_->count; }
  int64_t offset() const { return block_->first_offset + index_; }
  LogRecord take();  // Requires: !done()

 private:
  std::shared_ptr<const Block> block_;
  size_t at_ = 0;
  uint32_t index_ = 0;
};

}  // namespace shanhuo
