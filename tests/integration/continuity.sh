#!/bin/bash
# Two real phones talk through two workers; processes of the daemon are killed,
# one by one, all, and the monitor with them. The calls go on: they are held,
# resumed and hung up afterwards, from both sides, and the voice is interrupted
# for no longer than LONGEST_MS.
. "$(dirname "$0")/lib/test.sh"

LONGEST_MS=1000
WORKERS=2 TONE_S=120
needs net_begin sp-continuity
needs sallyport_pki
needs sallyport_config
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_A" "$PASS_A"
needs sallyport_user "$USER_B" "$PASS_B"
needs baresip_start
needs linphone_start
is_true "baresip registers" wait_for 20 "$DEV_A" registered "$DEV_A"
is_true "linphone registers" wait_for 20 "$DEV_B" registered "$DEV_B"

both_served() {
	[ "$(ctl --json registrations | grep -o '"worker": *[0-9]*' | sort -u | wc -l)" = 2 ]
}
role_pids() {
	local p
	for p in $(pgrep -P "$(cat "$DIR/pid/sallyportd")"); do
		tr '\0' ' ' <"/proc/$p/cmdline" | finds -- "--role=$1 " &&
			echo "$p"
	done
}
# kill_all ROLE...: all processes of these roles at once; "monitor" is the
# daemon itself, which is started again as a service manager would
kill_all() {
	local role pids="" again=""
	for role in "$@"; do
		case $role in
		monitor)
			pids="$pids $(cat "$DIR/pid/sallyportd")" again=1 ;;
		*)
			pids="$pids $(role_pids "$role" | tr '\n' ' ')" ;;
		esac
	done
	echo "killing $* ($pids)"
	# shellcheck disable=SC2086
	kill -9 $pids || return 1
	[ -z "$again" ] && return
	mv "$DIR/log/sallyportd" "$DIR/log/sallyportd.$(date +%s)"
	sallyport_start
}
# the longest silence, in ms, of packets from Sallyport to a phone
silence() {
	in_ns sp tcpdump -ttnr "$DIR/cap/$1-out0.pcap" \
		"udp and src host $SP_OUT and dst host $2" 2>/dev/null |
		LC_ALL=C awk '{ if (last && $1 - last > max) max = $1 - last; last = $1 }
			END { printf "%d\n", max * 1000 }'
}
# linphone registers anew (refused while the monitor was dead, it rests for a
# minute first); baresip waits for its next refresh, and comes back
# by what it wants next
back() {
	linphone_cmd \
		"register sip:$USER_B@$SP_OUT sip:$SP_OUT:5061;transport=tls $PASS_B"
	wait_for 100 "$DEV_B is back" registered_now "$DEV_B"
}
# not only remembered: on a connection of this process
registered_now() {
	ctl --json registrations | tr -d '\n' | tr '}' '\n' | grep "\"$1\"" |
		grep -q '"certificate": *"[^"]'
}
packets() {
	ctl --json calls | grep -o '"packets-[a-z-]*": *[0-9]*' |
		awk -F: '{ n += $2 } END { print n + 0 }'
}
voice() {
	local n
	n=$(packets)
	sleep 1
	[ "$(packets)" -gt $((n + 50)) ] || { echo "no voice: $n, $(packets)"; return 1; }
}
# hold WHO, resume WHO: that phone holds the call
hold() {
	case $1 in
	a) baresip_cmd hold >/dev/null ;;
	b) linphone_cmd pause ;;
	esac
}
resume() {
	case $1 in
	a) baresip_cmd resume >/dev/null ;;
	b) linphone_cmd resume ;;
	esac
}
# some direction of each call is not forwarded
is_held() {
	local id
	for id in $(ctl --json calls | sed -n 's/.*"id": *\([0-9]*\).*/\1/p'); do
		ctl --json call "$id" | finds '"held": true' || return 1
	done
}
# goes_on NAME WHO ROLE...: a call, the kill, the end by WHO
goes_on() {
	local name=$1 who=$2 a b
	shift 2
	# refused once, a phone may rest for a minute before it tries again
	wait_for 100 "$DEV_B is there" registered_now "$DEV_B" || return 1
	capture_start "$name"
	call_a_to_b || return 1
	sleep 1
	kill_all "$@" || return 1
	sleep 2
	calls_up 2 || { echo "the calls are gone"; ctl calls; return 1; }
	voice || return 1
	capture_stop
	a=$(silence "$name" "$PHONE_A") b=$(silence "$name" "$PHONE_B")
	say "        $* killed: longest silence $a ms, $b ms" >&3
	[ "$a" -gt 0 ] && [ "$a" -le $LONGEST_MS ] && [ "$b" -gt 0 ] &&
		[ "$b" -le $LONGEST_MS ] || return 1
	back || return 1
	# who wants something of the other must find it there
	if [ "$who" = b ]; then
		baresip_cmd uareg "60 0" >/dev/null
		wait_for 70 "$DEV_A is back" registered_now "$DEV_A" || return 1
	fi
	hold "$who"
	sleep 2
	calls_up 2 || { echo "hold ended the call"; return 1; }
	is_held || { echo "it is not on hold"; ctl calls; return 1; }
	resume "$who"
	sleep 2
	calls_up 2 || { echo "resume ended the call"; return 1; }
	voice || return 1
	case $who in
	a) baresip_cmd hangup >/dev/null ;;
	b) linphone_cmd terminate ;;
	esac
	wait_for 15 "the calls have ended" no_calls
}
exec 3>&1
is_true "each phone is served by a worker of its own" both_served
is_true "workers are killed: phone a ends the call" goes_on worker a worker
is_true "workers are killed: phone b ends the call" goes_on worker2 b worker
is_true "keys and store are killed" goes_on keys a keys store
is_true "media is killed" goes_on media b media
is_true "all children are killed" goes_on children a worker media keys store
is_true "the monitor is killed" goes_on monitor b monitor
is_true "everything is killed" \
	goes_on everything a worker media keys store monitor
test_end
