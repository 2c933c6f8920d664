#!/usr/bin/env bash
# The engine with the shipped catalogue and programs, and simulated viewers, until Ctrl-C.
#   PORT=8080     on 127.0.0.1
#   SIMULATE=0    without viewers
#   RATE=5        pages a second that they ask for
#   STREAM=kafka  on a Kafka broker (scripts/kafka.sh) instead of the embedded log
# Data stay in var/ from one run to the next.
set -euo pipefail
cd "$(dirname "$0")/.."
shanhuo=${SHANHUO_BIN:-build/release/shanhuo}
source scripts/lib.sh

mkdir -p var
children=()
stop() {
  trap - EXIT INT TERM
  stop_children "${children[@]}"  # viewers first, then the engine
  stop_stream
}
trap 'stop' EXIT
trap 'stop; exit 0' INT TERM

# Children must not get the terminal's Ctrl-C themselves: they are stopped in order.
set -m
start_stream
data=var/data
[[ ${STREAM:-embedded} != kafka ]] || data=var/data-kafka
start_engine var/engine.log --config configs/engine.yaml --data-dir "$data" \
  --listen "127.0.0.1:${PORT:-8080}" "${stream_flags[@]}"
children=("$engine_pid")

catalogue=var/catalogue
[[ -s $catalogue/items.ndjson ]] || python3 scripts/make_catalogue.py "$catalogue"
first=$(sed -n '1s/^{"item_id":"\([^"]*\)".*/\1/p' "$catalogue/items.ndjson")
[[ $(status_of "/v1/items/$first") != 404 ]] || load_catalogue "$catalogue"

if [[ ${SIMULATE:-1} != 0 ]]; then
  "$shanhuo" simulate --to "$engine_url" --catalogue "$catalogue/items.ndjson" \
    --rate "${RATE:-5}" --patience 1h >var/simulate.log 2>&1 &
  children=("$!" "$engine_pid")
fi
echo "ready: $engine_url"
wait "$engine_pid"
