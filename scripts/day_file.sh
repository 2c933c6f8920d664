#!/usr/bin/env bash
# A day's file into a running engine: imports KuaiRand (README, "Real data"), replays it over the
# HTTP API at full speed, waits until all of it is visible, and prints a table. Each viewer of the
# data set comes COPIES times, under other names, so that the file has a day's size.
#   scripts/day_file.sh [DIR]     ../shared/data/kuairand
# BUILD=build/release CONNECTIONS=4 COPIES=10
set -euo pipefail
cd "$(dirname "$0")/.."

data=${1:-../shared/data/kuairand}
shanhuo=${BUILD:-build/release}/shanhuo
work=$(mktemp -d)
engine=
end() {
  [[ -z $engine ]] || { kill "$engine" && wait "$engine"; } || true
  rm -rf "$work"
}
trap end EXIT
mkdir -p "$work/config/programs"
: >"$work/config/engine.yaml"

now() { date +%s.%N; }
number() { python3 -c 'import json, sys
found = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    found = found[name]
print(found)' "$1"; }

begin=$(now)
"$shanhuo" import kuairand "$data" --out "$work/day" >/dev/null
imported=$(now)
rows=$(wc -l <"$work/day/events.ndjson")
awk -v copies="${COPIES:-10}" '{
  for (i = 0; i < copies; i++) {
    line = $0
    sub(/"event_id":"/, "&c" i "-", line)
    sub(/"user_id":"/, "&c" i "-", line)
    print line
  }
}' "$work/day/events.ndjson" >"$work/events.ndjson"

"$shanhuo" serve --config "$work/config/engine.yaml" --data-dir "$work/data" \
  --listen 127.0.0.1:0 --set clock=caller >"$work/said" &
engine=$!
for ((i = 0; i < 300; i++)); do
  url=$(sed -n 's/^ready: //p' "$work/said")
  [[ -z $url ]] || break
  sleep 0.1
done
"$shanhuo" replay "$work/day/items.ndjson" --to "$url" >/dev/null
first=$(now)
summary=$("$shanhuo" replay "$work/events.ndjson" --to "$url" \
  --connections "${CONNECTIONS:-4}" --json)
while [[ $(curl -fsS "$url/v1/stats" | number lag_records) != 0 ]]; do sleep 0.01; done
visible=$(now)
accepted=$(number accepted <<<"$summary")
python3 - "$rows" "$accepted" "$begin" "$imported" "$first" "$visible" <<'TABLE'
import sys
rows, accepted = map(int, sys.argv[1:3])
begin, imported, first, visible = map(float, sys.argv[3:])
slowest, fastest = 1_000, 3_000  # events/s that Metarank's documentation names for an import
print("| step | events | seconds | events/s | times 1,000 to 3,000 |\n|---|---|---|---|---|")
for name, count, seconds in (("CSV to events.ndjson", rows, imported - begin),
                             ("events.ndjson through the API, until visible", accepted,
                              visible - first)):
    rate = count / seconds
    print(f"| {name} | {count:,} | {seconds:.1f} | {rate:,.0f} | "
          f"{rate / fastest:.0f} to {rate / slowest:.0f} |")
TABLE
