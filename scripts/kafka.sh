#!/usr/bin/env bash
# One Apache Kafka broker on 127.0.0.1, for tests and for trying Shanhuo on Kafka. No Docker, no
# root: a JVM (17) and Maven, which fetches it from Maven Central once and verifies its checksums.
#   scripts/kafka.sh fetch      only fetches
#   scripts/kafka.sh start      fetches, formats storage, starts, makes the topics, prints
#                               `kafka: HOST:PORT`
#   scripts/kafka.sh topics     makes the topics that are missing
#   scripts/kafka.sh restart    starts a broker that was stopped or killed, on its old port and data
#   scripts/kafka.sh status     prints where it listens and its pid; 1 when it is not running
#   scripts/kafka.sh kill       kill -9, as a crash would
#   scripts/kafka.sh stop
#   scripts/kafka.sh tool CLASS ARG...   one of Kafka's own, as kafka.admin.ConfigCommand
# KAFKA_DIR=var/kafka    data, log and pid of the broker; another folder is another broker
# KAFKA_PORT=9092        0: any free one
# KAFKA_PARTITIONS=4     of shanhuo.interactions, when it is made
# KAFKA_PREFIX=shanhuo.  of the topics' names
# KAFKA_LISTENERS=       more listeners, as SASL_SSL://127.0.0.1:9094; KAFKA_ADVERTISED= what they
#                        call themselves, when it is not that
# KAFKA_PROPERTIES=      a file with more of the broker's settings, when its storage is made
# KAFKA_OWNER=           a process id: the broker is killed when that process has ended
# KAFKA_HOME=            an unpacked Kafka of yours (its libs/ is used) instead of the fetched one
# KAFKA_BOOTSTRAP=       a cluster of yours: nothing is started or stopped, only topics are made
set -euo pipefail
cd "$(dirname "$0")/.."

KAFKA_VERSION=3.9.1
dir=${KAFKA_DIR:-var/kafka}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/shanhuo/kafka-$KAFKA_VERSION
libs=${KAFKA_HOME:+$KAFKA_HOME/libs}
libs=${libs:-$cache/libs}

fail() {
  echo "kafka: $*" >&2
  exit 1
}

fetch() {
  [[ -z ${KAFKA_HOME:-} ]] || { [[ -d $libs ]] || fail "KAFKA_HOME has no folder libs"; return 0; }
  [[ ! -e $cache/complete ]] || return 0
  command -v mvn >/dev/null || fail "Maven is missing: scripts/install.sh"
  mkdir -p "$cache"
  # Two that start at once fetch once.
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -e $cache/complete ]]; then
    echo "kafka: fetching Apache Kafka $KAFKA_VERSION from Maven Central into $cache" >&2
    rm -rf "$libs"
    mvn -q -B -C -Dstyle.color=never -f scripts/kafka/pom.xml -Dkafka.version="$KAFKA_VERSION" \
      dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs" >&2
    touch "$cache/complete"
  fi
  exec 9>&-
}

# java_tool HEAP CLASS ARG...
java_tool() {
  local heap=$1
  shift
  java "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$libs/*" \
    -Dlog4j.configuration="file:$PWD/scripts/kafka/log4j.properties" "$@"
}

