#!/bin/bash
# The two real phones: calls both ways, proved from captures; hold and resume.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-phones
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

# proved NAME CALL [MODE]: capture, call, talk, end, prove
proved() {
	local baresip linphone
	baresip=$(lines "$DIR/log/baresip")
	linphone=$(lines "$DIR/linphone/log")
	capture_start "$1" && "$2" && sleep 3 && call_end || return 1
	capture_stop
	call_prove "$1" "$baresip" "$linphone" "${3:-}"
}
is_true "baresip calls linphone: the same packets from phone to phone" \
	proved ab call_a_to_b
is_true "linphone calls baresip: the same packets from phone to phone" \
	proved ba call_b_to_a

needs echo_start
is_true "baresip calls an endpoint inside: SRTP outside, RTP inside" \
	proved echo call_a_to_echo --inside
own_keys() {
	sed -i 's/^media {/&\n\tend-to-end = no/' \
		"$DIR/etc/sallyport/sallyport.conf"
	ctl reload && proved own call_a_to_b --joined || return 1
	sed -i '/end-to-end = no/d' "$DIR/etc/sallyport/sallyport.conf"
	ctl reload
}
is_true "end-to-end = no: other packets, and still none inside" own_keys

hold_resume() {
	call_a_to_b || return 1
	baresip_cmd hold >/dev/null
	sleep 2
	calls_up 2 || return 1
	baresip_cmd resume >/dev/null
	sleep 2
	calls_up 2 || return 1
	call_end
}
is_true "hold and resume keep the call" hold_resume
# the one call of phone a, seen from all sides
one_call() {
	local id seen pattern
	call_a_to_b && sleep 1 || return 1
	id=$(ctl --json calls --device "$DEV_A" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p')
	seen=$(ctl --json call "$id") || return 1
	ctl call "$id" | finds '^legs: *side=phone peer=' || return 1
	! ctl call 12345 2>/dev/null || { echo "call 12345?"; return 1; }
	call_end
	for pattern in '"transport": "tls"' '"transport": "udp"' \
		'"suite": "A[A-Z0-9_]*"' '"packets": [1-9]' '"joined": true' \
		'"event": "INVITE from phone"' \
		'"event": "200 to INVITE from call manager"' \
		'"event": "phone is shown Encrypted"'; do
		grep -q "$pattern" <<<"$seen" ||
			{ printf 'no %s in:\n%s\n' "$pattern" "$seen"; return 1; }
	done
	! grep -q 'inline:' <<<"$seen"
}
is_true "call ID shows legs, streams and history" one_call
busy() {
	local from
	from=$(lines "$DIR/log/linphone")
	baresip_cmd dial "sip:$USER_B@$SP_OUT" >/dev/null
	wait_for 15 "linphone rings" said "$DIR/log/linphone" "$from" \
		'Receiving new incoming call' || return 1
	sleep 0.5
	baresip_cmd hangup >/dev/null # CANCEL
	wait_for 15 "the call is cancelled" no_calls
}
is_true "a ringing call is cancelled" busy
declined() {
	local from
	from=$(lines "$DIR/log/linphone")
	baresip_cmd dial "sip:$USER_B@$SP_OUT" >/dev/null
	wait_for 15 "linphone rings" said "$DIR/log/linphone" "$from" \
		'Receiving new incoming call' || return 1
	sleep 0.5
	linphone_cmd terminate
	wait_for 15 "the call is declined" no_calls
}
is_true "a ringing call is declined" declined
nobody() {
	baresip_cmd dial "sip:9999@$SP_OUT" >/dev/null
	sleep 1
	wait_for 10 "no call" no_calls
}
is_true "an unknown number ends at once" nobody
worker_dies() {
	local worker
	call_a_to_b || return 1
	worker=$(role_pid worker)
	is_ours "$worker" || return 1
	kill -9 "$worker"
	baresip_cmd hangup >/dev/null
	linphone_cmd terminate
	sleep 1
	# linphone notices; baresip would wait for its next refresh
	baresip_cmd uareg "60 0" >/dev/null
	wait_for 30 "$DEV_A is back" registered "$DEV_A" &&
		wait_for 30 "$DEV_B is back" registered "$DEV_B" || return 1
	sleep 2
	call_a_to_b && sleep 1 && call_end
}
is_true "a worker dies in a call: the phones come back and call again" worker_dies
no_secrets() {
	! grep -E "$PASS_A|$PASS_B|inline:|PRIVATE KEY" "$DIR/log/sallyportd"
}
is_true "no password or key is in the log" no_secrets
test_end
