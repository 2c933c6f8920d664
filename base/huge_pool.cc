#include "base/huge_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "base/check.h"

namespace shanhuo {
namespace {

constexpr size_t kLine = 64, kRegionMin = 64 << 10, kHugePage = 2 << 20;

size_t rounded(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

size_t alignment_of(size_t region_size) { return region_size < kHugePage ? kLine : kHugePage; }

std::byte* take_region(size_t size) {
  auto* begin = static_cast<std::byte*>(
      ::operator new(size, static_cast<std::align_val_t>(alignment_of(size))));
  // A hint: where the system knows no huge pages it says so, and the memory is as good as any.
  if (size >= kHugePage) static_cast<void>(madvise(begin, size, MADV_HUGEPAGE));
  return begin;
}

void give_region(std::byte* begin, size_t size) {
  ::operator delete(begin, static_cast<std::align_val_t>(alignment_of(size)));
}

// Blocks of this size and more have a region of their own.
bool alone(size_t size) { return size >= kHugePage / 2; }
size_t lone_size(size_t size) { return rounded(size, size < kHugePage ? kLine : kHugePage); }

}  // namespace

HugePool::~HugePool() {
  for (const Region& region : regions_) give_region(region.begin, region.size);
}

void* HugePool::do_allocate(size_t size, size_t alignment) {
  CHECK(alignment <= kLine);
  if (alone(size)) return take_region(lone_size(size));
  size = rounded(std::max<size_t>(size, 1), kLine);
  if (const auto found = free_.find(size); found != free_.end() && found->second != nullptr) {
    FreeBlock* const block = found->second;
    found->second = block->next;
    return block;
  }
  if (size > rest_size_) {
    const size_t last = regions_.empty() ? kRegionMin / 2 : regions_.back().size;
    size_t region = std::min(2 * last, kHugePage);
    while (region < size) region *= 2;
    rest_ = take_region(region);
    rest_size_ = region;
    regions_.push_back({rest_, region});
  }
  std::byte* const block = rest_;
  rest_ += size;
  rest_size_ -= size;
  return block;
}

void HugePool::do_deallocate(void* block, size_t size, size_t /*alignment*/) {
  if (alone(size)) return give_region(static_cast<std::byte*>(block), lone_size(size));
  FreeBlock*& head = free_[rounded(std::max<size_t>(size, 1), kLine)];
  head = new (block) FreeBlock{head};
}

}  // namespace shanhuo
