#!/bin/bash
# Two workers: what one of them knows and allows must count for both. Phones
# are told apart by their address, so it decides who serves them.
WORKERS=2
. "$(dirname "$0")/lib/test.sh"

DEV_F=SEP001122334406 USER_F=2006 PASS_F=test-f-secret
plain_devices() {
	local i
	cat <<CFG
listener "plain" {
	address = "udp:$SP_OUT:5060"
}
device "$DEV_F" {
	lines = { "$USER_F" }
	security-mode = nonsecure
	digest = yes
	digest-user = "$USER_F"
}
CFG
	cat <<CFG
listener "plain6" {
	address = "udp:[fd77::1]:5060"
}
CFG
	for i in 30 31 32 33 34 35 36 37 38 39; do
		printf 'device "SEP0011223345%s" {\n\tlines = { "30%s" }\n' $i $i
		printf '\tsecurity-mode = nonsecure\n}\n'
	done
}
needs net_begin sp-workers
needs sallyport_pki
needs sipp_pki
needs sallyport_config "$(printf 'limits {\n\tregistrations = 20\n}')" \
	"$(sipp_devices; plain_devices)"
needs ip -n "$NS-sp" addr add fd77::1/32 dev out0 nodad
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_A" "$PASS_A"
needs sallyport_user "$USER_B" "$PASS_B"
needs sallyport_user "$USER_C" "$PASS_C"
needs sallyport_user "$USER_F" "$PASS_F"
needs baresip_start
needs linphone_start

# two more addresses of namespace px, one for each worker
N0="" N1=""
for i in $(seq 20 60); do
	case $(worker_of "10.77.0.$i") in
	0) N0=${N0:-10.77.0.$i} ;;
	1) N1=${N1:-10.77.0.$i} ;;
	esac
done
needs ip -n "$NS-px" addr add "$N0/24" dev eth0
needs ip -n "$NS-px" addr add "$N1/24" dev eth0
# workers_of [FILTER...]: the worker of each registration shown
workers_of() {
	ctl --json registrations "$@" | sed -n 's/.*"worker": *\([0-9]*\).*/\1/p'
}

is_true "baresip registers" wait_for 20 "$DEV_A" registered "$DEV_A"
is_true "linphone registers" wait_for 20 "$DEV_B" registered "$DEV_B"
is_true "each has a worker of its own" \
	[ "$(workers_of | sort -u | tr '\n' ' ')" = "0 1 " ]
end_to_end() {
	[ "$(ctl --json calls | grep -c '"end-to-end": true')" = 2 ]
}
# from before the call, so that nothing is forgiven: what goes down is what the
# other phone sent, and most of it never was in the clear
proved() {
	local baresip linphone through
	baresip=$(lines "$DIR/log/baresip")
	linphone=$(lines "$DIR/linphone/log")
	capture_start two && call_a_to_b && wait_for 10 "end to end" end_to_end &&
		sleep 3 && end_to_end && call_end || return 1
	capture_stop
	call_prove two "$baresip" "$linphone" --mixed >"$DIR/cap/two.proof" || {
		cat "$DIR/cap/two.proof"
		return 1
	}
	through=$(sed -n 's/.* of these and \([0-9]*\) that came up/\1/p' \
		"$DIR/cap/two.proof")
	[ "${through:-0}" -gt 150 ] || { cat "$DIR/cap/two.proof"; return 1; }
}
is_true "they call through both: the same packets from phone to phone" proved

tens() { ctl --json registrations | grep -c '"device": "SEP0011223345'; }
has_tens() { [ "$(tens)" = "$1" ]; }

# --- IPv6: the first half of an address decides ---
steered6() { # the worker of fd77:0:0:$1::1
	local mix=$((0x9e3779b1)) a
	a=$(((0xfd770000 * mix) & 0xffffffff))
	a=$((((a + $1) * mix) & 0xffffffff))
	echo $(((a >> 16) % 2))
}
six() {
	local i w both=""
	for i in 0 1 2 3 4 5 6 7 8 9; do
		ip -n "$NS-px" addr add "fd77:0:0:4$i::1/32" dev eth0 nodad ||
			return 1
		printf '%s\r\n' "REGISTER sip:[fd77::1] SIP/2.0" \
			"Via: SIP/2.0/UDP [fd77:0:0:4$i::1]:5060;branch=z9hG4bK6$i" \
			"From: <sip:303$i@[fd77::1]>;tag=$i" \
			"To: <sip:303$i@[fd77::1]>" "Call-ID: six-$i" \
			"CSeq: 1 REGISTER" "Max-Forwards: 70" \
			"Contact: <sip:303$i@[fd77:0:0:4$i::1]>" \
			"Content-Length: 0" "" |
			in_ns px "$LIB/forge.pl" say6 "fd77:0:0:4$i::1" 5060 \
				fd77::1 5060
	done
	wait_for 10 "all ten" has_tens 10 || return 1
	for i in 0 1 2 3 4 5 6 7 8 9; do
		w=$(workers_of --line "303$i")
		both="$both$w"
		[ "$w" = "$(steered6 $((0x40 + i)))" ] ||
			{ echo "fd77:0:0:4$i::1 is served by $w"; return 1; }
	done
	case $both in *0*1* | *1*0*) ;; *) echo "one serves all"; return 1 ;; esac
}
is_true "IPv6: each network of phones has its worker" six

