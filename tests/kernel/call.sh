#!/bin/bash
# A part of guest.sh: whole calls whose media the kernel relays. sallyportd,
# kamailio as its call manager, baresip and (through stunnel) SIPp as phones
# outside, SIPp as an endpoint inside that says again what it hears. Proved by
# the counters of the flows and by captures of both sides. The daemon is killed
# in mid-call, all of it, and started again; the module is unloaded in mid-call,
# and comes back.
. "$TOP/tests/integration/lib/test.sh"
. "$TOP/tests/kernel/guest-lib.sh"

WORKERS=2
WAIT_TIMES=10 # as long as elsewhere: its processors are emulated
SIPP_LIMIT=300
CERT_KEY="--key-type=ecdsa --curve=secp256r1" # RSA keys take long to make
BACKENDS='{ "kernel", "socket" }'

# one second of a tone, ten minutes long: awk would take as long to make it
phone_tone() {
	python3 -B - "$1" "$2" <<-'EOF'
		import math, struct, sys
		n = 8000
		second = b"".join(struct.pack("<h", int(9000 * math.sin(
		    2 * math.pi * float(sys.argv[2]) * i / n))) for i in range(n))
		data = second * 600
		open(sys.argv[1], "wb").write(
		    b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " +
		    struct.pack("<IHHIIHH", 16, 1, 1, n, 2 * n, 2, 16) +
		    b"data" + struct.pack("<I", len(data)) + data)
	EOF
}

needs modprobe -a veth bridge
needs net_begin sp-kernel
needs sallyport_pki
needs sipp_pki
needs sallyport_config "" "$(sipp_devices)"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_A" "$PASS_A"
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061
needs baresip_start
needs echo_start
# call_prove reads what linphone logged
needs mkdir "$DIR/linphone"
needs touch "$DIR/linphone/log"

# state BACKEND, flows BACKEND: what "media" says of it
of_media() {
	ctl --json media | tr -d '\n' | tr '}' '\n' | grep "\"$1\"" |
		sed -n "s/.*\"$2\": *\"\\{0,1\\}\\([a-z0-9]*\\).*/\\1/p"
}
relays_with() {
	[ "$(ctl --json calls | grep -o '"media": *"[a-z]*"' | sort -u)" = \
		"\"media\": \"$1\"" ] || { ctl calls; return 1; }
}
flows_are() { [ "$(of_media "$1" flows)" = "$2" ]; }
packets() {
	ctl --json calls | grep -o '"packets-[a-z-]*": *[0-9]*' |
		awk -F: '{ n += $2 } END { print n + 0 }'
}
more_packets() { [ "$(packets)" -gt $(($1 + 100)) ]; }
# the counters of the flows go up
voice() { wait_for 20 "voice" more_packets "$(packets)"; }
# packets that baresip has been sent: RTP and nothing else while nobody is there
# to speak SIP
heard() {
	in_ns sp tcpdump -nr "$DIR/cap/$1-out0.pcap" \
		"udp and src host $SP_OUT and dst host $PHONE_A" 2>/dev/null |
		wc -l
}
more_heard() { [ "$(heard "$1")" -gt $(($2 + 100)) ]; }

ready() { ctl media; [ "$(of_media kernel state)" = ready ]; }
is_true "sallyportd has found the module" ready

sipp_calls() {
	wait_for 20 "baresip registers" registered "$DEV_A" &&
		sipp_run reg px register "$USER_C" "$PASS_C" - -s "$USER_C" \
			-t t1 -m 1 -recv_timeout 60000 127.0.0.1:15061 &&
		sipp_run out px uac-srtp "$USER_C" "$PASS_C" 9100 -t t1 -m 1 \
			127.0.0.1:15061 &&
		grep -q 'flow end .*media=kernel' "$DIR/log/sallyportd"
}
is_true "SIPp calls through stunnel, in the kernel" sipp_calls

# begins NAME: a call, captured; it is in the kernel
begins() {
	lines "$DIR/log/baresip" >"$DIR/from"
	capture_start "$1" && call_a_to_echo && voice && relays_with kernel &&
		flows_are kernel 2
}
# ends NAME BACKEND: it is hung up, and proved from beginning to end
ends() {
	call_end && capture_stop && flows_are "$2" 0 &&
		call_prove "$1" "$(cat "$DIR/from")" 0 --inside
}
is_true "baresip talks to an echo, in the kernel" begins killed

# kill -9 of the daemon and all its processes
daemon_killed() {
	local monitor n
	monitor=$(cat "$DIR/pid/sallyportd")
	# shellcheck disable=SC2046
	kill -9 "$monitor" $(pgrep -P "$monitor") || return 1
	wait "$monitor"
	n=$(heard killed)
	wait_for 20 "voice without a daemon" more_heard killed "$n"
}
is_true "the daemon is killed, all of it: the voice goes on" daemon_killed
claimed() {
	mv "$DIR/log/sallyportd" "$DIR/log/sallyportd.killed"
	sallyport_start && calls_up 1 && relays_with kernel &&
		flows_are kernel 2 && voice &&
		grep 'flows of a predecessor' "$DIR/log/sallyportd"
}
is_true "started again it has the call, and its flows" claimed
is_true "the call is hung up; captures prove all of it" ends killed kernel

is_true "another call in the kernel" begins unload
unloads() {
	ctl media unload || return 1
	! grep nf_srtp /proc/modules && calls_up 1 && relays_with socket &&
		flows_are socket 2 && voice
}
is_true "the module is unloaded meanwhile: the call goes on without" unloads
loads() {
	! ctl media load && load && ctl media load && calls_up 1 &&
		relays_with kernel && flows_are kernel 2 && voice
}
is_true "the module is loaded again, and taken back: the call is in it" loads
is_true "it is hung up; captures prove all of it" ends unload kernel
[ "$failed" = 0 ] || tail -n 30 "$DIR/log/sallyportd" | sed 's/^/        /'
stop sallyportd
test_end
