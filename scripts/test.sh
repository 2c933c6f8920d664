#!/usr/bin/env bash
# Every test, stage after stage; a stage that fails does not stop the others.
#   scripts/test.sh               all stages
#   scripts/test.sh style tidy    only these
# Needs a release build (scripts/build.sh release); the sanitizers and the fuzzers build their own.
# FUZZ_SECONDS: how long each fuzzer runs (20). Logs are kept in build/test-logs. The last line says
# "N passed, N failed" of all stages together; the exit code is 1 when anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."

STAGES=(style format tidy tests kafka asan tsan fuzz bench web demo)
CODE=(base features models ranking streaming configs serving tests bench)
LOGS=build/test-logs
JOBS=${JOBS:-$(nproc)}
FUZZ_SECONDS=${FUZZ_SECONDS:-20}

# ---- The stages. Each prints what it does and, somewhere, counts that tally() can read. ----

run_style() { python3 tests/style_test.py 2>&1; }

run_format() {
  local files bad
  mapfile -t files < <(find "${CODE[@]}" -name '*.h' -o -name '*.cc' | sort)
  clang-format --dry-run -Werror "${files[@]}" >build/format.log 2>&1
  local status=$?
  bad=$(grep -oE '^[^:]+:[0-9]+:[0-9]+: error' build/format.log | cut -d: -f1 | sort -u)
  if [[ -n $bad ]]; then
    echo "not as clang-format would have it (clang-format -i FILE):"
    echo "$bad"
  fi
  bad=$(grep -c . <<<"$bad")
  echo "$((${#files[@]} - bad)) passed, $bad failed"
  return $status
}

run_tidy() { scripts/tidy.py 2>&1; }

# run_ctest PRESET ARG...: one test binary a processor; what fails is shown in full.
run_ctest() {
  local preset=$1
  shift
  # shellcheck disable=SC2086  # LAUNCH is a list of words
  ${LAUNCH:-} ctest --test-dir "build/$preset" -j "$JOBS" --output-on-failure \
    --no-tests=ignore "$@" 2>&1 |
    grep -vE '^(Internal ctest| +Start +[0-9]+:|$)'
}

run_tests() { run_ctest release -LE '^(bench|kafka)$'; }

# With a broker of the test's own, or KAFKA_BOOTSTRAP's; without one it fails.
run_kafka() { run_ctest release -L '^kafka$'; }

run_asan() {
  scripts/build.sh asan asan_tests || return 1
  # Debian's libraries are not instrumented: what they do to our strings and vectors is not seen.
  ASAN_OPTIONS=detect_container_overflow=0:detect_stack_use_after_return=1:strict_string_checks=1 \
    UBSAN_OPTIONS=print_stacktrace=1 run_ctest asan -LE '^(bench|no-asan)$'
}

run_tsan() {
  scripts/build.sh tsan tsan_tests || return 1
  # GCC's runtime does not know the wide address randomization of newer kernels.
  local plain_addresses=()
  setarch -R true 2>/dev/null && plain_addresses=(setarch -R)
  TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1" \
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 LAUNCH="${plain_addresses[*]}" \
    run_ctest tsan -L '^tsan$'
}

# One fuzzer: first its seeds and what earlier runs found, then FUZZ_SECONDS of its own inputs.
# What it finds interesting stays in build/fuzz/found/NAME; an input that breaks it in
# build/fuzz/broken/NAME, to be fixed and added to the seeds.
fuzz_one() {
  local name=$1 dictionary=()
  local found=build/fuzz/found/$name broken=build/fuzz/broken/$name log=$LOGS/fuzz-$name.log
  mkdir -p "$found" "$broken"
  [[ -e tests/fuzz/$name.dict ]] && dictionary=("-dict=tests/fuzz/$name.dict")
  if ASAN_OPTIONS=detect_container_overflow=0 "build/fuzz/$name" "${dictionary[@]}" \
    -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -max_len=8192 \
    -print_final_stats=1 -artifact_prefix="$broken/" \
    "$found" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    echo "$name: $(grep -aoE 'executed_units: [0-9]+' "$log" | cut -d' ' -f2) inputs," \
      "$(find "$found" -type f | wc -l) kept"
  else
    echo "$name failed:"
    tail -n 60 "$log"
    return 1
  fi
}

