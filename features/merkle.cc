#include "features/merkle.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace shanhuo {
namespace {

Digest root_of(std::span<const Digest> leaves) {
  MerkleFrontier frontier;
  for (const Digest& leaf : leaves) frontier.add(leaf);
  return frontier.root();
}

}  // namespace

Digest merkle_node(const Digest& left, const Digest& right) {
  std::array<char, 2 * sizeof(Digest)> both;
  std::memcpy(both.data(), left.data(), left.size());
  std::memcpy(both.data() + left.size(), right.data(), right.size());
  return digest_of(1, {both.data(), both.size()});
}

void MerkleFrontier::add(const Digest& leaf) {
  Part part{1, leaf};
  for (; !parts_.empty() && parts_.back().leaves == part.leaves; parts_.pop_back()) {
    part = {2 * part.leaves, merkle_node(parts_.back().root, part.root)};
  }
  parts_.push_back(part);
}

Digest MerkleFrontier::root() const {
  CHECK(!parts_.empty());
  Digest root = parts_.back().root;
  for (size_t i = parts_.size() - 1; i-- > 0;) root = merkle_node(parts_[i].root, root);
  return root;
}

std::vector<Digest> merkle_path(std::span<const Digest> leaves, size_t index) {
  CHECK(index < leaves.size());
  std::vector<Digest> path;
  while (leaves.size() > 1) {
    const size_t left = std::bit_floor(leaves.size() - 1);
    if (index < left) {
      path.push_back(root_of(leaves.subspan(left)));
      leaves = leaves.first(left);
    } else {
      path.push_back(root_of(leaves.first(left)));
      leaves = leaves.subspan(left);
      index -= left;
    }
  }
  std::reverse(path.begin(), path.end());
  return path;
}

bool merkle_root_of(const Digest& leaf, uint64_t index, uint64_t leaves,
                    std::span<const Digest> path, Digest& root) {
  if (index >= leaves) return false;
  std::vector<bool> right;  // from the top: whether the leaf stands in the right half
  while (leaves > 1) {
    const uint64_t left = std::bit_floor(leaves - 1);
    right.push_back(index >= left);
    leaves = right.back() ? leaves - left : left;
    if (right.back()) index -= left;
  }
  if (right.size() != path.size()) return false;
  root = leaf;
  for (size_t i = 0; i < path.size(); ++i) {
    const bool from_right = right[right.size() - 1 - i];
    root = from_right ? merkle_node(path[i], root) : merkle_node(root, path[i]);
  }
  return true;
}

}  // namespace shanhuo
