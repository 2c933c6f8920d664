// Memory for tables that are large together: blocks cut from regions of 2 MiB that stand on huge
// pages where the system allows it (/sys/kernel/mm/transparent_hugepage/enabled says "madvise" or
// "always"; "never" costs nothing but the gain). A table that is read at random spends more time on
// finding pages than on bytes: a million viewers are 143,000 small pages and 280 huge ones, and a
// processor remembers a few thousand.
//
// A std::pmr::memory_resource, so that standard containers can stand on one. Blocks begin at a
// cache line. Small pools stay small: regions double from 64 KiB on. A freed block waits for
// another request of its size (within 64 bytes) and goes back to the system with the pool; blocks
// of half a region or more stand alone and go back at once.
//
// Not thread-safe. Must outlive what stands on it.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <unordered_map>
#include <vector>

namespace shanhuo {

class HugePool final : public std::pmr::memory_resource {
 public:
  HugePool() = default;
  ~HugePool() override;
  HugePool(const HugePool&) = delete;
  HugePool& operator=(const HugePool&) = delete;

 private:
  struct Region {
    std::byte* begin;
    size_t size;
  };
  struct FreeBlock {
    FreeBlock* next;
  };

  void* do_allocate(size_t size, size_t alignment) override;
  void do_deallocate(void* block, size_t size, size_t alignment) override;
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::vector<Region> regions_;
  std::byte* rest_ = nullptr;  // of the last region
  size_t rest_size_ = 0;
  std::unordered_map<size_t, FreeBlock*> free_;  // by size
};

}  // namespace shanhuo
