#!/bin/bash
# Queries a second of the embedded nameserver, NSD, Knot and BIND in one run: the
# same zone and questions, each server with one worker on core 0, the load on
# core 1, in turn. Loopback only; four servers and ROUNDS x SECONDS each.
# With SIGNED=1 the zone is signed (ECDSA, NSEC) and all questions have DO.
# usage: [SIGNED=1] bench/dns/run.sh [ROUNDS=3] [SECONDS=3] [NAMES=10000]
set -euo pipefail
rounds=${1:-3} seconds=${2:-3} names=${3:-10000}
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
pids=()
finish() { for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$dir"; }
trap finish EXIT

go build -o "$dir/dns" ./bench/dns
"$dir/dns" zone -names "$names" > "$dir/zone"
"$dir/dns" queries -names "$names" > "$dir/queries"
do=
if [ -n "${SIGNED:-}" ]; then
  do=-do
  (cd "$dir" && key=$(ldns-keygen -a ECDSAP256SHA256 bench.test) && ldns-signzone -e 20400101 -o bench.test -f signed zone "$key" && mv signed zone)
fi
mkdir "$dir/nsd" "$dir/knot" "$dir/bind"
cat > "$dir/nsd.conf" <<E
server:
  ip-address: 127.0.0.1@5391
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "$dir/nsd"
  database: ""
  pidfile: "$dir/nsd/pid"
  xfrdfile: "$dir/nsd/xfrd"
  zonelistfile: "$dir/nsd/list"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: bench.test
  zonefile: $dir/zone
E
cat > "$dir/knot.conf" <<E
server:
  rundir: "$dir/knot"
  listen: 127.0.0.1@5392
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "$dir/knot"
log:
  - target: stderr
    any: error
zone:
  - domain: bench.test
    storage: "$dir/knot"
    file: "$dir/zone"
    zonefile-sync: -1
    journal-content: none
E
cat > "$dir/named.conf" <<E
options {
  directory "$dir/bind"; pid-file "$dir/bind/pid"; session-keyfile "$dir/bind/key"; lock-file none;
  listen-on port 5393 { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; empty-zones-enable no; allow-transfer { none; };
};
controls { };
zone "bench.test" { type primary; file "$dir/zone"; };
E
declare -A port=([hostward]=5390 [nsd]=5391 [knot]=5392 [bind]=5393) pid
start() { taskset -c 0 "${@:2}" > "$dir/$1.log" 2>&1 & pid[$1]=$!; pids+=($!); }
GOMAXPROCS=1 start hostward "$dir/dns" serve 127.0.0.1:5390 "$dir/zone"
command -v nsd > /dev/null && start nsd nsd -d -c "$dir/nsd.conf"
command -v knotd > /dev/null && start knot knotd -c "$dir/knot.conf"
command -v named > /dev/null && start bind named -f -n 1 -c "$dir/named.conf"

# a server is ready when it answers one question
for s in "${!pid[@]}"; do
  for _ in $(seq 200); do
    [ "$("$dir/dns" load -t 50ms -sockets 1 -window 2 127.0.0.1:${port[$s]} "$dir/queries" | cut -d' ' -f1)" -gt 0 ] && continue 2
    sleep 0.1
  done
  echo "$s does not answer:"; cat "$dir/$s.log"; exit 1
done

# quiet waits, at most 3 s, until both cores have been idle for half a second
busy() { awk '/^cpu /{print $2+$3+$4+$7+$8}' /proc/stat; }
quiet() {
  for _ in $(seq 6); do
    local before; before=$(busy); sleep 0.5
    [ $(($(busy) - before)) -le 8 ] && return
  done
  noisy=$((noisy + 1))
}
noisy=0

tree() { echo "$1"; for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$c"; done; }
pss() { local t=0; for p in $(tree "$1"); do t=$((t + $(awk '/^Pss:/{print $2}' /proc/"$p"/smaps_rollup))); done; echo $((t / 1024)); }
ticks() { local t=0; for p in $(tree "$1"); do t=$((t + $(sed 's/.*) //' /proc/"$p"/stat | awk '{print $12 + $13}'))); done; echo "$t"; }
for ((i = 0; i < rounds; i++)); do
  for s in hostward nsd knot bind; do
    [ -n "${pid[$s]:-}" ] || continue
    quiet
    before=$(ticks "${pid[$s]}")
    line=$(taskset -c 1 "$dir/dns" load $do -t "${seconds}s" 127.0.0.1:${port[$s]} "$dir/queries")
    echo "$s $line $(((($(ticks "${pid[$s]}") - before) * 100) / ($(getconf CLK_TCK) * seconds)))" >> "$dir/results"
  done
done
cat "$dir/hostward.log"
[ "$noisy" = 0 ] || echo "the machine was busy with other work in $noisy of the measurements"
printf '%-9s %10s %17s %8s %8s %6s %6s %8s\n' server 'median q/s' 'lowest-highest' p50 p99 lost CPU memory
for s in hostward nsd knot bind; do
  [ -n "${pid[$s]:-}" ] || { echo "$s is not installed"; continue; }
  grep "^$s " "$dir/results" | sort -n -k2 | awk -v mem="$(pss "${pid[$s]}")" '{q[NR]=$2; a[NR]=$3; b[NR]=$4; lost+=$5; c[NR]=$8}
    END {m=int((NR+1)/2); printf "%-9s %10d %17s %8s %8s %6d %5d%% %5d MB\n", $1, q[m], q[1] "-" q[NR], a[m], b[m], lost, c[m], mem}'
done
