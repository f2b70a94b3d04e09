#!/usr/bin/env bash
# Measures what the panel costs: start, idle memory, first page.
# Needs curl; everything stays on loopback and in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
BIN=${BIN:-$(mktemp -d)/hostward}
[ -x "$BIN" ] || CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$BIN" ./cmd/hostward
DATA=$(mktemp -d)
PORT=${PORT:-18743}
trap 'kill "${PID:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$DATA"' EXIT

now() { date +%s%N; }
start() { # until /readyz answers 200
  local began; began=$(now)
  "$BIN" serve --data "$DATA" --listen "127.0.0.1:$PORT" --dns 127.0.0.1:$((PORT + 1)) >/dev/null 2>&1 &
  PID=$!
  until [ "$(curl -sk -o /dev/null -w '%{http_code}' "https://127.0.0.1:$PORT/readyz")" = 200 ]; do sleep 0.005; done
  echo $((($(now) - began) / 1000000))
}
stop() { kill "$PID"; wait "$PID" 2>/dev/null || true; }

# In this shell, so that PID is kept.
start > "$DATA/ms"; echo "first start, making keys, certificate and database: $(cat "$DATA/ms") ms"
stop
for i in 1 2 3 4 5; do start > "$DATA/ms"; cat "$DATA/ms" >> "$DATA/starts"; stop; done
echo "start on existing data until /readyz says 200, median of 5: $(sort -n "$DATA/starts" | sed -n 3p) ms (wanted: 300)"
start > "$DATA/ms"
sleep "${IDLE:-5}" # idle is a state that lasts
echo "idle memory, PSS: $(awk '/^Pss:/ {print int($2/1024)}' "/proc/$PID/smaps_rollup") MB (wanted: below 60)"

page() { curl -skL --compressed -o "$DATA/page" -w '%{size_download} %{time_starttransfer} %{time_appconnect}\n' "https://127.0.0.1:$PORT$1"; }
# A set-up page is what a newcomer sees first; with it come style and script.
page /login >/dev/null
total=0
read -r bytes first tls <<<"$(page /login)"
total=$bytes
for asset in $(curl -sk "https://127.0.0.1:$PORT/login" -L | grep -oE '(href|src)="/[^"]+\.(css|js|svg)[^"]*"' | cut -d'"' -f2 | sort -u); do
  read -r b _ _ <<<"$(page "$asset")"; total=$((total + b))
done
echo "first page with everything it needs, over the wire: $((total / 1024)) KB (wanted: below 100)"
for i in $(seq 20); do page /login; done | awk '{printf "%.1f\n", ($2-$3)*1000}' | sort -n > "$DATA/times"
echo "first page on the server, median of 20: $(sed -n 10p "$DATA/times") ms, slowest $(tail -1 "$DATA/times") ms (wanted: 50)"
