#!/usr/bin/env bash
# Configures (when needed) and builds one preset of CMakePresets.json, and the web pages when their
# sources are newer than what was built.
#   scripts/build.sh release              everything, and the pages
#   scripts/build.sh asan asan_tests      only these targets
# JOBS: compilers at a time (default: one a processor).
set -euo pipefail
cd "$(dirname "$0")/.."

# Objects are shared between presets and checkouts: debug information names no build folder.
export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$PWD

preset=${1:?usage: scripts/build.sh PRESET [TARGET...]}
shift
dir=build/$preset

if [[ ! -e $dir/build.ninja || CMakePresets.json -nt $dir/build.ninja ]]; then
  echo "build: configuring $dir"
  mkdir -p "$dir"
  cmake --preset "$preset" >"$dir/configure.log" 2>&1 || {
    cat "$dir/configure.log" >&2
    exit 1
  }
fi

# On a terminal ninja shows one line that moves; elsewhere every 25th step is enough.
export NINJA_STATUS="build: $preset [%f/%t, %e s] "
run_ninja() {
  if [[ -t 1 ]]; then
    ninja -C "$dir" -j "${JOBS:-$(nproc)}" "$@"
  else
    ninja -C "$dir" -j "${JOBS:-$(nproc)}" "$@" |
      awk '/^ninja: (Entering|no work)/ { next }
           /^build: / { if (++steps % 25 == 0) { print; fflush() } next }
           { print; fflush() }'
  fi
}
SECONDS=0
run_ninja "$@"
echo "build: $dir is up to date ($SECONDS s)"

web_is_stale() {
  [[ ! -e web/dist/creator.html || ! -e build/web.stamp ]] ||
    [[ -n $(find web/src web/*.mjs web/package-lock.json -newer build/web.stamp -print -quit) ]]
}
if [[ $preset == release && $# -eq 0 ]] && web_is_stale; then
  touch build/web.stamp.new  # before it is read: what changes meanwhile is built the next time
  echo "build: the web pages"
  (cd web && npm run --silent build)
  mv build/web.stamp.new build/web.stamp
fi
