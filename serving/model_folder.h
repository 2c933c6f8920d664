// A model on disk: a folder that `shanhuo train` makes and the engine loads whole or not at all.
//
//   manifest.json    what it is, and the size and SHA-256 of every other file (below)
//   items.bin        (bytes u8 | id){items}
//   evidence.bin     u32{items}: viewers in training
//   histories.bin    f32{items x dims}, row-major
//   candidates.bin   the same; not of als
//   text_map.bin     models/text_map.h; without it new items have no vector
//
// All numbers little endian. The manifest is one JSON object:
//
//   {"format":"shanhuo-model","format_version":1,"version":"spring","kind":"history-softmax",
//    "dims":64,"nearness":1,"evidence_half":10,
//    "als":{"unobserved_weight":..,"regularisation":..,"frequency_exponent":..},     of als only
//    "data":{"first_ms":..,"last_ms":..,"events":..,"viewers":..,"items":..},
//    "parameters":{"softmax.epochs":30,...},"metrics":{"recall@20":0.1,...},
//    "files":[{"name":"items.bin","bytes":..,"sha256":".."},...],
//    "manifest_sha256":".."}
//
// whose last member, in every version of the format, is the SHA-256 of all that stands before its
// value, so that a flipped byte of the manifest is found too. A checksum finds accidents, not
// forgers: who may write the folder decides what the engine learns from.
//
// Free functions, thread-safe. Nothing of a folder is used unless all of it holds.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "models/vector_model.h"

namespace shanhuo {

// What a manifest tells beside what serves.
struct ModelFacts {
  using Numbers = std::vector<std::pair<std::string, double>>;  // by name, finite

  Millis first, last;   // event time of what it was trained on
  uint64_t events = 0;  // read, of all types
  uint64_t viewers = 0;
  Numbers parameters;  // as `--set` takes them
  Numbers metrics;     // of a part that was held out
};

struct StoredModel {
  VectorModelParts parts;
  ModelFacts facts;
};

struct ModelFolderOptions {
  size_t items_max = 10'000'000;  // 520 bytes each, and their ids
};

// Makes the folder, whose parent must exist: written and synced aside, as ".NAME.partial" beside
// it, then renamed. kConflict when the name is taken; kInvalid for parts that VectorModel::make()
// would refuse for their sizes.
Status write_model(const std::string& folder, const VectorModelParts& parts,
                   const ModelFacts& facts);

// kNotFound: there is no such folder. Otherwise each refusal names the file and what is wrong:
// kCorrupt for what is not as it was written, kInvalid for what this engine cannot serve (a newer
// format, other dimensions), kTooLarge above items_max. The parts still have to pass
// VectorModel::make().
Result<StoredModel> read_model(const std::string& folder, const ModelFolderOptions& options = {});

}  // namespace shanhuo
