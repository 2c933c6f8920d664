// A checkpoint store in a std::map, for tests: writer and reader of features/state_machine.h.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "features/state_machine.h"

namespace shanhuo {

class MemoryState final : public StateWriter, public StateReader {
 public:
  void put(std::string_view key, std::string_view value) override {
    records[std::string(key)] = value;
  }
  void erase(std::string_view key) override { records.erase(std::string(key)); }

  Result<std::optional<std::string>> get(std::string_view key) const override {
    const auto found = records.find(std::string(key));
    return found == records.end() ? std::nullopt : std::optional(found->second);
  }
  Status scan(std::string_view prefix, const Visit& visit) const override {
    for (auto it = records.lower_bound(std::string(prefix)); it != records.end(); ++it) {
      if (!it->first.starts_with(prefix)) break;
      Status status = visit(it->first, it->second);
      if (!status.ok()) return status;
    }
    return {};
  }
  Status scan_range(std::string_view from, std::string_view to, const Visit& visit) const override {
    const auto end = records.lower_bound(std::string(to));
    for (auto it = records.lower_bound(std::string(from)); it != end; ++it) {
      Status status = visit(it->first, it->second);
      if (!status.ok()) return status;
    }
    return {};
  }

  std::map<std::string, std::string> records;
};

// A whole checkpoint in steps of `records_max`.
inline void checkpoint(Checkpointed& part, StateWriter& writer, size_t records_max = 7) {
  part.begin_checkpoint(writer);
  while (!part.checkpoint_step(records_max)) {
  }
}

}  // namespace shanhuo
