// One life of the engine core in a simulation: everything that a kill takes away, over a log and a
// disk that it leaves behind (simulated_disk.h).
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "features/feature_store.h"
#include "streaming/codec.h"
#include "streaming/pipeline.h"
#include "tests/simulated_disk.h"

namespace shanhuo {

inline constexpr Millis kSimulatedStart{1'790'000'000'000};

inline TokenKeys simulated_keys() {
  return TokenKeys(std::vector<TokenKey>{{.id = 1, .secret = {4, 5, 6}}});
}

struct World {
  uint32_t partitions;
  bool caller_clock;
  size_t items_max;
  PipelineOptions pipeline;
};

struct Process {
  Process(const World& world, SimulatedLog& log, MemoryState& disk, SimulatedTrouble& trouble,
          const Clock& clock)
      : interner({.ids_max = world.items_max}),
        catalogue(interner, [](const Item&) { return Vector{1}; }),
        keys(std::make_shared<const TokenKeys>(simulated_keys())) {
    catalogue.set_codec({encode_catalogue_change, decode_catalogue_change});
    FeatureStoreOptions options;
    options.partitions = world.partitions;
    options.items.items_max = world.items_max;
    features = std::make_unique<FeatureStore>(options, interner, catalogue, keys);
    auto store = std::make_unique<SimulatedStore>(disk, trouble);
    checkpoints = CheckpointStore::on_this_thread(std::move(store));
    PipelineParts parts;
    parts.log = &log;
    parts.checkpoints = checkpoints.get();
    parts.checkpointed = {&interner, &catalogue};
    for (uint32_t p = 0; p < world.partitions; ++p) {
      dedup.push_back(std::make_unique<Deduplicator>("ev" + std::to_string(p)));
      parts.dedup.push_back(dedup.back().get());
      parts.checkpointed.push_back(dedup.back().get());
    }
    parts.checkpointed.push_back(features.get());
    parts.machine = features.get();
    parts.apply_catalogue = [this](const CatalogueChange& change) {
      return catalogue.apply(change);
    };
    parts.publish = [this] { catalogue.publish(); };
    parts.clock = &clock;
    pipeline = std::make_unique<Pipeline>(parts, world.pipeline);
  }

  Interner interner;
  CatalogueState catalogue;
  Published<TokenKeys> keys;
  std::unique_ptr<FeatureStore> features;
  std::vector<std::unique_ptr<Deduplicator>> dedup;
  std::unique_ptr<CheckpointStore> checkpoints;
  std::unique_ptr<Pipeline> pipeline;  // dies first
};

// Where the checkpoint on the disk stands.
inline int64_t checkpointed(MemoryState& disk, Topic topic, uint32_t partition) {
  SimulatedTrouble none;
  const auto store = CheckpointStore::on_this_thread(std::make_unique<SimulatedStore>(disk, none));
  const Result<CheckpointPosition> position = store->restore({});
  CHECK(position.ok());
  for (const SourcePosition& source : position.value().sources) {
    if (source.topic == topic && source.partition == partition) return source.next_offset;
  }
  return 0;
}

// All of the log is folded, and the checkpoint on the disk says so.
inline bool all_durable(const Process& process, MemoryState& disk) {
  const PipelineStats stats = process.pipeline->stats();
  return stats.lag_records == 0 && process.checkpoints->idle() &&
         std::ranges::all_of(stats.positions, [&](const SourcePosition& position) {
           return checkpointed(disk, position.topic, position.partition) == position.next_offset;
         });
}

}  // namespace shanhuo