# --- a phone that changes its address ---
# stunnel_from NAME ADDRESS PORT: as stunnel_start, for device c
stunnel_from() {
	stunnel_start "$1" "$DEV_C" "$3" && stop "$1" &&
		sed -i "s/^client = yes/&\nlocal = $2/" "$DIR/$1.conf" &&
		spawn "$1" px stunnel4 "$DIR/$1.conf" &&
		wait_for 10 "stunnel from $2" listens px t "127.0.0.1:$3"
}
# c_waits NAME PORT: device c registers and stays, always under one Contact
c_waits() {
	mkdir -p "$DIR/sipp/$1"
	sipp_fields "$USER_C" "$PASS_C" - >"$DIR/sipp/$1/fields.csv"
	spawn "$1" px sipp -sf "$LIB/../sipp/register-and-wait.xml" \
		-oocsf "$LIB/../sipp/uas-srtp.xml" -s "$USER_C" \
		-inf "$DIR/sipp/$1/fields.csv" -t t1 -m 1 -nostdin \
		-i 127.0.0.1 -p 5095 "127.0.0.1:$2"
}
needs stunnel_from stunnel-0 "$N0" 15061
needs stunnel_from stunnel-1 "$N1" 15062
c_is_at() { [ "$(workers_of --device "$DEV_C")" = "$1" ]; }
first() {
	c_waits phone-0 15061 && wait_for 10 "$DEV_C" c_is_at 0
}
is_true "a phone registers with one worker" first
moves() {
	# nothing more leaves from there, no FIN either
	ip -n "$NS-px" addr del "$N0/24" dev eth0 && stop phone-0 &&
		c_is_at 0 || return 1
	c_waits phone-1 15062
	wait_for 10 "$DEV_C at the other worker alone" c_is_at 1 || return 1
	grep -q "unregistered device=$DEV_C .*reason=replaced" \
		"$DIR/log/sallyportd"
}
is_true "it turns up at the other: its old registration ends" moves
stop phone-1
needs ip -n "$NS-px" addr add "$N0/24" dev eth0

# --- an answer to a challenge that is used again ---
f_registers() {
	sipp_run f-reg px register "$USER_F" "$PASS_F" - -s "$USER_F" -t u1 \
		-m 1 -recv_timeout 5000 -trace_msg -i "$N0" -p 5096 "$SP_OUT:5060"
}
is_true "a phone registers with digest by datagrams" f_registers
# again ADDRESS: what it sent last, as another transaction; prints the answer
again() {
	local n=$RANDOM
	awk '/^UDP message sent/ { text = ""; on = 1; next }
		/^-----/ { on = 0 } on { text = text $0 "\n" }
		END { printf "%s", text }' "$DIR"/sipp/f-reg/*_messages.log |
		sed "1{/^\r*$/d}; s/branch=/&x$n/; s/^\(CSeq: \)2/\13/" \
		>"$DIR/again"
	grep -q '^Authorization: Digest' "$DIR/again" || return 1
	sed -i "s/$N0/$1/g" "$DIR/again"
	in_ns px timeout 3 tcpdump -i eth0 -n -A -c 1 \
		"udp and src $SP_OUT and dst $1" >"$DIR/answer" 2>/dev/null &
	sleep 0.5
	in_ns px "$LIB/forge.pl" say "$1:5096" "$SP_OUT:5060" <"$DIR/again"
	wait $!
	tr -d '\r' <"$DIR/answer"
}
refused_again() {
	local answer
	answer=$(again "$1")
	grep -q 'SIP/2.0 401' <<<"$answer" && grep -q "$2" <<<"$answer" ||
		{ printf '%s\n' "$answer"; return 1; }
}
is_true "the same answer again is refused by that worker" \
	refused_again "$N0" 'WWW-Authenticate'
is_true "and by the other, who did not make the nonce: stale" \
	refused_again "$N1" 'stale=true'

# --- limits of the whole daemon ---
# register_ten: from ten addresses, which both workers serve
register_ten() {
	local i
	for i in 30 31 32 33 34 35 36 37 38 39; do
		printf '%s\r\n' "REGISTER sip:$SP_OUT SIP/2.0" \
			"Via: SIP/2.0/UDP 10.77.0.2$i:5060;branch=z9hG4bK$RANDOM$i" \
			"From: <sip:30$i@$SP_OUT>;tag=$i" "To: <sip:30$i@$SP_OUT>" \
			"Call-ID: ten-$i" "CSeq: $1 REGISTER" "Max-Forwards: 70" \
			"Contact: <sip:30$i@10.77.0.2$i>" "Content-Length: 0" "" |
			in_ns px "$LIB/forge.pl" say "10.77.0.2${i#3}:5060" \
				"$SP_OUT:5060"
	done
}
limited() {
	local have
	have=$(workers_of | wc -l)
	sed -i "s/^\tregistrations = .*/\tregistrations = $((have + $1))/" \
		"$DIR/etc/sallyport/sallyport.conf"
	ctl reload || return 1
	# a worker that needs more waits for what the other does not need
	for n in 1 2 3 4 5 6; do
		register_ten "$2$n"
		sleep 0.5
	done
	echo "$(tens) registered, ten and $1 expected"
	has_tens $((10 + $1)) && [ "$(workers_of | sort -u | wc -l)" = 2 ]
}
is_true "six registrations more are six over both workers, not seven" \
	limited 6 1
more() {
	sed -i "s/^\tregistrations = .*/\tregistrations = 100/" \
		"$DIR/etc/sallyport/sallyport.conf"
	ctl reload && register_ten 99 && wait_for 5 "all ten" has_tens 20
}
is_true "with a higher limit all ten are there" more
test_end
