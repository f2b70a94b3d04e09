#!/usr/bin/env bash
# Every figure of docs/benchmarks.md, one after another. About fifteen minutes on
# a quiet machine; bounded, on loopback, in temporary folders.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "== the door and the log"; go run ./bench/log
echo "== the doors"; go run ./bench/doors -only access; go run ./bench/doors -only timing; go run ./bench/doors -only flood
echo "== breached passwords"; go run ./bench/breach
echo "== the panel"; bench/panel/run.sh
echo "== the nameserver"; bench/dns/run.sh
echo "== signing"; go run ./bench/sign; go run ./bench/sign -nsec3
echo "== bans, live"; bench/ban/live/run.sh
echo "== the firewall"; go run ./bench/firewall
echo "== bans, matching alone"; go run ./bench/ban/match
