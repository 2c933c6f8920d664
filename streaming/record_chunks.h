// RecordChunks: what a checkpoint gathers, in pieces of a mebibyte, so that adding a record never
// moves those before it. One string that doubles would copy 64 MiB between two polls, and take a
// page fault for every page of the new one: pauses of 20 to 70 ms for the fold.
//
// One thread at a time. Tested by tests/streaming_checkpoint_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "features/state_machine.h"
#include "streaming/store.h"

namespace shanhuo {

class RecordChunks final : public StateWriter {
 public:
  static constexpr size_t kChunkBytes = 1u << 20;

  void put(std::string_view key, std::string_view value) override;
  void erase(std::string_view key) override;
  bool empty() const { return chunks_.empty(); }
  // Everything that was added, by key, changes of one key in their order; empty afterwards. A batch
  // in the order of its keys takes the store half the time: each is inserted beside the last
  // instead of being searched for. Needs the memory twice until it returns.
  Batch take();

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    size_t used = 0, capacity = 0;
  };
  void add(std::string_view key, std::string_view value, bool erased);

  std::vector<Chunk> chunks_;
  size_t records_ = 0, bytes_ = 0;
};

}  // namespace shanhuo
