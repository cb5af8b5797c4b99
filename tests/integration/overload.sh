#!/bin/bash
# Somebody has too much to do: a call manager that answers 503, so that the next
# one is asked, and Sallyport itself, which refuses calls beyond its limit and
# keeps those it has. The limit is one for all workers: phone c is served by one
# of them, phone d by the other.
WORKERS=${WORKERS:-2}
. "$(dirname "$0")/lib/test.sh"

CM2=10.77.1.3 PHONE_D=10.77.0.14
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
needs sallyport_user "$USER_D" "$PASS_D"
needs ip -n "$NS-px" addr add "$PHONE_D/24" dev eth0
needs stunnel_start stunnel-c "$DEV_C" 15061 "$PHONE_X"
needs stunnel_start stunnel-d "$DEV_D" 15062 "$PHONE_D"

# phone_waits PHONE DEVICE USER PASSWORD PORT: one that stays while it calls over
# the same stunnel
phone_waits() {
	mkdir -p "$DIR/sipp/$1"
	sipp_fields "$3" "$4" - >"$DIR/sipp/$1/fields.csv"
	spawn "phone-$1" px sipp -sf "$LIB/../sipp/register-and-wait.xml" \
		-oocsf "$LIB/../sipp/uas-srtp.xml" -s "$3" \
		-inf "$DIR/sipp/$1/fields.csv" -t t1 -m 1 -nostdin \
		"127.0.0.1:$5"
	wait_for 10 "$2 registers" registered "$2"
}
is_true "the call manager says 503: a phone registers at the next" \
	phone_waits c "$DEV_C" "$USER_C" "$PASS_C" 15061
is_true "another does, too" phone_waits d "$DEV_D" "$USER_D" "$PASS_D" 15062
workers_of() {
	ctl --json registrations | grep -o '"worker": *[0-9]*' | sort -u | wc -l
}
[ "$WORKERS" = 1 ] ||
	is_true "each of them is served by another worker" eval '[ "$(workers_of)" = 2 ]'
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
# calls PHONE SCENARIO COUNT RATE ATONCE
calls() {
	local user=$USER_C password=$PASS_C port=15061
	[ "$1" = c ] || user=$USER_D password=$PASS_D port=15062
	sipp_run "$1-$2-$3" px "$2" "$user" "$password" 3001 -t t1 -m "$3" \
		-r "$4" -l "$5" "127.0.0.1:$port"
}
needs inside_answers 6
is_true "calls too, each of them" calls c uac-srtp 6 2 2
is_true "no call is left" wait_for 10 "calls end" no_calls

needs inside_answers 100
refused() {
	grep -c 'refused method=INVITE .*reason=call%20limit' "$DIR/log/sallyportd"
}
# beyond PHONE COUNT...: all their calls within two seconds, and three talk
beyond() {
	local before pid pids="" up status=0
	before=$(refused)
	while [ $# -gt 0 ]; do
		calls "$1" uac-overload "$2" 5 "$2" &
		pids="$pids $!"
		shift 2
	done
	sleep 2.2
	up=$(ctl --json calls)
	for pid in $pids; do wait "$pid" || status=1; done
	echo "$(($(refused) - before)) refused, of those that were not: $up"
	[ "$(grep -o '"established"' <<<"$up" | wc -l)" = 3 ] &&
		[ "$(refused)" = $((before + 6)) ] && return "$status"
}
is_true "nine calls, limit three: three talk, six get 503 and when to try again" \
	beyond c 5 d 4
is_true "no call is left of them" wait_for 10 "calls end" no_calls
is_true "nine from phones of one worker: it has what the other does not need" \
	beyond d 9
is_true "no call is left of these" wait_for 10 "calls end" no_calls
is_true "nine from those of the other" beyond c 9
is_true "no call is left in the end" wait_for 10 "calls end" no_calls
is_true "and there is room again" calls c uac-srtp 2 2 2
test_end
