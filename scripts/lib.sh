# Sourced by run.sh and demo.sh: starting an engine and asking it.

# start_stream: by STREAM=embedded|kafka sets stream_flags, the engine's; for kafka a broker runs
# then (KAFKA_DIR and others as scripts/kafka.sh has them).
start_stream() {
  stream_flags=()
  case ${STREAM:-embedded} in
    embedded) ;;
    kafka)
      local said
      said=$(scripts/kafka.sh start)
      echo "$said"
      stream_flags=(--set stream.kind=kafka --set "kafka.bootstrap=${said##*kafka: }"
        --set "kafka.topic_prefix=${KAFKA_PREFIX:-shanhuo.}")
      ;;
    *)
      echo "STREAM: embedded or kafka" >&2
      return 2
      ;;
  esac
}

stop_stream() { [[ ${STREAM:-embedded} != kafka ]] || scripts/kafka.sh stop; }

# start_engine LOG ARGUMENT...: starts `shanhuo serve`, waits for its ready line, sets engine_pid
# and engine_url. LOG gets what it prints.
start_engine() {
  local log=$1
  shift
  : >"$log"
  "$shanhuo" serve "$@" >"$log" 2>&1 &
  engine_pid=$!
  until engine_url=$(sed -n 's/^ready: //p' "$log") && [[ -n $engine_url ]]; do
    if ! kill -0 "$engine_pid" 2>/dev/null; then
      cat "$log" >&2
      return 1
    fi
    sleep 0.1
  done
}

# status_of PATH: the HTTP status of a GET, 000 when nobody answers.
status_of() {
  curl -s -o /dev/null -w '%{http_code}' "$engine_url$1" || true
}

# load_catalogue DIR: the items and creators that make_catalogue.py wrote there.
load_catalogue() {
  "$shanhuo" replay "$1/items.ndjson" --to "$engine_url"
  "$shanhuo" replay "$1/creators.ndjson" --to "$engine_url"
}

# stop_children PID...: one after the other, asks each to end and waits until it has.
stop_children() {
  local pid
  for pid in "$@"; do
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}
