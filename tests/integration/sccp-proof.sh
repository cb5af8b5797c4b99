#!/bin/bash
# SCCP phones outside, with certificates, TLS and SRTP; plain SCCP call managers
# inside; Sallyport between. What the phones say is compared with what tshark
# reads of both sides, and srtpcheck proves the media from the captures.
. "$(dirname "$0")/lib/test.sh"
. "$LIB/sccp-phones.sh"

needs net_begin sp-sccp-proof
needs sccp_pki a b c
needs sallyport_config "" "$(sccp_config)"
needs sccp_cm one cm "$CM:2000" --sip "$CM:5060" --sip-phone 9100="$CM:5090" \
	--keepalive 2 --music --time 200
needs sccp_cm two cm "$CM:2001" --keepalive 2 --time 200
needs echo_start
needs sallyport_start
needs sccp_capture start
# TLS is read from its beginning only: all of it in a capture of its own
needs spawn tcpdump-tls sp tcpdump -i out0 -n -U --immediate-mode -Z root -B 16384 \
	-w "$DIR/cap/tls-out0.pcap" tcp
needs wait_for 10 "tcpdump" grep -q 'listening on' "$DIR/log/tcpdump-tls"

# --- registration -----------------------------------------------------------
for p in a b c; do needs sccp_secure_phone "$p"; done
for p in a b c; do
	is_true "phone $p registers over TLS" sccp_do "$p" 20 "wait registered 15"
done

its_own_address() {
	local ip
	ip=$(sed -nE 's/.* < Register .* ip=([0-9.]+) .*/\1/p' "$DIR/log/one" |
		sort -u)
	echo "the call manager was told $ip"
	[ -n "$ip" ] && ! grep -qE '^10\.77\.0\.' <<<"$ip"
}
is_true "the call manager is not told the phones' own addresses" its_own_address

a_calls_b() {
	sccp_do a 40 "dial 4412" "wait state=connected 10" "wait media=25 10" \
		"expect srtp" "wait security=3 2" &&
		sccp_do b 20 "wait media=25 10" "expect srtp" \
			"wait security=3 2" "expect refused=2"
}
hang_up() { sccp_do "$1" 20 "hangup" "wait idle 10" "wait silent 5"; }
all_idle() { for p in "$@"; do sccp_do "$p" 20 "wait idle 10" "wait silent 5" || return; done; }

