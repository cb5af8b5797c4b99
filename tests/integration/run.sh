#!/bin/bash
# run.sh SCRIPT...: the network tests, three at a time (JOBS=1: one after the
# other). What a script prints comes in one piece when it has ended; the logs of
# one that fails are in $SAVE_LOGS/NAME. Fails when one of them fails.
set -uo pipefail
export SAVE_LOGS=${SAVE_LOGS:-/tmp/sallyport-net-logs}
mkdir -p "$SAVE_LOGS"

if [ "${1:-}" = --one ]; then
	name=$(basename "$2" .sh)
	out=$SAVE_LOGS/$name.out
	start=$SECONDS status=0
	SAVE_LOGS=$SAVE_LOGS/$name timeout -k 30 600 "$2" >"$out" 2>&1 \
		</dev/null || status=$?
	exec 9>"$SAVE_LOGS/lock"
	flock 9
	echo "== $name ($((SECONDS - start)) s)"
	cat "$out"
	# no sum of its own: it did not come to its end
	case $status in
	124 | 137)
		echo "not ok  $name was stopped after 600 s"
		echo "0 passed, 1 failed"
		;;
	esac
	exit "$status"
fi
printf '%s\0' "$@" | xargs -0 -n 1 -P "${JOBS:-3}" "$0" --one
