#!/bin/bash
# Somebody has too much to do: a call manager that answers 503, so that the next
# one is asked, and Sallyport itself, which refuses calls beyond its limit and
# keeps those it has.
. "$(dirname "$0")/lib/test.sh"

CM2=10.77.1.3
second='
call-manager "spare" {
	address = "udp:'$CM2':5060"
	local-address = "'$SP_IN':5070"
	priority = 2
}
limits {
	calls = 3
}'

needs net_begin sp-overload
ip -n "$NS-cm" addr add "$CM2/24" dev eth0
needs sallyport_pki
needs sipp_pki
needs sallyport_config "" "$(sipp_devices)$second"
# It is there, says OPTIONS, and takes nothing.
KAMAILIO_AUTH='
	if (is_method("REGISTER|INVITE")) {
		append_to_reply("Retry-After: 10\r\n");
		sl_send_reply("503", "Overloaded");
		exit;
	}'
needs kamailio_start
KAMAILIO_AUTH=""
needs kamailio_start kamailio2 "$CM2"
needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061

# phone c, that stays while it calls over the same stunnel
phone_c_waits() {
	mkdir -p "$DIR/sipp/c"
	sipp_fields "$USER_C" "$PASS_C" - >"$DIR/sipp/c/fields.csv"
	spawn phone-c px sipp -sf "$LIB/../sipp/register-and-wait.xml" \
		-oocsf "$LIB/../sipp/uas-srtp.xml" -s "$USER_C" \
		-inf "$DIR/sipp/c/fields.csv" -t t1 -m 1 -nostdin \
		127.0.0.1:15061
	wait_for 10 "$DEV_C registers" registered "$DEV_C"
}
is_true "the call manager says 503: a phone registers at the next" phone_c_waits
is_there() {
	kamailio_users kamailio2 | finds "AoR: $USER_C" &&
		! kamailio_users kamailio | finds "AoR: $USER_C"
}
is_true "there it is, and at the first it is not" is_there

inside_registers() {
	sipp_run inside-reg cm register-plain - - - -s 3001 -t u1 -m 1 \
		-i "$CM2" -p 7001 "$CM2:5060"
}
needs inside_registers
inside_answers() {
	spawn inside-uas cm sipp -sf "$LIB/../sipp/uas-plain.xml" -t u1 \
		-i "$CM2" -p 7001 -m "$1" -nostdin
}
calls() {
	sipp_run "$1-$2" px "$1" "$USER_C" "$PASS_C" 3001 -t t1 -m "$2" \
		-r "$3" -l "$4" 127.0.0.1:15061
}
needs inside_answers 6
is_true "calls too, each of them" calls uac-srtp 6 2 2
is_true "no call is left" wait_for 10 "calls end" no_calls

needs inside_answers 100
refused() {
	grep -c 'refused method=INVITE .*reason=call%20limit' "$DIR/log/sallyportd"
}
beyond() {
	calls uac-overload 9 20 9 &
	sleep 2
	calls_up 3 || { ctl calls; wait $!; return 1; }
	wait $! || return 1
	echo "$(refused) refused"
	[ "$(refused)" = 6 ]
}
is_true "nine calls, limit three: three talk, six get 503 and when to try again" \
	beyond
is_true "no call is left of them" wait_for 10 "calls end" no_calls
is_true "and there is room again" calls uac-srtp 2 2 2
test_end
