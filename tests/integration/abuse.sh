#!/bin/bash
# Floods, forged and replayed media, processes that die or stall in the middle
# of calls. After each the daemon serves an honest phone, and it has not grown.
WORKERS=${WORKERS:-2}
. "$(dirname "$0")/lib/test.sh"

DEV_E=SEP001122334405 USER_E=2005
DEV_F=SEP001122334406 USER_F=2006
plain_devices() {
	cat <<CFG
listener "plain" {
	address = "udp:$SP_OUT:5060"
}
device "$DEV_E" {
	lines = { "$USER_E" }
	security-mode = nonsecure
	digest = no
}
device "$DEV_F" {
	lines = { "$USER_F" }
	security-mode = nonsecure
	digest = yes
	digest-user = "$USER_F"
}
CFG
}

needs net_begin sp-abuse
needs sallyport_pki
needs sipp_pki
needs sallyport_config "" "$(sipp_devices; plain_devices)"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_A" "$PASS_A"
needs sallyport_user "$USER_B" "$PASS_B"
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061
needs baresip_start
needs linphone_start
needs wait_for 20 "$DEV_A registers" registered "$DEV_A"
needs wait_for 20 "$DEV_B registers" registered "$DEV_B"

monitor=$(cat "$DIR/pid/sallyportd")
role_pid() {
	local p
	for p in $(pgrep -P "$monitor"); do
		tr '\0' ' ' <"/proc/$p/cmdline" | finds -w -- "$1" && echo "$p"
	done | head -1
}
# rss ROLE: resident kB of all processes with that role
rss() {
	local p
	for p in $(pgrep -P "$monitor"); do
		tr '\0' ' ' <"/proc/$p/cmdline" | finds -w -- "--role=$1" &&
			cat "/proc/$p/status"
	done | awk '/^VmRSS/ { n += $2 } END { print n }'
}
still_serves() { wait_for 15 "service" phone_c_registers; }
# request METHOD USER: SIP over UDP; @N@ becomes a number in forge.pl
request() {
	printf '%s sip:%s SIP/2.0\r\n' "$1" \
		"$([ "$1" = INVITE ] && echo "9999@")$SP_OUT"
	printf 'Via: SIP/2.0/UDP %s:5999;branch=z9hG4bK%s@N@;rport\r\n' \
		"$PHONE_X" "$RANDOM"
	printf 'From: <sip:%s@%s>;tag=@N@\r\nTo: <sip:%s@%s>\r\n' "$2" \
		"$SP_OUT" "$([ "$1" = INVITE ] && echo 9999 || echo "$2")" "$SP_OUT"
	printf 'Call-ID: %s-@N@\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n' \
		"$RANDOM" "$1"
	printf 'Contact: <sip:%s@%s:5999>\r\n' "$2" "$PHONE_X"
	if [ "$1" = INVITE ]; then
		local sdp
		sdp=$(printf 'v=0\\r\\no=- 1 1 IN IP4 %s\\r\\ns=-\\r\\nc=IN IP4 %s\\r\\nt=0 0\\r\\nm=audio 4000 RTP/AVP 0\\r\\n' \
			"$PHONE_X" "$PHONE_X")
		sdp=$(printf '%b.' "$sdp")
		sdp=${sdp%.}
		printf 'Content-Type: application/sdp\r\n'
		printf 'Content-Length: %d\r\n\r\n%s' "${#sdp}" "$sdp"
	else
		printf 'Content-Length: 0\r\n\r\n'
	fi
}
# not_grown ROLE KB COMMAND...: its resident memory grows by less than KB
not_grown() {
	local role=$1 limit=$2 before after
	shift 2
	before=$(rss "$role")
	"$@" || return 1
	after=$(rss "$role")
	echo "$role: $before kB, then $after kB" | tee -a "$DIR/log/rss"
	[ $((after - before)) -lt "$limit" ]
}

is_true "an honest phone registers" still_serves

# --- floods ---
register_flood() {
	request REGISTER "$USER_F" |
		in_ns px "$LIB/forge.pl" say "$PHONE_X:5999" "$SP_OUT:5060" 10000
}
is_true "10000 REGISTERs without credentials from one source" \
	not_grown worker 20000 register_flood
