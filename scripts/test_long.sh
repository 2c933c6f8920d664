#!/usr/bin/env bash
# The long fault tests: 10,000 seeds of the simulation, 200 kills amid 2 M events, a soak of 30
# minutes. About 50 minutes; docs/faults.md keeps what the last run printed.
#   scripts/test_long.sh
#   SEEDS=1000 KILLS=50 EVENTS=500000 SOAK_MINUTES=5 scripts/test_long.sh     a smaller one
# BUILD: where the binaries are (build/release).
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD=${BUILD:-build/release}
SEEDS=${SEEDS:-10000}

echo "== simulation, $SEEDS seeds =="
SHANHUO_SEEDS=0..$((SEEDS - 1)) "$BUILD/streaming_simulation_test" --gtest_brief=1 \
  --gtest_filter='*EqualsTheOracle*'
echo "== a real process =="
SHANHUO_BIN=$PWD/$BUILD/shanhuo python3 tests/faults/long.py
