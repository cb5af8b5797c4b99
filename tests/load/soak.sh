#!/bin/bash
# make soak: does anything grow? Phones register, call, hang up, lose their
# connections and come back, the configuration is read anew, round after round;
# memory and descriptors of all processes are read after the warm-up and at the
# end, each time when all has been quiet for longer than any transaction lives.
# The worker's heap grows with the most handshakes it ever had at once, which
# takes a dozen rounds to show: so the warm-up is long, and so a few bytes per
# call are no leak. soak.sh BUILD-DIR [ROUNDS]: 40, a quarter of an hour.
set -euo pipefail

BUILD=$(cd "$1" && pwd) ROUNDS=${2:-40}
LOAD=$BUILD/tests/load/load
PHONES=300 CALLERS=40
BYTES_MAX=${BYTES_MAX:-400} # per call
OURS=10.99.0.1 INSIDE=10.99.1.1 CM=10.99.1.2
DIR=$(mktemp -d /run/sallyport-soak.XXXXXX)

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sides.sh"

descriptors() {
	for p in $(tree "$ours_pid"); do ls "/proc/$p/fd"; done | wc -l
}
# Pss in KiB of each process
memory_of_each() {
	for p in $(tree "$ours_pid"); do
		printf '%s=%s ' "$(cat "/proc/$p/comm")" \
			"$(awk '/^Pss:/ {print $2}' "/proc/$p/smaps_rollup")"
	done
}
calls=0
round() {
	phones calls "calls 50 5"
	[ "$(value calls_failed)" = 0 ] || die "calls: $reply"
	calls=$((calls + $(value calls)))
	phones ours "cycle 2"
	phones ours storm
	[ "$(value up)" = "$PHONES" ] || die "storm: $reply"
	ctl reload >/dev/null
	[ -z "${SOAK_VERBOSE:-}" ] || say "$(memory_of_each)"
}
# Timer F is 32 s; relay ports cool down, closed connections are forgotten
quiet() { sleep 70; }

sides_begin "$OURS" "$INSIDE" "$CM"
ours_start
phones_start ours "$OURS" "$PHONES"
phones_start calls "$OURS" "$CALLERS" "$PHONES"
phones ours connect
phones calls connect
for _ in $(seq $((ROUNDS / 2))); do round; done
quiet
kb=$(pss_kb "$ours_pid") fds=$(descriptors) calls=0
say "after the warm-up: $kb KiB, $fds descriptors"
for _ in $(seq "$ROUNDS"); do round; done
quiet
kb_end=$(pss_kb "$ours_pid") fds_end=$(descriptors)
say "after $calls calls and $((ROUNDS * PHONES)) reconnections: $kb_end KiB, $fds_end descriptors"
bytes=$(((kb_end - kb) * 1024 / calls))
say "bytes per call: $bytes (at most $BYTES_MAX), descriptors: $((fds_end - fds)) (at most 0)"
[ "$bytes" -le "$BYTES_MAX" ] && [ "$fds_end" -le "$fds" ]
