#!/bin/bash
# SIPp through stunnel: MESSAGE, PUBLISH, SUBSCRIBE with its NOTIFYs, and REFER
# with its own, from a phone with digest to an inside peer behind kamailio.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-methods
needs sallyport_pki
needs sipp_pki
needs sallyport_config "" "$(sipp_devices)"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061

inside_registers() {
	sipp_run "inside-reg" cm register-plain - - - -s 3001 -t u1 -m 1 \
		-i "$CM" -p 7001 "$CM:5060"
}
is_true "an inside peer registers at kamailio" inside_registers

# One inside peer after the other at the same place, in the order in which
# the phone asks.
inside_answers() {
	local m
	for m in message publish subscribe refer; do
		timeout 40 sipp -sf "$LIB/../sipp/uas-$m.xml" -t u1 -i "$CM" \
			-p 7001 -m 1 -nostdin -trace_err \
			-error_file "$DIR/uas-$m.log" || return 1
	done
}
export -f inside_answers
export DIR LIB CM
needs spawn inside-uas cm bash -c 'inside_answers'
phone_asks() {
	sipp_run methods px methods "$USER_C" "$PASS_C" 3001 -s "$USER_C" \
		-t t1 -m 1 -recv_timeout 20000 127.0.0.1:15061
}
is_true "each method is asked, answered and notified" phone_asks
subscriptions() { ctl --json status | finds "\"subscriptions\": *$1"; }
is_true "no subscription is left" wait_for 10 "they end" subscriptions 0

# The other way: somebody inside subscribes to a phone.
needs sallyport_user "$USER_D" "$PASS_D"
needs stunnel_start stunnel-d "$DEV_D" 15062
phone_d_waits() {
	mkdir -p "$DIR/sipp/d"
	sipp_fields "$USER_D" "$PASS_D" - >"$DIR/sipp/d/fields.csv"
	spawn phone-d px sipp -sf "$LIB/../sipp/register-and-wait.xml" \
		-oocsf "$LIB/../sipp/uas-notifier.xml" -s "$USER_D" \
		-inf "$DIR/sipp/d/fields.csv" -t t1 -m 1 -nostdin -trace_err \
		-error_file "$DIR/sipp/d/errors.log" 127.0.0.1:15062
	wait_for 10 "$DEV_D registers" registered "$DEV_D"
}
needs phone_d_waits
inside_subscribes() {
	sipp_run subscribe cm uac-subscribe - - - -s "$USER_D" -t u1 -m 1 \
		-i "$CM" -p 7002 "$CM:5060" ||
		{ cat "$DIR/sipp/d/errors.log"; return 1; }
}
is_true "a phone is subscribed to, and notifies twice" inside_subscribes
is_true "no subscription is left of it" wait_for 10 "it ends" subscriptions 0
test_end
