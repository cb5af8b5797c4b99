#!/bin/bash
# Blind transfer between real phones: linphone sends baresip, with which it
# talks, to a third party inside; baresip calls it, and linphone is told.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-transfer
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

third_waits() {
	sipp_run inside-reg cm register-plain - - - -s 3001 -t u1 -m 1 \
		-i "$CM" -p 7001 "$CM:5060" &&
		spawn inside-uas cm sipp -sf "$LIB/../sipp/uas-plain.xml" \
			-t u1 -i "$CM" -p 7001 -m 1 -nostdin
}
is_true "a third party waits inside" third_waits
is_true "baresip calls linphone" call_a_to_b
talks_to() { ctl calls | grep "$1" | finds established; }
transfer() {
	linphone_cmd "transfer sip:3001@$SP_OUT"
	wait_for 20 "baresip talks to the third" talks_to 3001
}
is_true "linphone transfers baresip to the third party" transfer
is_over() { ! is_up inside-uas && no_calls; }
ends() {
	# The third party's program ends when it has got the BYE.
	baresip_cmd hangup >/dev/null
	baresip_cmd hangupall >/dev/null
	linphone_cmd terminate
	wait_for 15 "all calls end" is_over
}
is_true "the third party gets its BYE, and nothing is left" ends
subscriptions() { ctl --json status | finds "\"subscriptions\": *$1"; }
is_true "no subscription is left" wait_for 40 "they end" subscriptions 0
test_end
