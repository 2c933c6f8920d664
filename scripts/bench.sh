#!/usr/bin/env bash
# Runs every benchmark of bench/ in full size, one after the other, and prints its tables.
#   scripts/bench.sh             all
#   scripts/bench.sh rank        only those whose name contains `rank`
# Each one's output is kept in build/bench/NAME.txt. Figures of one run compare; those of two runs
# of a shared machine do not.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=build/release
mapfile -t names < <(ctest --test-dir "$dir" -N -L '^bench$' |
  sed -nE 's/^ *Test +#[0-9]+: (.*)$/\1/p' | grep -F -- "${1:-}")
if ((${#names[@]} == 0)); then
  echo "bench: no benchmark${1:+ whose name contains $1}" >&2
  exit 1
fi
mkdir -p build/bench
echo "bench: $(nproc) processors, $(sed -nE '/^model name/{s/.*: //p;q}' /proc/cpuinfo)," \
  "$(git rev-parse --short HEAD 2>/dev/null || echo 'no revision')"
failed=0
for name in "${names[@]}"; do
  echo
  echo "== $name =="
  "$dir/$name" 2>&1 | tee "build/bench/$name.txt" || failed=$((failed + 1))
done
((failed == 0)) || {
  echo "bench: $failed of ${#names[@]} failed" >&2
  exit 1
}
