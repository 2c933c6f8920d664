// Impressions that wait for their labels: a table of fixed size in which a newer impression takes
// the place of an older one whose key falls on the same slot: of n slots an impression is still
// there after m more of them with probability exp(-m / n). What is found is what was seen at the
// impression, not what is known when the label comes; what has been overwritten is lost, and
// whoever asks counts that.
//
// Keys are 64-bit hashes of viewer and item; nothing else of a viewer is kept than what
// ImpressionContext holds. The fold's thread only. Checkpointed: "im" + name + page (4 bytes,
// big-endian) -> the page's records in host byte order. Equal calls give equal bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "features/dirty_list.h"
#include "features/state_machine.h"
#include "models/impression.h"

namespace shanhuo {

class ImpressionMemory final : public Checkpointed {
 public:
  // `name`: none begins with another one. Requires: slots_log2 in 6..26; a slot is 48 bytes.
  ImpressionMemory(std::string name, int slots_log2);

  // Requires: key != 0.
  void put(uint64_t key, const ImpressionContext& context);
  // Sets bits of its labels; nullptr when the impression is not there. Valid until the next call.
  const ImpressionContext* find(uint64_t key) const;
  void set_labels(uint64_t key, uint8_t labels);  // Requires: find(key) != nullptr

  size_t bytes() const { return records_.size() * sizeof(Record) + marks_.size(); }

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  static constexpr size_t kPageRecords = 64;  // 3 KiB
  struct Record {
    uint64_t key = 0;  // 0: free
    ImpressionContext context;
  };

  Record& writable(uint64_t key);
  size_t slot_of(uint64_t key) const { return key >> shift_; }
  void save(uint32_t page) const;

  const std::string name_;
  const int shift_;  // the upper bits of a key name its slot
  std::vector<Record> records_;
  std::vector<uint8_t> marks_;  // by page
  DirtyList<uint32_t> dirty_;
  StateWriter* writer_ = nullptr;
};

}  // namespace shanhuo
