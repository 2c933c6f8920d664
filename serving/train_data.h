// What a model is trained on, from lines of events and items: who chose what (chosen() in
// features/user_state.h), in order of time, and what the items' texts are.
//
// Lines are streamed; ids become numbers. Memory: 32 bytes a choice while reading, 4 after it; 60
// bytes and its own an id; and the texts of items that somebody chose. A million viewers with 30
// choices each take about a gigabyte while reading.
//
// One thread.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "features/interner.h"
#include "models/sparse_rows.h"
#include "serving/replay.h"
#include "streaming/codec.h"

namespace shanhuo {

struct TrainLimits {  // reaching one fails the training: kTooLarge
  size_t viewers_max = 100'000'000;
  size_t items_max = 10'000'000;
  size_t choices_max = 1'000'000'000;  // repeated ones too
};

struct TrainData {
  std::vector<std::string> items;  // ids of what somebody chose, in the order they were met
  std::vector<std::string> texts;  // item_text() of each; empty: no such item was given
  SparseRows histories;            // a row a viewer, in order of time (then of reading)
  uint64_t events = 0;             // read, of all types
  uint64_t choices = 0;            // among them, repeats and what was taken back too
  uint64_t viewers = 0;            // with a history
  uint64_t malformed = 0;          // lines that are no event or no item
  Millis first, last;              // of the events' times

  size_t with_text() const;
};

class TrainReader {
 public:
  static constexpr size_t kMalformedShown = 10;  // on stderr, each with its place

  explicit TrainReader(const TrainLimits& limits = {});

  // To the end of the lines. `name`: of the source, for messages. Events come first. Empty lines
  // are skipped. Fails with what the source says, kTooLarge, or kUnavailable when interrupted.
  Status read_events(LineSource& lines, const std::string& name);
  // An id that comes again replaces what was there.
  Status read_items(LineSource& lines, const std::string& name);

  // kInvalid when nobody chose anything, with what there was instead.
  Result<TrainData> finish() &&;

 private:
  struct Choice {
    uint32_t viewer, item;
    int64_t ts_ms;
  };
  Status take_event(const Interaction& event);
  void take_item(const Item& item);
  void malformed(const std::string& name, uint64_t line, std::string_view what);
  void forget_taken_back();
  std::vector<uint32_t> renumber_items();

  const TrainLimits limits_;
  Interner viewers_, items_;
  std::vector<std::string> texts_;  // by number in items_
  std::vector<Choice> choices_;
  std::unordered_set<uint64_t> taken_back_;  // viewer * 2^32 + item
  EventDecoder decoder_;
  TrainData data_;
};

}  // namespace shanhuo