is_true "the daemon still serves" still_serves
many_sources() {
	local i
	for i in $(seq 100 199); do
		request REGISTER "$USER_F" | in_ns px "$LIB/forge.pl" say \
			"10.77.0.$i:5999" "$SP_OUT:5060" 50
	done
}
is_true "5000 from 100 forged sources" not_grown worker 20000 many_sources
is_true "the daemon still serves" still_serves
invite_flood() {
	request INVITE "$USER_E" | in_ns px "$LIB/forge.pl" say \
		"$PHONE_X:5999" "$SP_OUT:5060" 2000
	sleep 1
}
is_true "2000 INVITEs whose answers nobody acknowledges" \
	not_grown worker 60000 invite_flood
is_true "the daemon still serves" still_serves
udp_garbage() {
	local i
	for i in $(seq 200); do
		head -c $((i * 7)) /dev/urandom | in_ns px "$LIB/forge.pl" say \
			"$PHONE_X:$((6000 + i))" "$SP_OUT:5060" 5
	done
	: | in_ns px "$LIB/forge.pl" say "$PHONE_X:5999" "$SP_OUT:5060" 100
}
is_true "garbage and empty datagrams" not_grown worker 10000 udp_garbage
not_reflected() {
	# their source may be forged
	local n
	in_ns px timeout 3 tcpdump -i eth0 -n -c 50 "udp dst port 5998" \
		-w "$DIR/reflect.pcap" 2>/dev/null &
	n=$!
	sleep 0.5
	printf '\r\n\r\n' | in_ns px "$LIB/forge.pl" say "$PHONE_X:5998" \
		"$SP_OUT:5060" 5
	wait "$n"
	[ "$(in_ns px tcpdump -nr "$DIR/reflect.pcap" 2>/dev/null |
		wc -l)" -eq 0 ]
}
is_true "keep-alives in datagrams are not answered" not_reflected
handshakes() {
	local pids=() i
	for i in $(seq 6); do
		in_ns px timeout 15 bash -c "for i in \$(seq 10 200); do
			eval \"exec \$i<>/dev/tcp/$SP_OUT/5061\" 2>/dev/null
			printf '\x16\x03\x01\x02\x00\x01' >&\$i; done
			sleep 6" 2>/dev/null &
		pids+=($!)
	done
	sleep 2
	still_serves
	local status=$?
	for i in "${pids[@]}"; do wait "$i"; done
	return "$status"
}
is_true "1100 half-open handshakes do not keep a phone out" \
	not_grown worker 60000 handshakes
is_true "the daemon still serves" still_serves
core_stranger() {
	request OPTIONS "$USER_A" | in_ns px "$LIB/forge.pl" say \
		"$PHONE_X:5999" "$SP_IN:5070" 100
	request INVITE "$USER_A" | in_ns cm "$LIB/forge.pl" say \
		"10.77.1.99:5060" "$SP_IN:5070" 100
	grep -q 'reason=source' "$DIR/log/sallyportd"
}
is_true "strangers at the inside port are dropped and logged" core_stranger
core_flood() {
	request INVITE "$USER_A" | in_ns cm "$LIB/forge.pl" say \
		"$CM:5060" "$SP_IN:5070" 2000
	head -c 1400 /dev/urandom | in_ns cm "$LIB/forge.pl" say \
		"$CM:5060" "$SP_IN:5070" 200
}
is_true "2000 forged INVITEs in the call manager's name" \
	not_grown worker 60000 core_flood
is_true "the daemon still serves" still_serves

