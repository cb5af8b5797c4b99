#!/bin/bash
# SIPp through stunnel with client certificates: registration with digest,
# calls in both directions through kamailio, a small load, PRACK and session
# timers.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-sipp
needs sallyport_pki
needs sipp_pki
needs sallyport_config "sip { session-expires = 90 }" "$(sipp_devices)"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs sallyport_user "$USER_D" "$PASS_D"
needs stunnel_start stunnel-c "$DEV_C" 15061
needs stunnel_start stunnel-d "$DEV_D" 15062

inside_registers() {
	sipp_run "inside-reg-$1" cm register-plain - - - -s "$1" -t u1 -m 1 \
		-i "$CM" -p "$2" "$CM:5060"
}
inside_answers() {
	spawn inside-uas cm sipp -sf "$LIB/../sipp/uas-plain.xml" -t u1 \
		-i "$CM" -p 7001 -m "$1" -nostdin
}
calls_out() {
	sipp_run "out-$1" px uac-srtp "$USER_C" "$PASS_C" 3001 -t t1 -m "$1" \
		-r "$2" -l 30 127.0.0.1:15061
}
no_bindings() { ! ctl --json registrations | finds '"aor"'; }

is_true "a phone registers over TLS with digest" phone_c_registers
wrong_password() {
	! sipp_run wrong px register "$USER_C" not-it - -s "$USER_C" -t t1 \
		-m 1 -recv_timeout 5000 127.0.0.1:15061 >/dev/null
}
is_true "a wrong password is refused" wrong_password
foreign_line() {
	! sipp_run foreign px register "$USER_C" "$PASS_C" - -s "$USER_D" \
		-t t1 -m 1 -recv_timeout 5000 127.0.0.1:15061 >/dev/null
}
is_true "a phone cannot register another's line" foreign_line
# as when somebody logs in at the phone (extension mobility)
password_changes() {
	printf '%s\n' "another-$PASS_C" | ctl user passwd "$USER_C" || return
	! phone_c_registers >/dev/null || return
	sipp_run changed px register "$USER_C" "another-$PASS_C" - \
		-s "$USER_C" -t t1 -m 1 127.0.0.1:15061 || return
	printf '%s\n' "$PASS_C" | ctl user passwd "$USER_C" &&
		phone_c_registers
}
is_true "another password counts from the next request on" password_changes
is_true "an inside phone registers at kamailio" inside_registers 3001 7001

needs inside_answers 1
is_true "a phone calls an inside phone: SRTP outside, RTP inside" calls_out 1 1
needs inside_answers 20
is_true "20 calls, 10 a second" calls_out 20 10
is_true "no call is left" wait_for 10 "calls end" no_calls

# PRACK and session timers: the inside phone answers in a reliable 183 and is
# refreshed by us; the outside one is to refresh itself, does not, and is
# hung up at two thirds of 90 seconds.
inside_answers_reliably() {
	spawn inside-prack cm sipp -sf "$LIB/../sipp/uas-prack.xml" -t u1 \
		-i "$CM" -p 7001 -m "$1" -nostdin -trace_err -trace_msg -message_file "$DIR/inside-msg.log" \
		-error_file "$DIR/inside-prack.log"
	INSIDE_PID=$!
}
inside_is_done() {
	wait "$INSIDE_PID" || { cat "$DIR/inside-prack.log"; return 1; }
}
calls_reliably() {
	SIPP_LIMIT=90 sipp_run prack px uac-prack "$USER_C" "$PASS_C" 3001 \
		-t t1 -m 1 127.0.0.1:15061
}
needs inside_answers_reliably 1
is_true "183 and PRACK go through; a session is refreshed or ended" \
	calls_reliably
is_true "the inside phone saw PRACK, UPDATE and BYE" inside_is_done
is_true "no call is left of it" wait_for 10 "calls end" no_calls

# phone d registers and is called on that connection
phone_d_waits() {
	mkdir -p "$DIR/sipp/d"
	sipp_fields "$USER_D" "$PASS_D" - >"$DIR/sipp/d/fields.csv"
	spawn phone-d px sipp -sf "$LIB/../sipp/register-and-wait.xml" \
		-oocsf "$LIB/../sipp/uas-srtp.xml" -s "$USER_D" \
		-inf "$DIR/sipp/d/fields.csv" -t t1 -m 1 -nostdin \
		-trace_err -error_file "$DIR/sipp/d/errors.log" \
		127.0.0.1:15062
	wait_for 10 "$DEV_D registers" registered "$DEV_D"
}
calls_in() {
	sipp_run "in-$1" cm uac-plain - - - -s "$USER_D" -t u1 -m "$1" \
		-r "$2" -l 30 -i "$CM" -p 7002 "$CM:5060" ||
		{ cat "$DIR/sipp/d/errors.log"; return 1; }
}
is_true "another phone registers and stays" phone_d_waits
is_true "an inside phone calls it: RTP inside, SRTP outside" calls_in 1 1
is_true "20 calls inwards, 10 a second" calls_in 20 10
is_true "no call is left afterwards" wait_for 10 "calls end" no_calls
test_end
