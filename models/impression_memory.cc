#include "models/impression_memory.h"

#include <cstring>
#include <utility>

#include "base/check.h"

namespace shanhuo {

ImpressionMemory::ImpressionMemory(std::string name, int slots_log2)
    : name_(std::move(name)),
      shift_(64 - slots_log2),
      records_(size_t{1} << slots_log2),
      marks_(records_.size() / kPageRecords) {
  CHECK(slots_log2 >= 6 && slots_log2 <= 26);
}

void ImpressionMemory::put(uint64_t key, const ImpressionContext& context) {
  writable(key) = {key, context};
}

const ImpressionContext* ImpressionMemory::find(uint64_t key) const {
  const Record& record = records_[slot_of(key)];
  return record.key == key ? &record.context : nullptr;
}

void ImpressionMemory::set_labels(uint64_t key, uint8_t labels) {
  Record& record = writable(key);
  CHECK(record.key == key);
  record.context.labels |= labels;
}

ImpressionMemory::Record& ImpressionMemory::writable(uint64_t key) {
  const size_t slot = slot_of(key);
  const auto page = static_cast<uint32_t>(slot / kPageRecords);
  dirty_.touch(&marks_[page], page, [&] { save(page); });
  return records_[slot];
}

void ImpressionMemory::save(uint32_t page) const {
  std::string key = "im" + name_;
  for (int shift = 24; shift >= 0; shift -= 8) key += static_cast<char>(page >> shift);
  writer_->put(key, {reinterpret_cast<const char*>(&records_[page * kPageRecords]),
                     kPageRecords * sizeof(Record)});
}

void ImpressionMemory::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  dirty_.begin();
}

bool ImpressionMemory::checkpoint_step(size_t records_max) {
  return dirty_.step(
      records_max, [this](uint32_t page) { return &marks_[page]; },
      [this](uint32_t page) { save(page); });
}

Status ImpressionMemory::restore(const StateReader& reader) {
  const std::string prefix = "im" + name_;
  return reader.scan(prefix, [&](std::string_view key, std::string_view value) -> Status {
    key.remove_prefix(prefix.size());
    size_t page = 0;
    for (const char byte : key) page = page << 8 | static_cast<uint8_t>(byte);
    if (key.size() != 4 || page >= marks_.size() || value.size() != kPageRecords * sizeof(Record)) {
      return Error{ErrorCode::kCorrupt, "impression memory " + name_ +
                                            ": a record of the wrong shape; options of its size "
                                            "may have changed since"};
    }
    std::memcpy(static_cast<void*>(&records_[page * kPageRecords]), value.data(), value.size());
    return {};
  });
}

}  // namespace shanhuo
