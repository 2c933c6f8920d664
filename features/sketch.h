// How many different viewers, without their names: a mergeable sketch of a set of 64-bit hashes.
//
// Up to kExactMax members it is exact (the sorted 32-bit halves of the hashes); beyond, a
// HyperLogLog with p = 10: 1,024 registers of 5 bits, 640 bytes. Standard error 1.04 / sqrt(1024) =
// 3.25 % (Flajolet, Fusy, Gandouet, Meunier 2007), estimated by the formula of Ertl 2017 ("New
// cardinality estimation algorithms for HyperLogLog sketches", algorithm 6), which needs neither
// the switch to linear counting nor the bias tables of Heule, Nunkesser, Hall 2013 and has no bump
// between the ranges.
//
// Merging is union: commutative, associative, idempotent. Equal sets give equal bytes, whatever the
// order of add() and merge(), except that a union that reached kExactMax + 1 stays a HyperLogLog.
// A member is a hash of 32 bits: it cannot be turned back into an id, but whoever has an id can ask
// whether a small sketch may hold it; nothing can be removed from one.
//
// A plain value, except that its members stand in the memory it was made with, if any was named
// (a copy is on the heap); not thread-safe.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shanhuo {

class UniqueSketch {
 public:
  static constexpr size_t kExactMax = 64;

  UniqueSketch() = default;
  // `memory` must outlive it, and whatever is moved from it.
  explicit UniqueSketch(std::pmr::memory_resource* memory) : words_(memory) {}

  // `hash` must be of good quality in all bits (base/hash.h). True when the sketch changed.
  bool add(uint64_t hash);
  void merge(const UniqueSketch& other);
  int64_t estimate() const;
  void prefetch(uint64_t hash) const;  // a hint that add() of it comes soon
  bool exact() const { return words_.size() <= kExactMax; }
  bool empty() const { return words_.empty(); }
  size_t heap_bytes() const { return words_.capacity() * sizeof(uint32_t); }

  // Grammar: u16 n (little-endian), n u32 members ascending;  or u16 0xFFFF, 640 bytes of
  // registers.
  void append_to(std::string* out) const;
  // Takes one sketch off the front of `bytes`; kCorrupt when it does not hold.
  static Result<UniqueSketch> take_from(std::string_view* bytes);

  bool operator==(const UniqueSketch&) const = default;

 private:
  static constexpr size_t kRegisters = 1024;
  static constexpr int kRegisterBits = 5;
  static constexpr size_t kDenseWords = kRegisters * kRegisterBits / 32;

  uint32_t register_at(size_t index) const;
  bool raise_register(size_t index, uint32_t value);
  bool add_member(uint32_t member);
  bool add_dense(uint32_t member);
  void make_dense();

  // At most kExactMax members ascending, or kDenseWords words of registers.
  std::pmr::vector<uint32_t> words_;
};

}  // namespace shanhuo
