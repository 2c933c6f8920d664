// The ledger: entries appended, and an export of them verified, per second; and what one pass of
// SHA-256 over the same bytes takes, so that the figures mean something on another machine.
//
// SHANHUO_BENCH_SMOKE: a small one.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "features/digest.h"
#include "features/ledger_verify.h"
#include "tests/ledger_export.h"

namespace shanhuo {
namespace {

double seconds_since(int64_t start_ns) {
  return static_cast<double>(monotonic_ns() - start_ns) * 1e-9;
}

int run() {
  const int64_t entries = std::getenv("SHANHUO_BENCH_SMOKE") != nullptr ? 20'000 : 1'000'000;
  const LedgerKeys keys("the secret of a benchmark, long enough");
  LedgerChain chain(keys, 65'536);
  const std::string order = keys.name_of("order", "o-1");
  int64_t start = monotonic_ns();
  for (int64_t i = 0; i < entries; ++i) {
    const Millis ts(1'790'000'000'000 + i);
    chain.pass(ts);
    chain.append({.kind = "donation",
                  .ts = ts,
                  .fen = i % 10'000 + 1,
                  .order = order,
                  .item = "good-433124-0001",
                  .cause = "cause-school-meal",
                  .rule = "goods-for-good"});
  }
  const double append = seconds_since(start);
  const std::string text = ledger_export(chain.waiting_from(0, UINT64_MAX), keys);
  start = monotonic_ns();
  const Status good = LedgerVerifier(keys.public_key()).all(text);
  const double verify = seconds_since(start);
  if (!good.ok()) {
    std::fprintf(stderr, "ledger_bench: %s\n", good.error().message.c_str());
    return 1;
  }
  start = monotonic_ns();
  const std::string digest = sha256_hex(text);
  const double sha = seconds_since(start);
  const auto n = static_cast<double>(entries);
  std::printf("%lld entries, %.0f bytes each (SHA-256 of all: %.3f s, %s)\n",
              static_cast<long long>(entries), static_cast<double>(text.size()) / n, sha,
              digest.substr(0, 8).c_str());
  std::printf("append  %9.0f entries/s   %.2f of SHA-256's time\n", n / append, append / sha);
  std::printf("verify  %9.0f entries/s   %.2f of SHA-256's time, 1,000,000 in %.2f s\n", n / verify,
              verify / sha, verify / n * 1e6);
  return 0;
}

}  // namespace
}  // namespace shanhuo

int main() { return shanhuo::run(); }
