#!/usr/bin/env bash
# One simulated day (2026-11-11, UTC+8) in front of an engine of its own, then a table. Exits 0 only
# if every program that can be met ended with goal <= delivered <= cap.
#   SEED, VIEWERS, RATE (pages a second of simulated time): another day
#   STREAM=kafka: on a Kafka broker of its own
set -euo pipefail
cd "$(dirname "$0")/.."
shanhuo=${SHANHUO_BIN:-build/release/shanhuo}
source scripts/lib.sh

work=$(mktemp -d "${TMPDIR:-/tmp}/shanhuo-demo.XXXXXX")
engine_pid=
export KAFKA_DIR=$work/kafka KAFKA_PORT=0
trap '[[ -z $engine_pid ]] || stop_children "$engine_pid"; stop_stream; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

python3 scripts/make_catalogue.py build/demo
start_stream
cp -r configs/demo "$work/config"
cp -r configs/giving "$work/config"
start_engine "$work/engine.log" --config "$work/config/engine.yaml" --data-dir "$work/data" \
  --listen 127.0.0.1:0 "${stream_flags[@]}"
load_catalogue build/demo
end_ms=$(($(date -d 2026-11-12T00:00:00+08:00 +%s) * 1000))  # of the simulated day
echo "pages while the day runs: $engine_url/impact?to=$end_ms" \
  "$engine_url/creator?id=creator-433124-1&to=$end_ms $engine_url/operate"
"$shanhuo" simulate --to "$engine_url" --catalogue build/demo/items.ndjson --clock caller \
  --start 2026-11-11T00:00:00+08:00 --duration 24h --seed "${SEED:-1}" \
  --viewers "${VIEWERS:-20000}" --rate "${RATE:-0.7}" --json >"$work/simulation.json"

# Everything that was accepted has been folded when nothing lags any more.
for ((i = 0; i < 300; i++)); do
  "$shanhuo" stats --to "$engine_url" --json >"$work/stats.json"
  grep -q '"lag_records":0[,}]' "$work/stats.json" && break
  sleep 0.2
done
curl -sSf "$engine_url/v1/impact?to=$end_ms" >"$work/impact.json"
python3 scripts/demo_impact.py "$work/impact.json"
"$shanhuo" ledger verify --to "$engine_url"
"$shanhuo" program ls --to "$engine_url" --json >"$work/programs.json"
python3 scripts/demo_table.py "$work/programs.json" "$work/stats.json" "$work/simulation.json"
