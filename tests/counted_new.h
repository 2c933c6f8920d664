// Counts what a test program allocates, so that a test can say that a call allocates nothing.
// Replaces the global operators: included by one file of a program.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace shanhuo::testing {
inline std::atomic<int64_t> allocations{0};

inline void* counted_memory(size_t bytes, size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const size_t whole = (bytes + alignment) / alignment * alignment;
  void* place = std::aligned_alloc(alignment, whole);
  if (place == nullptr) std::abort();
  return place;
}
}  // namespace shanhuo::testing

[[gnu::noinline]] void* operator new(size_t bytes) {
  return shanhuo::testing::counted_memory(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t alignment) {
  return shanhuo::testing::counted_memory(bytes, static_cast<size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* place) noexcept { std::free(place); }
[[gnu::noinline]] void operator delete(void* place, size_t) noexcept { std::free(place); }
[[gnu::noinline]] void operator delete(void* place, std::align_val_t) noexcept { std::free(place); }
[[gnu::noinline]] void operator delete(void* place, size_t, std::align_val_t) noexcept {
  std::free(place);
}
