// Published<T>: one writer replaces an immutable value whole, any number of readers take a
// reference to the present one. A mutex guards the pointer for the length of one copy;
// std::atomic<std::shared_ptr> would say the same, but ThreadSanitizer reports a race inside it
// with GCC 12.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace shanhuo {

template <typename T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> first) : value_(std::move(first)) {}

  std::shared_ptr<const T> get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

  void set(std::shared_ptr<const T> next) {
    {
      const std::lock_guard lock(mutex_);
      value_.swap(next);
    }  // the old value, when this was its last reference, is freed outside the lock
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;  // guarded by mutex_
};

}  // namespace shanhuo
