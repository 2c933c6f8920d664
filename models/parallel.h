// Work in numbered blocks on a few threads. What a block computes must not depend on who runs it;
// then results are the same for any number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace shanhuo {

// Calls work(block, thread) once for each block below `blocks`, from `threads` threads, numbered
// from 0, of which the caller is number 0. Returns when all are done. Starting a thread costs about
// 20 us, each time.
template <typename Work>
void for_each_block(size_t blocks, int threads, const Work& work) {
  std::atomic<size_t> next{0};
  const auto run = [&](size_t thread) {
    for (size_t block = next++; block < blocks; block = next++) work(block, thread);
  };
  std::vector<std::jthread> others;
  const size_t useful = std::min(blocks, static_cast<size_t>(std::max(threads, 1)));
  for (size_t thread = 1; thread < useful; ++thread) others.emplace_back(run, thread);
  run(0);
}

}  // namespace shanhuo
