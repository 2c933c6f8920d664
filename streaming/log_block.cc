#include "streaming/log_block.h"

#include <cstring>

#include "base/check.h"
#include "streaming/crc32c.h"

namespace shanhuo {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

constexpr size_t kCrcBytes = 4;
constexpr size_t kHeaderBytes = kCrcBytes + 4 + 8;
constexpr size_t kFrameHeaderBytes = 1 + 4 + 4;
constexpr size_t kKeyBytes = 1 + 4 + 8;
constexpr char kTimeIndex = 0x10;  // added to the topic in keys of the time index

template <typename T>
void append_little(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <typename T>
T load(const char* from) {
  T number;
  std::memcpy(&number, from, sizeof number);
  return number;
}

// Big endian with the sign bit kept: offsets and times are not negative.
std::string ordered_key(char kind, uint32_t partition, int64_t number) {
  std::string key(1, kind);
  for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(partition >> shift));
  const auto bits = static_cast<uint64_t>(number);
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(bits >> shift));
  return key;
}

uint32_t checksum(std::string_view key, std::string_view bytes) {
  return crc32c(bytes.substr(kCrcBytes), crc32c(key));
}

Error corrupt(const Block& block, std::string_view what) {
  return {ErrorCode::kCorrupt, std::string(topic_name(block.topic)) + "[" +
                                   std::to_string(block.partition) + "] block at offset " +
                                   std::to_string(block.first_offset) + ": " + std::string(what)};
}

// Empty when the frames fill the block exactly.
std::string_view check_frames(const Block& block) {
  size_t at = kHeaderBytes;
  for (uint32_t i = 0; i < block.count; ++i) {
    if (block.bytes.size() - at < kFrameHeaderBytes) return "a record is cut off";
    const char* frame = block.bytes.data() + at;
    const uint64_t length = uint64_t{load<uint32_t>(frame + 1)} + load<uint32_t>(frame + 5);
    at += kFrameHeaderBytes;
    if (!is_written(static_cast<ContentType>(frame[0]))) {
      return "a record of unknown content";
    }
    if (block.bytes.size() - at < length) return "a record is cut off";
    at += length;
  }
  return at == block.bytes.size() ? std::string_view() : "bytes after the last record";
}

}  // namespace

std::string block_key(Topic topic, uint32_t partition, int64_t first_offset) {
  return ordered_key(static_cast<char>(topic), partition, first_offset);
}

std::string time_key(Topic topic, uint32_t partition, Millis accepted_at) {
  return ordered_key(static_cast<char>(kTimeIndex + static_cast<char>(topic)), partition,
                     accepted_at.count());
}

void append_frame(std::string& frames, const AppendRecord& record) {
  frames.push_back(static_cast<char>(record.content));
  append_little(frames, static_cast<uint32_t>(record.key.size()));
  append_little(frames, static_cast<uint32_t>(record.value.size()));
  frames.append(record.key);
  frames.append(record.value);
}

void seal_block(Block& block, std::string_view frames) {
  block.bytes.clear();
  block.bytes.reserve(kHeaderBytes + frames.size());
  append_little(block.bytes, uint32_t{0});
  append_little(block.bytes, block.count);
  append_little(block.bytes, block.accepted_at.count());
  block.bytes.append(frames);
  const uint32_t crc =
      checksum(block_key(block.topic, block.partition, block.first_offset), block.bytes);
  std::memcpy(block.bytes.data(), &crc, sizeof crc);
}

Result<std::shared_ptr<const Block>> open_block(std::string_view key, std::string_view bytes) {
  auto block = std::make_shared<Block>();
  if (key.size() != kKeyBytes || static_cast<uint8_t>(key[0]) >= kTopics) {
    return Error{ErrorCode::kCorrupt, "log: a key that is no block's"};
  }
  block->topic = static_cast<Topic>(key[0]);
  for (size_t i = 1; i < 5; ++i) {
    block->partition = block->partition << 8 | static_cast<uint8_t>(key[i]);
  }
  uint64_t offset = 0;
  for (size_t i = 5; i < kKeyBytes; ++i) offset = offset << 8 | static_cast<uint8_t>(key[i]);
  block->first_offset = static_cast<int64_t>(offset);
  if (bytes.size() < kHeaderBytes) return corrupt(*block, "too short");
  if (load<uint32_t>(bytes.data()) != checksum(key, bytes)) {
    return corrupt(*block, "the checksum does not hold");
  }
  block->count = load<uint32_t>(bytes.data() + kCrcBytes);
  block->accepted_at = Millis(load<int64_t>(bytes.data() + kCrcBytes + 4));
  block->bytes = bytes;
  const std::string_view wrong = check_frames(*block);
  if (!wrong.empty()) return corrupt(*block, wrong);
  return std::shared_ptr<const Block>(std::move(block));
}

FrameCursor::FrameCursor(std::shared_ptr<const Block> block)
    : block_(std::move(block)), at_(kHeaderBytes) {}

LogRecord FrameCursor::take() {
  CHECK(!done());
  const char* frame = block_->bytes.data() + at_;
  const auto key_bytes = load<uint32_t>(frame + 1), value_bytes = load<uint32_t>(frame + 5);
  LogRecord record;
  record.partition = block_->partition;
  record.offset = offset();
  record.accepted_at = block_->accepted_at;
  record.durable_ns = block_->durable_ns;
  record.content = static_cast<ContentType>(frame[0]);
  record.key = {frame + kFrameHeaderBytes, key_bytes};
  record.value = {frame + kFrameHeaderBytes + key_bytes, value_bytes};
  at_ += kFrameHeaderBytes + key_bytes + value_bytes;
  ++index_;
  return record;
}

}  // namespace shanhuo
