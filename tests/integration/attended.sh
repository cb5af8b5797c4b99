#!/bin/bash
# Attended transfer between three real phones through the call manager: b talks
# to a, puts a on hold, asks c, and connects the two (REFER with Replaces). What
# a and c send each other afterwards is proved from captures, with the keys that
# the phones logged, and both show the lock.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-attended
needs sallyport_pki
needs sipp_pki
needs sallyport_config "" "$(sipp_devices)"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_A" "$PASS_A"
needs sallyport_user "$USER_B" "$PASS_B"
needs sallyport_user "$USER_C" "$PASS_C"
needs linphone_phone a pa "$PHONE_A" "$DEV_A" "$USER_A" "$PASS_A" 0
needs linphone_phone b pb "$PHONE_B" "$DEV_B" "$USER_B" "$PASS_B" 1
needs linphone_phone c px "$PHONE_X" "$DEV_C" "$USER_C" "$PASS_C" 2
for d in "$DEV_A" "$DEV_B" "$DEV_C"; do
	is_true "$d registers" wait_for 20 "$d" registered "$d"
done

# rings PHONE FROM: a call comes in after that line of its log
rings() {
	wait_for 15 "$1 rings" said "$DIR/log/$1" "$2" \
		'Receiving new incoming call' && sleep 0.5
}
# asks PHONE USER: b calls it, and it answers
asks() {
	local from
	from=$(lines "$DIR/log/$1")
	phone_cmd b "call sip:$2@$SP_OUT"
	rings "$1" "$from" && phone_cmd "$1" answer
}
# talk DEVICE DEVICE: these two have the only calls, both established
talk() {
	calls_up 2 && [ "$(ctl --json calls | grep -c '"device"')" = 2 ] &&
		[ "$(ctl --json calls --device "$1" | grep -c '"established"')" = 1 ] &&
		[ "$(ctl --json calls --device "$2" | grep -c '"established"')" = 1 ]
}
both() {
	asks a "$USER_A" && wait_for 15 "a and b talk" calls_up 2 &&
		sleep 2 || return 1
	phone_cmd b "pause 1"
	sleep 1
	asks c "$USER_C" && wait_for 15 "b and c talk" calls_up 4 && sleep 2
}
transfer() {
	phone_cmd b "transfer 1 --to-call 2"
	wait_for 20 "a talks to c" talk "$DEV_A" "$DEV_C" ||
		{ ctl calls; return 1; }
}
is_locked() {
	[ "$(ctl --json calls | grep -c '"security": "Encrypted"')" = 2 ] &&
		[ "$(ctl --json calls | grep -c '"end-to-end": true')" = 2 ]
}
# shown PHONE: in the newest of its calls it was last told of the lock; the one
# that ends with the transfer may have lost it just before
shown() {
	awk '{ sub(/\r$/, "") }
	/^[A-Z]+ sips?:/ || /^SIP\/2\.0 / { is_invite = $1 == "INVITE"; id = told = "" }
	/^Call-ID: / {
		id = $2
		if (is_invite && !(id in calls)) { calls[id]; newest = id }
	}
	/^Call-Info:.*security=/ { told = $0 }
	/^$/ {
		if (id != "" && told != "") last[id] = told
		id = ""
	}
	END { exit last[newest] !~ /security=Encrypted/ }' "$DIR/$1/log"
}
locks() {
	wait_for 10 "both calls are end to end" is_locked &&
		wait_for 5 "the lock at a" shown a &&
		wait_for 5 "the lock at c" shown c && sleep 3
}
ends() {
	phone_cmd a terminate
	wait_for 15 "all calls end" no_calls
}
proved() {
	local p
	for p in a b c; do
		streams_of "$p" "$DIR/$p/log" 0
	done >"$DIR/cap/all.streams"
	capture_prove all --mixed >"$DIR/cap/all.proof" || {
		cat "$DIR/cap/all.proof"
		return 1
	}
}
subscriptions() { ctl --json status | finds "\"subscriptions\": *$1"; }
needs capture_start all
is_true "b talks to a, holds it, and asks c" both
is_true "b transfers: a talks to c, b has no call" transfer
is_true "the lock is shown to both, and it means end to end" locks
is_true "a hangs up, nothing is left" ends
needs capture_stop
is_true "each packet went from phone to phone as SRTP" proved
is_true "no subscription is left" wait_for 40 "they end" subscriptions 0
test_end
