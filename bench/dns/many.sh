#!/bin/bash
# ZONES zones of ten records: how long each server takes from its start until
# the first, middle and last of them answer, and its memory then. On all
# cores, files in the page cache, one server after another. Loopback only.
# usage: bench/dns/many.sh [ZONES=100000] [ROUNDS=1]
set -euo pipefail
zones=${1:-100000} rounds=${2:-1}
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
pid=
finish() { [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"; }
trap finish EXIT
go build -o "$dir/dns" ./bench/dns
mkdir "$dir/zones" "$dir/nsd" "$dir/knot" "$dir/bind"
"$dir/dns" many -n "$zones" "$dir/zones"
"$dir/dns" queries -many "$zones" > "$dir/queries"
{
  printf 'server:\n  ip-address: 127.0.0.1@5396\n  server-count: 1\n  username: ""\n  chroot: ""\n  zonesdir: "%s/zones"\n  database: ""\n' "$dir"
  printf '  pidfile: "%s/nsd/pid"\n  xfrdfile: "%s/nsd/xfrd"\n  zonelistfile: "%s/nsd/list"\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n' "$dir" "$dir" "$dir"
  seq 0 $((zones - 1)) | sed 's/.*/zone:\n  name: z&.many.test\n  zonefile: z&.many.test.zone/'
} > "$dir/nsd.conf"
{
  printf 'server:\n  rundir: "%s/knot"\n  listen: 127.0.0.1@5397\ndatabase:\n  storage: "%s/knot"\n' "$dir" "$dir"
  printf 'template:\n  - id: default\n    storage: "%s/zones"\n    zonefile-sync: -1\n    journal-content: none\nzone:\n' "$dir"
  seq 0 $((zones - 1)) | sed 's/.*/  - domain: z&.many.test\n    file: z&.many.test.zone/'
} > "$dir/knot.conf"
{
  printf 'options { directory "%s/bind"; pid-file "%s/bind/pid"; session-keyfile "%s/bind/key"; lock-file none;\n' "$dir" "$dir" "$dir"
  printf 'listen-on port 5398 { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; notify no; empty-zones-enable no; };\ncontrols { };\n'
  seq 0 $((zones - 1)) | sed "s|.*|zone \"z&.many.test\" { type primary; file \"$dir/zones/z&.many.test.zone\"; };|"
} > "$dir/named.conf"
tree() { echo "$1"; for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$c"; done; }
pss() { local t=0; for p in $(tree "$1"); do t=$((t + $(awk '/^Pss:/{print $2}' /proc/"$p"/smaps_rollup))); done; echo $((t / 1024)); }
for i in 0 $((zones / 2)) $((zones - 1)); do echo "www.z$i.many.test. A" > "$dir/q$i"; done
# good: the question of a file is answered with NOERROR
good() { [ "$("$dir/dns" load -t 30ms -sockets 1 -window 2 "$1" "$2" | cut -d' ' -f5)" -gt 0 ]; }
measure() { # name port command...
  local name=$1 port=$2 from took
  shift 2
  from=$(date +%s%N)
  "$@" > "$dir/$name.log" 2>&1 & pid=$!
  for i in 0 $((zones / 2)) $((zones - 1)); do
    for _ in $(seq 600); do good "127.0.0.1:$port" "$dir/q$i" && break; sleep 0.05; done
  done
  took=$((($(date +%s%N) - from) / 1000000))
  sleep 2 # what it frees after loading is free by then
  echo "$name: loaded in $took ms, $(pss "$pid") MB, $("$dir/dns" load -t 3s "127.0.0.1:$port" "$dir/queries" | cut -d' ' -f1) q/s over all zones"
  kill "$pid"; wait "$pid" 2>/dev/null || true
  pid=
}
for ((r = 0; r < rounds; r++)); do
  measure hostward 5395 "$dir/dns" serve 127.0.0.1:5395 "$dir/zones"
  if command -v nsd > /dev/null; then measure nsd 5396 nsd -d -c "$dir/nsd.conf"; fi
  if command -v knotd > /dev/null; then measure knot 5397 knotd -c "$dir/knot.conf"; fi
  if command -v named > /dev/null; then measure bind 5398 named -f -c "$dir/named.conf"; fi
done
uptime
