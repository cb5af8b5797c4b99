#!/bin/bash
# Calling rights against who would lead a call from outside to outside: a phone
# that forwards by 302, a call manager that forwards for it, a transfer by REFER
# and one by Cisco's remotecc. Each is refused, and goes on where it leads inside.
# SIPp as the phone and as both far parties, kamailio as call manager.
. "$(dirname "$0")/lib/test.sh"
. "$LIB/trunks.sh"

DEV_E=SEP001122334405 USER_E=2005
needs net_begin sp-rights
needs sallyport_pki
needs sallyport_config 'inside-numbers = { "1*" }' '
listener "plain" { address = "udp:'$SP_OUT':5060" }
listener "trunks" {
	address = "udp:'$SP_OUT':5062"
	serves = trunks
}
'"$(trunk_core cm-trunk 5065 5080)"'
failover { options-interval = 0 }
calling-rights "lobby" {
	rules = {
		"deny forward from=outside to=outside",
		"deny transfer from=outside to=outside"
	}
	default = allow
}
device "'$DEV_E'" {
	lines = { "'$USER_E'" }
	security-mode = nonsecure
	digest = no
	calling-rights = "lobby"
}
trunk-profile "plain" { security-mode = nonsecure }
trunk "carrier" {
	profile = "plain"
	listeners = { "trunks" }
	peers = { "udp:'$PHONE_B':5060" }
	call-managers = { "cm-trunk" }
}'
KAMAILIO_AUTH='
	if (is_method("REFER")) {
		sl_send_reply("202", "Accepted");
		exit;
	}
	if (is_method("INVITE") && $rU =~ "^1") {
		record_route();
		$du = "sip:'$CM':5090";
		t_relay();
		exit;
	}' needs kamailio_start
needs sallyport_start

log=$DIR/log/sallyportd
# far NAME SCENARIO PORT CALLS [NS ADDRESS]: SIPp that is called
far() {
	spawn "$1" "${5:-cm}" sipp -sf "$LIB/../sipp/$2.xml" -t u1 \
		-i "${6:-$CM}" -p "$3" -m "$4" -nostdin -trace_err \
		-error_file "$DIR/$1-errors.log"
	wait_for 10 "$1 listens" listens "${5:-cm}" u "${6:-$CM}:$3"
}
registers() {
	sipp_run "register-$RANDOM" px register-plain "$USER_E" - - \
		-s "$USER_E" -t u1 -m 1 -recv_timeout 5000 -i "$PHONE_X" \
		-p 5070 "$SP_OUT:5060"
}
# caller NAME STATUS HEADER NUMBER TO: from outside, by way of the call manager
caller() {
	mkdir -p "$DIR/scenario"
	sed "s/HEADER/$3/; s/ANSWER/$2/" "$LIB/../sipp/uac-answered.xml" \
		>"$DIR/scenario/$1.xml"
	sipp_run "$1" cm "$DIR/scenario/$1.xml" - - - -s "$4" -t u1 -m 1 \
		-recv_timeout 8000 -i "$CM" -p 5095 "$5"
}
# forwards NAME NUMBER STATUS: the phone is called from outside and forwards
forwards() {
	local status=0
	mkdir -p "$DIR/sipp/$1-phone"
	sed "s/\[field1\]/$2/" "$LIB/../sipp/uas-forward.xml" \
		>"$DIR/sipp/$1-phone/scenario.xml"
	spawn "$1-phone" px sipp -sf "$DIR/sipp/$1-phone/scenario.xml" -t u1 \
		-i "$PHONE_X" -p 5070 -m 1 -nostdin
	wait_for 10 "the phone listens" listens px u "$PHONE_X:5070" || return 1
	caller "$1" "$3" "X-Test: $1" "$USER_E" "$CM:5060" || status=1
	stop "$1-phone"
	return "$status"
}
by_rule() { grep -qF "text=\"calling-rights \"lobby\" rule $1\"" "$log"; }

is_true "the phone registers" wait_for 10 REGISTER registers
is_true "a phone may not forward a call from outside to the outside" \
	forwards out 09001 403
is_true "by the rule that the log names" by_rule 1
is_true "but inside" forwards in 1234 302

needs far carrier uas-busy 5060 1 pb "$PHONE_B"
diverted() { caller "$1" "$2" "Diversion: <sip:$USER_E@$CM>;reason=unconditional" \
	"$3" "$SP_IN:5080"; }
is_true "nor may the call manager do it for the phone" diverted div-out 403 09001
is_true "but to an inside number: the carrier is asked" diverted div-in 486 1234

phone() { # SCENARIO
	sipp_run "$1" px "$1" "$USER_E" - - -t u1 -m 1 -recv_timeout 8000 \
		-i "$PHONE_X" -p 5070 "$SP_OUT:5060"
}
needs far referred uas-referred 5090 1
is_true "a call from outside is not handed over to the outside, but inside" \
	phone uac-transfer
stop referred
is_true "by the rule that the log names" by_rule 2
transfers() { grep -c 'reason=calling-rights .* method=REFER' "$log"; }
BEFORE=$(transfers)
needs far others uas-plain 5090 3
is_true "nor are two calls outside joined by remotecc, but one with one inside" \
	phone uac-remotecc
one_more() { [ "$(transfers)" = $((BEFORE + 1)) ]; }
is_true "which the log has once" one_more
no_calls() { ! ctl --json calls | finds '"id"'; }
is_true "no call is left" wait_for 10 "calls end" no_calls
test_end