run_fuzz() {
  scripts/build.sh fuzz fuzz_tests || return 1
  local names name failed=0
  mapfile -t names <build/fuzz/targets.txt
  for name in "${names[@]}"; do
    while (($(jobs -rp | wc -l) >= JOBS)); do wait -n; done
    { fuzz_one "$name" >"$LOGS/fuzz-$name.said" || echo failed >>"$LOGS/fuzz-$name.said"; } &
  done
  wait
  for name in "${names[@]}"; do
    cat "$LOGS/fuzz-$name.said"
    [[ $(tail -n 1 "$LOGS/fuzz-$name.said") != failed ]] || failed=$((failed + 1))
  done
  echo "$((${#names[@]} - failed)) passed, $failed failed"
  ((failed == 0))
}

run_bench() { run_ctest release -L '^bench$'; }

# The pages' types; each page in every state against an engine of the test's own, then against the
# real one.
run_web() {
  local work page status=0
  if (cd web && npx --no-install tsc); then
    echo "1 passed, 0 failed"
  else
    echo "0 passed, 1 failed"
    status=1
  fi
  for page in creator operator impact sign_in; do
    node "tests/web/${page}_page_test.mjs" 2>&1 || status=1
  done
  work=$(mktemp -d)
  (
    set -e
    shanhuo=build/release/shanhuo
    source scripts/lib.sh
    cp -r configs/demo "$work/config"  # what operators switch is written there
    cp -r configs/metrics "$work/config"
    start_engine "$work/log" --config "$work/config/engine.yaml" --set clock=wall \
      --data-dir "$work/data" --listen 127.0.0.1:0
    trap 'stop_children "$engine_pid"' EXIT
    for page in creator operator impact; do
      SHANHUO_URL=$engine_url node "tests/web/${page}_page_test.mjs" 2>&1
    done
  ) || status=1
  rm -rf "$work"
  return $status
}

run_demo() {
  if scripts/demo.sh 2>&1; then
    echo "1 passed, 0 failed"
  else
    echo "0 passed, 1 failed"
    return 1
  fi
}

# ---- Running and counting ----

# tally LOG: "passed failed" of a stage, from what ctest, the stage itself or unittest said. Of
# ctest and unittest only the last such line counts: the output of a failed test may have others.
tally() {
  awk '/tests passed, [0-9]+ tests? failed out of [0-9]+$/ { ctest = ($NF - $4) " " $4 }
       /^[0-9]+ passed, [0-9]+ failed$/ { good += $1; wrong += $3; plain = good " " wrong }
       /^Ran [0-9]+ tests? in / { ran = $2; bad = 0; unit = 1 }
       /^FAILED \(/ {
         while (match($0, /(failures|errors)=[0-9]+/)) {
           split(substr($0, RSTART, RLENGTH), pair, "=")
           bad += pair[2]
           $0 = substr($0, RSTART + RLENGTH)
         }
       }
       END {
         if (ctest != "") print ctest
         else if (plain != "") print plain
         else print (unit ? (ran - bad) " " bad : "0 0")
       }' "$1"
}

run_stage() {
  local stage=$1 started=$SECONDS status counts
  echo
  echo "== $stage =="
  "run_$stage" 2>&1 | tee "$LOGS/$stage.log" | sed -u 's/^/  /'
  status=${PIPESTATUS[0]}
  read -ra counts <<<"$(tally "$LOGS/$stage.log")"
  # A stage that failed without a failed test (a build, a crash) is one failure.
  ((status != 0 && counts[1] == 0)) && counts[1]=1
  passed=$((passed + counts[0]))
  failed=$((failed + counts[1]))
  summary+=("$(printf '%-8s %5d passed %4d failed %5d s' "$stage" "${counts[@]}" \
    "$((SECONDS - started))")")
  echo "  -- ${summary[-1]}"
}

mkdir -p "$LOGS"
(($#)) || set -- "${STAGES[@]}"
for stage in "$@"; do
  if [[ " ${STAGES[*]} " != *" $stage "* ]]; then
    echo "test: no stage $stage; there are: ${STAGES[*]}" >&2
    exit 2
  fi
done
passed=0 failed=0 summary=()
for stage in "$@"; do run_stage "$stage"; done

echo
echo "== all stages, $SECONDS s =="
printf '  %s\n' "${summary[@]}"
echo "$passed passed, $failed failed"
((failed == 0))
