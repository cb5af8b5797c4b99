#!/bin/bash
# The relay over packet queues: what every backend must do, over real queues in
# a network namespace of its own; two real phones talk through it; processes are
# killed, and the backend is unloaded while they talk; nothing of its rules is
# ever left behind.
. "$(dirname "$0")/lib/test.sh"

LONGEST_MS=1000 TONE_S=120
BACKENDS='{ "kernel", "queue", "socket" }'
needs net_begin sp-queue

# Nothing of ours in any table of namespace sp.
no_rules() {
	! in_ns sp nft list ruleset 2>/dev/null | grep sallyport_ &&
		! in_ns sp iptables-legacy-save 2>/dev/null | grep sallyport_ &&
		! in_ns sp ip6tables-legacy-save 2>/dev/null | grep sallyport_
}
# One set of rules, whoever has set it.
one_rule_set() {
	[ "$({ in_ns sp nft list tables; in_ns sp iptables-legacy-save; } \
		2>/dev/null | grep -cE '^(table inet |:)sallyport_')" = 1 ]
}

conforms() {
	in_ns sp "$BUILD/tests/unit/media/test_queue" >"$DIR/log/conform" 2>&1
	local status=$?
	[ "$status" = 0 ] || cat "$DIR/log/conform"
	grep -q '100%: Checks: [1-9]' "$DIR/log/conform" && return "$status"
}
is_true "the backend does what every backend must" conforms
is_true "its rules are gone" no_rules

needs sallyport_pki
needs sallyport_config
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_A" "$PASS_A"
needs sallyport_user "$USER_B" "$PASS_B"
needs baresip_start
needs linphone_start
needs wait_for 20 "$DEV_A" registered "$DEV_A"
needs wait_for 20 "$DEV_B" registered "$DEV_B"

# state BACKEND: what "media" says of it
state() {
	ctl --json media | tr -d '\n' | tr '}' '\n' | grep "\"$1\"" |
		sed -n 's/.*"state": *"\([^"]*\)".*/\1/p'
}
tells() {
	ctl media
	[ "$(state kernel)" = "not available" ] && [ "$(state queue)" = ready ] &&
		[ "$(state socket)" = ready ] &&
		ctl media | grep 'kernel.*module' &&
		ctl status | grep 'queue.*ready.*iptables\|queue.*ready.*nftables'
}
is_true "media tells what there is, and why not" tells
is_true "there are rules, one set" one_rule_set

# packets that the queues have handed out
queued() {
	in_ns sp cat /proc/net/netfilter/nfnetlink_queue |
		awk '{ n += $8 } END { print n + 0 }'
}
relays_with() {
	[ "$(ctl --json calls | grep -o '"media": *"[a-z]*"' | sort -u)" = \
		"\"media\": \"$1\"" ] || { ctl calls; return 1; }
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
# the longest silence, in ms, of packets from Sallyport to a phone
silence() {
	in_ns sp tcpdump -ttnr "$DIR/cap/$1-out0.pcap" \
		"udp and src host $SP_OUT and dst host $2" 2>/dev/null |
		LC_ALL=C awk '{ if (last && $1 - last > max) max = $1 - last; last = $1 }
			END { printf "%d\n", max * 1000 }'
}
# unbroken NAME: phones heard each other all the time of the capture
unbroken() {
	local a b
	a=$(silence "$1" "$PHONE_A") b=$(silence "$1" "$PHONE_B")
	say "        $1: longest silence $a ms, $b ms" >&3
	[ "$a" -gt 0 ] && [ "$a" -le $LONGEST_MS ] && [ "$b" -gt 0 ] &&
		[ "$b" -le $LONGEST_MS ]
}

# A call seen in the captures from end to end, and in the queues' counters.
talks() {
	local baresip linphone before
	baresip=$(lines "$DIR/log/baresip")
	linphone=$(lines "$DIR/linphone/log")
	before=$(queued)
	capture_start ab && call_a_to_b && sleep 3 || return 1
	relays_with queue && call_end || return 1
	capture_stop
	echo "queued: $(($(queued) - before))"
	[ $(($(queued) - before)) -gt 200 ] &&
		grep -q 'flow end .*media=queue' "$DIR/log/sallyportd" &&
		call_prove ab "$baresip" "$linphone"
}
is_true "phones talk, and their packets come by the queues" talks

# Without media nothing gets in, and its successor goes on.
media_killed() {
	capture_start killed && call_a_to_b && sleep 1 || return 1
	kill -9 "$(role_pid --role=media)" || return 1
	sleep 2
	calls_up 2 && voice && relays_with queue && one_rule_set || return 1
	capture_stop
	unbroken killed
}
exec 3>&1
is_true "media is killed: the call goes on in the queues" media_killed

monitor_killed() {
	kill -9 "$(cat "$DIR/pid/sallyportd")"
	wait_for 10 "the rules are gone" no_rules || return 1
	mv "$DIR/log/sallyportd" "$DIR/log/sallyportd.killed"
	sallyport_start && one_rule_set && calls_up 2 && voice &&
		relays_with queue
}
is_true "the daemon is killed: its rules go, and come back with it" \
	monitor_killed

unloads() {
	capture_start unload || return 1
	sleep 1
	ctl media unload queue || return 1
	sleep 1
	no_rules && calls_up 2 && voice && relays_with socket || return 1
	capture_stop
	[ "$(state queue)" = unloaded ] && unbroken unload && call_end
}
is_true "unloaded while phones talk: sockets go on, no rule is left" unloads
last_one() { ! ctl media unload socket && ! ctl media unload queue; }
is_true "the last backend is not unloaded, nor one that is not there" last_one

# Everything at once, the keeper of the rules too: the next start clears up,
# also when it wants no queues.
pids_of() {
	local p
	for p in $(ip netns pids "$NS-sp"); do
		grep -qxE "$1" "/proc/$p/comm" && echo "$p"
	done
}
clears_up() {
	local p
	stop sallyportd
	sallyport_start && one_rule_set || return 1
	for p in $(pids_of sp-rules) $(pids_of 'sp-.*|sallyportd'); do
		kill -9 "$p" 2>/dev/null
	done
	sleep 0.5
	one_rule_set || { echo "somebody was left to clear up"; return 1; }
	sed -i 's/backends = .*/backends = { "socket" }/' \
		"$DIR/etc/sallyport/sallyport.conf"
	sallyport_start && no_rules
}
is_true "all is killed: the next start takes away what was left" clears_up

none_to_be_had() {
	stop sallyportd
	sed -i 's/backends = .*/backends = { "kernel" }/' \
		"$DIR/etc/sallyport/sallyport.conf"
	in_ns sp timeout 10 "$BUILD/src/sallyportd" \
		-c "$DIR/etc/sallyport/sallyport.conf" </dev/null \
		>"$DIR/log/none" 2>&1
	local status=$?
	cat "$DIR/log/none"
	[ "$status" != 0 ] && [ "$status" != 124 ] &&
		grep -q 'no media backend' "$DIR/log/none"
}
is_true "without a backend that can be had the daemon does not start" \
	none_to_be_had
test_end
