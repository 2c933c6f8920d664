// Tested by tests/serving_train_data_test.cc.
#include "serving/train_data.h"

#include <algorithm>
#include <cstdio>
#include <functional>

#include "features/user_state.h"
#include "models/vector_model.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

constexpr uint32_t kDropped = UINT32_MAX;

uint64_t pair_of(uint32_t viewer, uint32_t item) { return uint64_t{viewer} << 32 | item; }

Error too_many(const char* what, size_t most) {
  return {ErrorCode::kTooLarge,
          std::string("more ") + what + " than " + with_separators(most) + ", which is the limit"};
}

Status each_line(LineSource& lines, const std::string& name, const char* unit,
                 const std::function<Status(const std::string& line)>& take) {
  Progress progress("read", unit);
  std::string line;
  for (;;) {
    const Result<bool> more = lines.next(line);
    if (!more.ok()) return more.error().within(name);
    if (!more.value()) return {};
    if (interrupted()) return Error{ErrorCode::kUnavailable, "interrupted"};
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    if (const Status taken = take(line); !taken.ok()) return taken.error().within(name);
    progress.update(lines.share_done(), lines.number());
  }
}

}  // namespace

size_t TrainData::with_text() const {
  return static_cast<size_t>(
      std::ranges::count_if(texts, [](const std::string& text) { return !text.empty(); }));
}

TrainReader::TrainReader(const TrainLimits& limits)
    : limits_(limits),
      viewers_({.ids_max = limits.viewers_max}),
      items_({.ids_max = limits.items_max}) {}

void TrainReader::malformed(const std::string& name, uint64_t line, std::string_view what) {
  if (++data_.malformed > kMalformedShown) return;
  std::fprintf(stderr, "%s:%llu: %s\n", name.c_str(), static_cast<unsigned long long>(line),
               std::string(what).c_str());
  if (data_.malformed == kMalformedShown) std::fputs("(further ones are counted)\n", stderr);
}

Status TrainReader::read_events(LineSource& lines, const std::string& name) {
  return each_line(lines, name, "events", [&](const std::string& line) -> Status {
    LogRecord record;
    record.content = ContentType::kJson;
    record.value = line;
    Interaction event;
    if (const Reason reason = decoder_.decode_record(record, event); !reason.empty()) {
      malformed(name, lines.number(), reason);
      return {};
    }
    return take_event(event);
  });
}

Status TrainReader::take_event(const Interaction& event) {
  const bool first = data_.events++ == 0;
  data_.first = first ? event.ts : std::min(data_.first, event.ts);
  data_.last = first ? event.ts : std::max(data_.last, event.ts);
  const bool back = taken_back(event.type);
  if (!back && !chosen(event)) return {};
  const uint32_t viewer = viewers_.intern(event.user_id), item = items_.intern(event.item_id);
  if (viewer == kNoItem) return too_many("viewers", limits_.viewers_max);
  if (item == kNoItem) return too_many("items", limits_.items_max);
  if (choices_.size() + taken_back_.size() == limits_.choices_max) {
    return too_many("choices", limits_.choices_max);
  }
  if (back) {
    taken_back_.insert(pair_of(viewer, item));
  } else {
    choices_.push_back({viewer, item, event.ts.count()});
  }
  return {};
}

Status TrainReader::read_items(LineSource& lines, const std::string& name) {
  texts_.resize(items_.size());
  return each_line(lines, name, "items", [&](const std::string& line) -> Status {
    const Result<Item> item = decode_item(line);
    if (!item.ok()) {
      malformed(name, lines.number(), item.error().message);
    } else if (const uint32_t number = items_.find(item.value().id.view()); number != kNoItem) {
      texts_[number] = item_text(item.value());
    }
    return {};
  });
}

void TrainReader::forget_taken_back() {
  std::erase_if(choices_, [this](const Choice& choice) {
    return taken_back_.contains(pair_of(choice.viewer, choice.item));
  });
}

// Of those that are still chosen; kDropped for the others.
std::vector<uint32_t> TrainReader::renumber_items() {
  std::vector<uint32_t> numbers(items_.size(), kDropped);
  for (const Choice& choice : choices_) numbers[choice.item] = 0;
  texts_.resize(items_.size());
  for (uint32_t item = 0; item < numbers.size(); ++item) {
    if (numbers[item] == kDropped) continue;
    numbers[item] = static_cast<uint32_t>(data_.items.size());
    data_.items.push_back(items_.id_of(item));
    data_.texts.push_back(std::move(texts_[item]));
  }
  return numbers;
}

Result<TrainData> TrainReader::finish() && {
  data_.choices = choices_.size();
  forget_taken_back();
  if (choices_.empty()) {
    return Error{ErrorCode::kInvalid, "nobody chose anything: " + with_separators(data_.events) +
                                          " events, " + with_separators(data_.choices) +
                                          " of them a choice that was taken back, " +
                                          with_separators(data_.malformed) + " lines malformed"};
  }
  if (!std::ranges::is_sorted(choices_, {}, &Choice::ts_ms)) {
    std::ranges::stable_sort(choices_, {}, &Choice::ts_ms);
  }
  const std::vector<uint32_t> numbers = renumber_items();
  std::vector<SparseRows::Entry> entries;
  entries.reserve(choices_.size());
  for (const Choice& choice : choices_) entries.emplace_back(choice.viewer, numbers[choice.item]);
  choices_ = {};
  data_.histories = SparseRows::in_order(viewers_.size(), data_.items.size(), entries);
  for (size_t viewer = 0; viewer < data_.histories.rows(); ++viewer) {
    data_.viewers += data_.histories.row(viewer).empty() ? 0 : 1;
  }
  return std::move(data_);
}

}  // namespace shanhuo
