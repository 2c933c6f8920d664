// CHECK: for what cannot happen unless this program is wrong. Prints the condition and the place,
// then aborts, in every build. What a user, a peer or a disk can cause is a Result (base/result.h),
// never a CHECK.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace shanhuo {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace shanhuo

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::shanhuo::check_failed(#condition, __FILE__, __LINE__))
