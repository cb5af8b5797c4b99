#!/bin/bash
# A process of the daemon is killed; the monitor starts another, and service
# returns. What must outlive it does.
WORKERS=${WORKERS:-2}
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-restart
needs sallyport_pki
needs sipp_pki
needs sallyport_config "" "$(sipp_devices)"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061

monitor=$(cat "$DIR/pid/sallyportd")
needs is_ours "$monitor"
# killed ROLE: kill it, and see another one with that role
killed() {
	local old new
	old=$(role_pid "$1")
	is_ours "$old" || { echo "no process with role $1"; return 1; }
	kill -9 "$old"
	for _ in $(seq 50); do
		new=$(role_pid "$1")
		[ -n "$new" ] && [ "$new" != "$old" ] && return 0
		sleep 0.2
	done
	echo "no successor"
	return 1
}
serves() { wait_for 15 "service" phone_c_registers; }
knows_user() { ctl user list | grep -qw "$USER_C"; }

is_true "a phone registers" serves
for role in worker=0 worker=1 media keys store; do
	is_true "$role is killed: the monitor starts another" killed "$role"
	is_true "$role is killed: a phone registers again" serves
done
is_true "the users are still known" knows_user
last_words() {
	local log
	log=$(ctl log --tail 1000) || return 1
	grep -q ' sallyportd: error: keys process was killed by signal 9' <<<"$log" &&
		grep -q ' worker 0: info: .*registered' <<<"$log" ||
		{ printf '%s\n' "$log"; return 1; }
	[ "$(ctl log --tail 3 | wc -l)" = 3 ]
}
is_true "log shows what was said, also by who was killed" last_words
level() { ctl log debug && ctl --json log | grep -q '"level": "debug"' &&
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
is_true "the monitor ends on SIGTERM, its children with it" stop sallyportd
gone() { [ -z "$(pgrep -P "$monitor")" ] && ! listens sp t "$SP_OUT:5061"; }
is_true "nothing of it is left" gone
test_end
