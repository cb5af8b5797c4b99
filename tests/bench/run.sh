#!/bin/sh
# make bench: run the bench program alone in a network namespace, so that
# ports and traffic stay private. Needs root; rtpengine is the peer.
set -e
program=$1
results=$2
if [ "$(id -u)" != 0 ]; then
	echo "bench: needs root for a network namespace of its own" >&2
	exit 1
fi
if ! command -v rtpengine >/dev/null; then
	echo "bench: rtpengine is missing; apt-get install rtpengine-daemon" >&2
	exit 1
fi
rm -f "$results"
ulimit -n 16384
exec unshare -n sh -c 'ip link set lo up && exec "$0" "$1"' \
	"$program" "$results"
