#!/bin/bash
# Our ban engine and fail2ban-server on the same log, in a network of its own: see
# main.go. Needs root, nft, fail2ban, taskset; about four minutes, most of them
# fail2ban's 5,000 bans. Flags are handed on: bench/ban/live/run.sh -theirs 0
set -euo pipefail
cd "$(dirname "$0")/../../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
CGO_ENABLED=0 go build -trimpath -o "$dir/hostward" ./cmd/hostward
go build -o "$dir/live" ./bench/ban/live
uptime
unshare -n sh -c 'ip link set lo up && exec "$@"' sh "$dir/live" -hostward "$dir/hostward" "$@"
