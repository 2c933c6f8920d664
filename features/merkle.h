// The Merkle tree of RFC 6962 section 2.1 over the hashes of a block of entries, with BLAKE2b-256
// in place of SHA-256: a node is the digest of byte 1 and its two children. Pure values.
#pragma once

#include <span>
#include <vector>

#include "features/digest.h"

namespace shanhuo {

Digest merkle_node(const Digest& left, const Digest& right);

// The root of leaves that come one by one; holds one hash for each bit of their number.
class MerkleFrontier {
 public:
  void add(const Digest& leaf);
  Digest root() const;  // Requires: a leaf was added.
  void clear() { parts_.clear(); }

  struct Part {
    uint64_t leaves = 0;  // a power of two; falling from part to part
    Digest root;
  };
  const std::vector<Part>& parts() const { return parts_; }
  void restore(std::vector<Part> parts) { parts_ = std::move(parts); }

 private:
  std::vector<Part> parts_;
};

// The hashes that lead from leaf `index` up to the root, from the lowest. Requires: index <
// leaves.size().
std::vector<Digest> merkle_path(std::span<const Digest> leaves, size_t index);
// The root to which `path` leads from the leaf; nullopt-like false when the path's length is not
// that of such a tree.
bool merkle_root_of(const Digest& leaf, uint64_t index, uint64_t leaves,
                    std::span<const Digest> path, Digest& root);

}  // namespace shanhuo
