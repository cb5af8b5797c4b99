#!/bin/sh
# make bench: what a relayed packet costs (bench), what phones cost
# (load/rows.sh, load/sccp-rows.sh), each alone in a network namespace, so that ports and traffic
# stay private. Needs root; rtpengine and kamailio are the peers.
# run.sh BUILD-DIR RESULTS
set -e
build=$1
results=$2
here=$(dirname "$0")
if [ "$(id -u)" != 0 ]; then
	echo "bench: needs root for a network namespace of its own" >&2
	exit 1
fi
. "$here/../integration/lib/packages.sh"
# shellcheck disable=SC2086
packages_install $PACKAGES_BENCH
rm -f "$results" "$results.rows"
ulimit -n 20000
alone() { unshare -n sh -c 'ip link set lo up && exec "$@"' sh "$@"; }
alone bash "$here/../load/rows.sh" "$build" "$results.rows"
alone bash "$here/../load/trunks.sh" "$build" "$results.rows"
alone bash "$here/../load/sccp-rows.sh" "$build" "$results.rows"
alone "$build/tests/bench/bench" "$results" "$results.rows"
rm -f "$results.rows"
