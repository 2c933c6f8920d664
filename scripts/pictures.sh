#!/usr/bin/env bash
# Takes the pictures of docs/img from an engine of its own: the shipped programs and catalogue, and
# half a minute of simulated viewers. Needs a release build, the web pages and Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
shanhuo=build/release/shanhuo
source scripts/lib.sh

work=$(mktemp -d)
children=()
trap 'stop_children "${children[@]}"; rm -rf "$work"' EXIT
cp -r configs "$work/configs"
start_engine "$work/log" --config "$work/configs/engine.yaml" --data-dir "$work/data" \
  --listen 127.0.0.1:0
children=("$engine_pid")
python3 scripts/make_catalogue.py "$work/catalogue"
load_catalogue "$work/catalogue"
"$shanhuo" experiment enable fewer-repeats --to "$engine_url"
"$shanhuo" simulate --to "$engine_url" --catalogue "$work/catalogue/items.ndjson" \
  --rate 100 --duration 40s
mkdir -p docs/img
node tests/web/pictures.mjs "$engine_url" docs/img