# --- media ---
# During a call: RTP of strangers to every port, from outside and inside, from
# the phone's own address, SRTP sent again, SRTP with a broken tag.
inject() {
	local n
	sleep 4 # floods' calls are gone
	capture_start inject && call_a_to_b || return 1
	sleep 2
	spawn bleed px tcpdump -i eth0 -n -U -Z root -w "$DIR/bleed.pcap" \
		"udp src portrange 20000-20999"
	sleep 0.5
	in_ns px "$LIB/forge.pl" rtp "$PHONE_X:4000" "$SP_OUT:20000-20999" 3
	in_ns px "$LIB/forge.pl" rtp "$PHONE_A:4000" "$SP_OUT:20000-20999" 1
	in_ns cm "$LIB/forge.pl" rtp "$CM:4000" "$SP_IN:20000-20999" 3
	echo "replayed: $(in_ns pa "$LIB/forge.pl" replay \
		"$DIR/cap/inject-out0.pcap" "$PHONE_A" "$SP_OUT")"
	in_ns pa "$LIB/forge.pl" replay "$DIR/cap/inject-out0.pcap" \
		"$PHONE_A" "$SP_OUT" flip >/dev/null
	sleep 1
	stop bleed
	calls_up 2 || { echo "the call is gone"; return 1; }
	call_end
	capture_stop
	sleep 1
	n=$(in_ns px tcpdump -nr "$DIR/bleed.pcap" 2>/dev/null | wc -l)
	echo "to the stranger: $n packets"
	[ "$n" = 0 ]
}
is_true "a stranger's RTP brings him nothing, and the call goes on" inject
counted() {
	local k
	for k in auth-failed replayed source-refused; do
		grep -q "flow end .*$k=[1-9]" "$DIR/log/sallyportd" ||
			{ echo "no flow counts $k"; return 1; }
	done
}
is_true "forged, replayed and foreign packets are counted" counted
heard_nothing_forged() {
	# the payload of the forged packets never reached the other phone
	! in_ns px tcpdump -nr "$DIR/cap/inject-lo.pcap" -x 2>/dev/null |
		grep -q 'dead beef'
}
is_true "nothing forged was relayed" heard_nothing_forged

# --- processes ---
died_in_call() {
	local role
	call_a_to_b || return 1
	for role in "$@"; do
		kill -9 "$(role_pid "$role")"
	done
	sleep 4
	# the phones may or may not know; what matters is that calls work again
	baresip_cmd hangup >/dev/null
	linphone_cmd "terminate all"
	wait_for 30 "calls end" no_calls || return 1
	still_serves
}
calls_again() {
	local _
	baresip_cmd uareg "60 0" >/dev/null
	linphone_cmd \
		"register sip:$USER_B@$SP_OUT sip:$SP_OUT:5061;transport=tls $PASS_B"
	wait_for 60 "$DEV_A registers" registered "$DEV_A" || return 1
	wait_for 60 "$DEV_B registers" registered "$DEV_B" || return 1
	for _ in 1 2 3; do
		sleep 1
		call_a_to_b && sleep 1 && call_end && return 0
		baresip_cmd hangup >/dev/null
		linphone_cmd "terminate all"
	done
	return 1
}
media_died() {
	died_in_call media || return 1
	grep -q 'media process is gone' "$DIR/log/sallyportd"
}
is_true "media dies during a call: the call ends" media_died
is_true "and the phones call again" calls_again
is_true "store and keys die during a call" died_in_call store keys
is_true "and the phones call again" calls_again
is_true "everything dies during a call" died_in_call media store keys worker
is_true "and the phones call again" calls_again
stalled() {
	local pid
	pid=$(role_pid media)
	kill -STOP "$pid"
	call_a_to_b >/dev/null 2>&1 &
	sleep 1
	kill -CONT "$pid"
	wait $!
	baresip_cmd hangup >/dev/null
	linphone_cmd "terminate all"
	wait_for 30 "calls end" no_calls
}
is_true "media stalls for a second: no call hangs" stalled
is_true "and the phones call again" calls_again
store_stalled() {
	local pid status
	pid=$(role_pid "$1")
	kill -STOP "$pid"
	phone_c_registers >/dev/null 2>&1
	status=$?
	kill -CONT "$pid"
	[ "$status" != 0 ] || { echo "it registered?"; return 1; }
	grep -q 'reason=busy' "$DIR/log/sallyportd" && still_serves
}
is_true "the store stalls: 503, then service" store_stalled store

monitor_lives() { kill -0 "$monitor"; }
is_true "the monitor never ended" monitor_lives
no_secrets() {
	! grep -rE "$PASS_A|$PASS_B|$PASS_C|inline:|PRIVATE KEY" \
		"$DIR/log/sallyportd"
}
is_true "no password or key is in its log" no_secrets
log_is_bounded() {
	echo "$(lines "$DIR/log/sallyportd") lines"
	[ "$(lines "$DIR/log/sallyportd")" -lt 20000 ]
}
is_true "floods do not fill the log" log_is_bounded
cat "$DIR/log/rss"
test_end