free_port() {
  python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

write_properties() {
  local port=$1 controller=$2 more=${KAFKA_LISTENERS:+,$KAFKA_LISTENERS}
  cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller$more
advertised.listeners=PLAINTEXT://127.0.0.1:$port${KAFKA_ADVERTISED:+,$KAFKA_ADVERTISED}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$(realpath "$dir")/data
num.partitions=1
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.message.timestamp.type=LogAppendTime
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
  [[ -z ${KAFKA_PROPERTIES:-} ]] || cat "$KAFKA_PROPERTIES" >>"$dir/server.properties"
}

pid_of_broker() {
  local pid
  pid=$(cat "$dir/pid" 2>/dev/null) || return 1
  # The pid may have gone to somebody else since.
  cat "/proc/$pid/cmdline" 2>/dev/null | tr '\0' ' ' |
    grep -q "kafka.Kafka $dir/server.properties" || return 1
  echo "$pid"
}

bootstrap() {
  [[ -z ${KAFKA_BOOTSTRAP:-} ]] || { echo "$KAFKA_BOOTSTRAP"; return; }
  sed -n 's|^advertised.listeners=PLAINTEXT://\([^,]*\).*|\1|p' "$dir/server.properties"
}

answers() { kcat -b "$(bootstrap)" -L -m 1 >/dev/null 2>&1; }

# Of tests and benches, which may be killed before they stop their broker.
# shellcheck disable=SC2016  # these are its own $1 and $2
watch='while kill -0 "$1" && kill -0 "$2"; do sleep 1; done; kill -KILL "$2"'

launch() {
  local pid i
  # Of its own session: a terminal's Ctrl-C is not for the broker.
  setsid java -Xms256m -Xmx512m -XX:+UseSerialGC -cp "$libs/*" \
    -Dlog4j.configuration="file:$PWD/scripts/kafka/log4j.properties" \
    kafka.Kafka "$dir/server.properties" >>"$dir/broker.log" 2>&1 </dev/null &
  pid=$!
  echo "$pid" >"$dir/pid"
  if [[ -n ${KAFKA_OWNER:-} ]]; then
    setsid bash -c "$watch" - "$KAFKA_OWNER" "$pid" &>/dev/null </dev/null &
  fi
  for ((i = 0; i < 300; i++)); do
    answers && return
    kill -0 "$pid" 2>/dev/null || { tail -n 30 "$dir/broker.log" >&2; fail "the broker ended"; }
    sleep 0.2
  done
  fail "the broker does not answer after a minute; see $dir/broker.log"
}

start() {
  local port=${KAFKA_PORT:-9092}
  fetch
  if [[ -n ${KAFKA_BOOTSTRAP:-} ]] || pid_of_broker >/dev/null; then
    topics
    echo "kafka: $(bootstrap)"
    return
  fi
  mkdir -p "$dir"
  ((port != 0)) || port=$(free_port)
  write_properties "$port" "$(free_port)"
  if [[ ! -e $dir/data/meta.properties ]]; then
    java_tool 128m kafka.tools.StorageTool format -c "$dir/server.properties" \
      -t "$(java_tool 128m kafka.tools.StorageTool random-uuid)" >"$dir/format.log" 2>&1 ||
      { cat "$dir/format.log" >&2; exit 1; }
  fi
  launch
  topics
  echo "kafka: $(bootstrap)"
}

restart() {
  [[ -e $dir/server.properties ]] || fail "no broker was ever started in $dir"
  pid_of_broker >/dev/null || launch
  echo "kafka: $(bootstrap)"
}

topics() {
  local prefix=${KAFKA_PREFIX:-shanhuo.} have name makers=()
  have=$(kcat -b "$(bootstrap)" -L -m 10 | sed -n 's/^ *topic "\([^"]*\)".*/\1/p')
  for name in items interactions decisions dead-letters; do
    ! grep -qxF "$prefix$name" <<<"$have" || continue
    create_topic "$prefix$name" "$name" &
    makers+=($!)
  done
  for name in "${makers[@]}"; do wait "$name"; done
}

create_topic() {
  local topic=$1 kind=$2 partitions=1 config=(--config message.timestamp.type=LogAppendTime)
  [[ $kind != interactions ]] || partitions=${KAFKA_PARTITIONS:-4}
  [[ $kind != items ]] || config+=(--config cleanup.policy=compact)
  # A letter is somewhat larger than the record in it, which may be as large as its topic allows.
  [[ $kind != dead-letters ]] || config+=(--config max.message.bytes=8388608)
  java_tool 128m org.apache.kafka.tools.TopicCommand --bootstrap-server "$(bootstrap)" --create \
    --if-not-exists --topic "$topic" --partitions "$partitions" "${config[@]}" >/dev/null
}

# stop SIGNAL: sends it and waits until the broker is gone.
stop() {
  local signal=$1 pid i
  pid=$(pid_of_broker) || return 0
  kill "-$signal" "$pid"
  for ((i = 0; i < 300; i++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$pid"
}

status() {
  if [[ -n ${KAFKA_BOOTSTRAP:-} ]]; then
    answers || fail "$KAFKA_BOOTSTRAP does not answer"
    echo "kafka: $KAFKA_BOOTSTRAP, not ours"
    return
  fi
  local pid
  pid=$(pid_of_broker) || fail "no broker runs in $dir"
  answers || fail "the broker (pid $pid) does not answer"
  echo "kafka: $(bootstrap), pid $pid"
}

case ${1:-} in
  fetch | start | restart | topics | status) "$1" ;;
  stop) stop TERM ;;
  kill) stop KILL ;;
  tool) shift; java_tool 128m "$@" ;;
  *) sed -n '2,24s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