servers_rewritten() {
	local ours
	sccp_do a 10 "msg ServerReq" "sleep 0.5"
	ours=$(printf '%02x' ${SP_OUT//./ })
	grep ' first server ' "$DIR/log/a"
	grep -qE " first server .* port=2443 ip=$ours$" "$DIR/log/a"
}
is_true "the list of call managers names Sallyport instead" servers_rewritten
needs sccp_capture_stop
judged_start() { sccp_judge "$DIR/cap/start-in0.pcap"; }
is_true "tshark finds no malformed message of registration inside" \
	judged_start

# --- calls --------------------------------------------------------------------
needs sccp_capture pair
is_true "SCCP calls SCCP: SRTP both ways, and the lock" a_calls_b
is_true "it ends" hang_up a
needs sccp_capture_stop
is_true "srtpcheck: from phone to phone under one key set, nothing inside" \
	sccp_prove pair --end-to-end
needs sccp_capture one
is_true "another call" a_calls_b
shows_calls() { ctl calls; ctl --json calls | finds '"Encrypted"'; }
is_true "sallyportctl shows it" shows_calls

held() {
	sccp_do a 40 "hold" "wait state=hold 10" "wait silent 10" &&
		sccp_do b 20 mark "wait media=10 10" "expect srtp" &&
		sccp_do a 40 "resume" "wait state=connected 10" mark \
			"wait media=25 10" "expect srtp" "wait security=3 2"
}
is_true "hold with music, resume: SRTP again" held

# --- music by multicast -------------------------------------------------------
MUSIC=239.192.7.7
group_members() {
	in_ns sp ip maddr show dev in0 |
		awk -v g="$MUSIC" '$2 == g { n++ } END { print n + 0 }'
}
hears_group() {
	sccp_do one 5 "music $MUSIC:5004" &&
		sccp_do a 40 "hold" "wait state=hold 10" "wait silent 10" &&
		sccp_do b 20 mark "wait hears=25 10" "expect srtp" \
			"wait security=1 2" || return
	echo "members of the group: $(group_members)"
	[ "$(group_members)" = 1 ] &&
		grep "$(sccp_name b) hears the group: status=0" "$DIR/log/one" &&
		! grep StartMulticast "$DIR/log/b"
}
is_true "music by multicast comes to the phone encrypted, as a stream of its own" \
	hears_group
hears_call_again() {
	sccp_do a 40 "resume" "wait state=connected 10" mark \
		"wait media=25 10" "expect srtp" "wait security=3 2" &&
		sccp_do b 20 mark "wait media=25 10" "expect srtp" \
			"wait security=3 2" || return
	echo "members of the group: $(group_members)"
	[ "$(group_members)" = 0 ] && sccp_do one 5 "music -"
}
is_true "resume: the call again, and the group is left" hears_call_again

rekeyed() {
	local before after
	before=$(grep -c ' receives party=' "$DIR/log/a")
	sccp_do one 5 "rekey $(sccp_name a)" && sccp_do a 20 "sleep 0.3" mark \
		"wait media=25 10" "expect srtp" &&
		sccp_do b 20 mark "wait media=25 10" || return 1
	after=$(grep -c ' receives party=' "$DIR/log/a")
	[ "$after" -gt "$before" ]
}
is_true "channels opened anew within the call are keyed anew" rekeyed
forked() {
	sccp_do one 5 "fork $(sccp_name a) $CM:46000" || return 1
	sccp_do a 10 "sleep 0.7"
	in_ns cm timeout 5 tcpdump -i eth0 -n -c 5 "udp and dst port 46000" \
		>"$DIR/log/fork" 2>&1
	grep -q 'sends party=.* algorithm=[12] ' <(tail -n 12 "$DIR/log/a")
}
is_true "a recorder's copy leaves the phone encrypted, and reaches the recorder" \
	forked
no_key_twice() {
	local twice
	twice=$(grep -hoE ' (receives|sends) .*algorithm=[1-9].* key=[0-9a-f]+' \
		"$DIR"/log/[abc] | sed -E 's/.* (receives|sends) .*key=/\1 /' |
		sort | uniq -d)
	echo "$twice"
	[ -z "$twice" ]
}
is_true "it ends" hang_up a
is_true "for both" all_idle b

to_sip() {
	sccp_do a 40 "dial 9100" "wait state=connected 10" "wait media=25 10" \
		"expect srtp" && hang_up a
}
is_true "SCCP calls a SIP phone inside, through the call manager" to_sip

transferred() {
	a_calls_b &&
		sccp_do a 60 "transfer" "wait state=off-hook 10" "digits 4413" \
			"sleep 0.5" "wait state=connected 10" "transfer" \
			"wait idle 10" &&
		sccp_do b 20 mark "wait media=25 10" "expect srtp" "wait security=3 2" &&
		sccp_do c 20 mark "wait media=25 10" "expect srtp" "wait security=3 2" &&
		hang_up b && all_idle a c
}
is_true "a transfer: SRTP and lock between the two that are left" transferred

conferred() {
	a_calls_b &&
		sccp_do a 60 "conference" "wait state=off-hook 10" "digits 4413" \
			"sleep 0.5" "wait state=connected 10" "conference" \
			"wait calls=1 10" mark "wait media=25 10" "expect srtp" &&
		sccp_do b 20 mark "wait media=25 10" "expect srtp" &&
		sccp_do c 20 mark "wait media=25 10" "expect srtp" &&
		hang_up a && hang_up b && all_idle c
}
is_true "a conference on the call manager's bridge: SRTP for each phone" \
	conferred
is_true "no key was used twice" no_key_twice

# --- what the captures say ----------------------------------------------------
needs sccp_capture_stop
is_true "srtpcheck: SRTP outside under these keys, RTP inside, nothing in clear" \
	sccp_prove one --mixed
inside_is_known() { sccp_judge "$DIR/cap/one-in0.pcap"; }
is_true "tshark finds no malformed message inside" inside_is_known
needs stop tcpdump-tls
outside_is_known() { sccp_judge "$DIR/cap/tls-out0.pcap" "skinny and tls"; }
is_true "nor, with the phones' TLS keys, outside" outside_is_known
is_true "the keys that tshark reads are the keys that the phones use" \
	sccp_keys_agree tls
no_keys_inside() {
	local keys
	keys=$(sccp_tshark "$DIR/cap/one-in0.pcap" \
		"skinny.messageId in {0x105, 0x8a}" skinny.key skinny.salt |
		tr -d '0\t\n, ')
	echo "$keys"
	[ -z "$keys" ]
}
is_true "no key is told inside" no_keys_inside
not_malformed() { ! grep -h MALFORMED "$DIR"/log/{a,b,c,one,two}; }
is_true "the peers find nothing wrong either" not_malformed

# --- failover -------------------------------------------------------------------
needs stop one
second() {
	for p in a b c; do
		wait_for 20 "$p at the second" \
			grep -q 'registered .*server=1' "$DIR/log/$p" || return
	done
	sccp_do a 40 "dial 4412" "wait state=connected 10" "wait media=25 10" \
		"expect srtp" && hang_up a
}
is_true "phones go to the second call manager, and call" second
needs sccp_cm one cm "$CM:2000" --keepalive 2 --time 60
first_again() { [ "$(grep -c 'registered .*server=0' "$DIR/log/$1")" -ge 2 ]; }
fail_back() {
	for p in a b c; do
		wait_for 20 "$p at the first" first_again "$p" || return
	done
}
is_true "and back by token" fail_back
test_end
