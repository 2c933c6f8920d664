#!/usr/bin/env bash
# Takes the pictures of docs/img from engines of its own: the shipped programs and catalogue with
# half a minute of simulated viewers for operators, and the demo's day for creators and impact.
# Needs a release build, the web pages and Chromium. ONLY=day leaves the first out.
set -euo pipefail
cd "$(dirname "$0")/.."
shanhuo=build/release/shanhuo
source scripts/lib.sh

work=$(mktemp -d)
children=()
trap 'stop_children "${children[@]}"; rm -rf "$work"' EXIT
operator_pictures() {
  cp -r configs "$work/configs"
  start_engine "$work/log" --config "$work/configs/engine.yaml" --data-dir "$work/data" \
    --listen 127.0.0.1:0
  children=("$engine_pid")
  load_catalogue "$work/catalogue"
  "$shanhuo" experiment enable fewer-repeats --to "$engine_url"
  "$shanhuo" simulate --to "$engine_url" --catalogue "$work/catalogue/items.ndjson" \
    --rate 100 --duration 40s
  node tests/web/pictures.mjs "$engine_url" docs/img
  stop_children "$engine_pid"
}

day_pictures() {
  local end_ms=$(($(date -d 2026-11-12T00:00:00+08:00 +%s) * 1000))
  cp -r configs/demo "$work/day"
  cp -r configs/giving "$work/day"
  start_engine "$work/day.log" --config "$work/day/engine.yaml" --data-dir "$work/day-data" \
    --listen 127.0.0.1:0
  children=("$engine_pid")
  load_catalogue "$work/catalogue"
  "$shanhuo" simulate --to "$engine_url" --catalogue "$work/catalogue/items.ndjson" \
    --clock caller --start 2026-11-11T00:00:00+08:00 --duration 24h --rate 0.7
  node tests/web/pictures_day.mjs "$engine_url" docs/img "$end_ms"
}

mkdir -p docs/img
python3 scripts/make_catalogue.py "$work/catalogue"
[[ ${ONLY:-} == day ]] || operator_pictures
day_pictures
