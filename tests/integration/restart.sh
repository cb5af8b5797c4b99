#!/bin/bash
# A process of the daemon is killed; the monitor starts another, and service
# returns. What must outlive it does.
WORKERS=${WORKERS:-2}
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-restart
needs sallyport_pki
needs sipp_pki
DEV_W=SEP001122334409 USER_W=2009
needs cert "$DEV_W" ca "$DEV_W"
watcher_device() {
	printf 'device "%s" {\n\tlines = { "%s" }\n}\n' "$DEV_W" "$USER_W"
}
needs sallyport_config "" "$(sipp_devices; watcher_device)"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061

monitor=$(cat "$DIR/pid/sallyportd")
needs is_ours "$monitor"
serves() { wait_for 15 "service" phone_c_registers; }

# --- a phone that watches somebody inside ---
third_is_watched() {
	sipp_run inside-reg cm register-plain - - - -s 3001 -t u1 -m 1 \
		-i "$CM" -p 7001 "$CM:5060" &&
		spawn watched cm sipp -sf "$LIB/../sipp/uas-watched.xml" \
			-t u1 -i "$CM" -p 7001 -m 1 -nostdin -trace_err \
			-error_file "$DIR/log/watched.errors"
}
watcher_start() {
	mkfifo "$DIR/watcher.in"
	spawn watcher px sh -c 'exec "$@" <>"$0"' "$DIR/watcher.in" \
		"$LIB/watcher.pl" "$SP_OUT:5061" "$DIR/pki/$DEV_W.crt" \
		"$DIR/pki/$DEV_W.key" "$DIR/pki/ca.crt" "$USER_W" 3001
}
# notified [FROM]: a NOTIFY has come after line FROM of what the watcher said
notified() { said "$DIR/log/watcher" "${1:-0}" '^notified active'; }
watches_on() {
	local from
	from=$(lines "$DIR/log/watcher")
	said "$DIR/log/watcher" 0 '^subscribed' &&
		wait_for 20 "the watcher is back" said "$DIR/log/watcher" \
			"$1" '^registered' &&
		from=$(lines "$DIR/log/watcher") &&
		wait_for 20 "a NOTIFY after that" notified "$from"
}
# watches KILLER...: what the watcher sees when KILLER has run
watches() {
	local from
	from=$(lines "$DIR/log/watcher")
	"$@" || return 1
	wait_for 20 "the connection is lost" said "$DIR/log/watcher" "$from" \
		'^lost' &&
		watches_on "$from" || { cat "$DIR/log/watcher"; return 1; }
}
watched_again() {
	local from
	from=$(lines "$DIR/log/watcher")
	echo refresh >"$DIR/watcher.in"
	wait_for 10 "it is refreshed" said "$DIR/log/watcher" "$from" \
		'^subscribed 200' &&
		wait_for 10 "it ends" said "$DIR/log/watcher" "$from" \
			'^notified terminated' && return
	tail "$DIR/log/watcher" "$DIR/log/watched.errors"
	return 1
}
subscriptions() { ctl --json status | finds "\"subscriptions\": *$1"; }
# the worker that has it
watching_worker() {
	ctl --json registrations --device "$DEV_W" |
		sed -n 's/.*"worker": *\([0-9]*\).*/\1/p'
}
all_killed() {
	local pids
	pids="$(cat "$DIR/pid/sallyportd") $(pgrep -P "$monitor" | tr '\n' ' ')"
	# shellcheck disable=SC2086
	kill -9 $pids || return 1
	mv "$DIR/log/sallyportd" "$DIR/log/sallyportd.1"
	sallyport_start
}
knows_user() { ctl user list | finds -w "$USER_C"; }

is_true "a phone registers" serves
for role in worker=0 worker=1 media keys store; do
	is_true "$role is killed: the monitor starts another" killed "$role"
	is_true "$role is killed: a phone registers again" serves
done
is_true "the users are still known" knows_user
needs third_is_watched
needs watcher_start
is_true "a phone subscribes to somebody inside" \
	wait_for 20 "a NOTIFY" notified
is_true "its worker is killed: NOTIFYs come as before" \
	watches killed "worker=$(watching_worker)"
last_words() {
	local log
	log=$(ctl log --tail 1000) || return 1
	grep -q ' sallyportd: error: keys process was killed by signal 9' <<<"$log" &&
		grep -q ' worker 0: info: .*registered' <<<"$log" ||
		{ printf '%s\n' "$log"; return 1; }
	[ "$(ctl log --tail 3 | wc -l)" = 3 ]
}
is_true "log shows what was said, also by who was killed" last_words
level() { ctl log debug && ctl --json log | finds '"level": "debug"' &&
	! ctl log loud 2>/dev/null && ctl log info; }
is_true "the level can be changed" level
monitor_lives() { kill -0 "$monitor"; }
is_true "the monitor never ended" monitor_lives
privileges() {
	local p user
	for p in $(pgrep -P "$monitor"); do
		user=$(stat -c %U "/proc/$p")
		grep -q "^Uid:.*[^0-9]$(id -u "$SALLYPORT_USER")" "/proc/$p/status" ||
			{ echo "$(tr '\0' ' ' <"/proc/$p/cmdline") runs as $user"; return 1; }
		grep -q '^CapEff:	0000000000000000' "/proc/$p/status" ||
			{ echo "$(tr '\0' ' ' <"/proc/$p/cmdline"): $(grep CapEff "/proc/$p/status")"; return 1; }
		grep -q '^NoNewPrivs:	1' "/proc/$p/status" ||
			{ echo "$(tr '\0' ' ' <"/proc/$p/cmdline") may gain privileges"; return 1; }
	done
}
is_true "every child runs without privileges" privileges
is_true "everything is killed, and started: NOTIFYs come as before" \
	watches all_killed
monitor=$(cat "$DIR/pid/sallyportd")
is_true "the phone refreshes its subscription, which then ends" watched_again
is_true "nothing is left of it" wait_for 10 "it ends" subscriptions 0
is_true "the monitor ends on SIGTERM, its children with it" stop sallyportd
gone() { [ -z "$(pgrep -P "$monitor")" ] && ! listens sp t "$SP_OUT:5061"; }
is_true "nothing of it is left" gone
test_end
