#!/bin/bash
# Skinny phones and a SIP phone of two workers, in front of a call manager that
# speaks both: who has whose key, and what passes unopened, across workers and
# protocols.
WORKERS=2
. "$(dirname "$0")/lib/test.sh"
. "$LIB/sccp-phones.sh"

needs net_begin sp-sccp-workers
needs sallyport_pki
for p in c d; do needs sccp_cert "$(sccp_name "$p")"; done
needs sallyport_config "" "$(sccp_config one)"
needs sccp_cm one cm "$CM:2000" --sip "$CM:5060" --keepalive 2 --time 200
needs sallyport_start
needs sallyport_user "$USER_A" "$PASS_A"
needs baresip_start
is_true "a SIP phone registers" wait_for 20 "$DEV_A registers" registered "$DEV_A"

# c is served by the other worker, d by the SIP phone's
A=$(worker_of "$PHONE_A")
C="" D=""
for i in $(seq 20 60); do
	case $(worker_of "10.77.0.$i") in
	"$A") D=${D:-10.77.0.$i} ;;
	*) C=${C:-10.77.0.$i} ;;
	esac
done
for i in "$C" "$D"; do needs ip -n "$NS-px" addr add "$i/24" dev eth0; done
needs sccp_capture all
needs sccp_secure_phone c --local "$C" --retry 20000
needs sccp_secure_phone d --local "$D"
for p in c d; do
	is_true "Skinny phone $p registers" sccp_do "$p" 20 "wait registered 15"
done
both_workers() {
	ctl --json registrations >"$DIR/registrations"
	grep -q '"worker": *0' "$DIR/registrations" &&
		grep -q '"worker": *1' "$DIR/registrations"
}
is_true "both workers have phones" both_workers

end_to_end() {
	[ "$(ctl --json calls | grep -oE '"end-to-end": *true' | wc -l)" = 2 ] &&
		[ "$(ctl --json calls | grep -o '"Encrypted"' | wc -l)" = 2 ]
}
# shares FROM TO: what one phone sends under is what the other hears with
key_of() {
	sed -nE "s/.* $2 .* algorithm=[1-9].* key=([0-9a-f]+)\$/\\1/p" "$DIR/log/$1" |
		tail -1
}
shares() {
	local k
	k=$(key_of "$1" sends)
	[ -n "$k" ] && [ "$k" = "$(key_of "$2" receives)" ]
}

# --- Skinny with Skinny, of two workers ----------------------------------------
across() {
	sccp_do c 40 "dial $(sccp_number d)" "wait state=connected 10" \
		"wait media=25 10" "expect srtp" "wait security=3 5" &&
		sccp_do d 20 "wait media=25 10" "expect srtp" "wait security=3 5"
}
is_true "Skinny calls Skinny across workers: SRTP, and the lock" across
is_true "end to end, say both workers" wait_for 5 "end to end" end_to_end
is_true "the called phone hears with the caller's own key" shares c d
is_true "and the caller with the called phone's" shares d c
shows_call() {
	local id
	id=$(ctl --json calls | grep -oE '"id": *[0-9]+' | grep -oE '[0-9]+' | head -1)
	ctl --json call "$id" >"$DIR/call"
	cat "$DIR/call"
	grep -q '"protocol": *"sccp"' "$DIR/call" &&
		grep -q '"shared-key": *true' "$DIR/call" &&
		grep -q "channel opened anew, with the far phone's key" "$DIR/call"
}
is_true "sallyportctl call shows its streams and what happened" shows_call
hang_up() { sccp_do "$1" 20 hangup "wait idle 10" && sccp_do "$2" 10 "wait idle 10"; }
is_true "it ends" hang_up c d

# --- Skinny with SIP ------------------------------------------------------------
# to_sip PHONE [CHECK], from_sip PHONE
to_sip() {
	local from check=${2:-end_to_end}
	from=$(lines "$DIR/log/baresip")
	sccp_say "$1" "dial $USER_A"
	wait_for 15 "baresip rings" said "$DIR/log/baresip" "$from" \
		'^INVITE sip' || return 1
	sleep 0.5
	baresip_cmd accept >/dev/null
	sccp_do "$1" 30 "wait state=connected 10" mark "wait media=50 10" \
		"expect srtp" "wait security=3 5" &&
		wait_for 5 "$check" "$check" &&
		sccp_do "$1" 20 hangup "wait idle 10" && no_calls_left
}
from_sip() {
	baresip_cmd dial "sip:$(sccp_number "$1")@$SP_OUT" >/dev/null
	sccp_do "$1" 30 "wait state=connected 15" mark "wait media=50 10" \
		"expect srtp" "wait security=3 5" &&
		wait_for 5 "end to end" end_to_end || return 1
	baresip_cmd hangup >/dev/null
	sccp_do "$1" 20 "wait idle 10" && no_calls_left
}
no_calls_left() { wait_for 10 "no calls" no_calls; }
is_true "Skinny calls SIP within a worker: one key set each way" to_sip d
is_true "SIP calls Skinny within a worker" from_sip d
# who offers knows nothing of a phone of another worker, and the best suite wins
two_suites() {
	ctl --json calls | tr -d ' \n' >"$DIR/calls"
	grep -q '"suite":"AEAD_AES_128_GCM"' "$DIR/calls" &&
		grep -q '"suite":"AES_CM_128_HMAC_SHA1_80"' "$DIR/calls" &&
		[ "$(grep -o '"Encrypted"' "$DIR/calls" | wc -l)" = 2 ]
}
is_true "Skinny calls SIP across workers: each under its suite" \
	to_sip c two_suites
is_true "SIP calls Skinny across workers" from_sip c

# --- what the captures say --------------------------------------------------------
needs sccp_capture_stop
awk -v name=baresip -v sallyport="$SP_OUT" -f "$LIB/../streams.awk" \
	"$DIR/log/baresip" >"$DIR/cap/all.sip-streams"
is_true "srtpcheck: SRTP outside under these keys, nothing in clear" \
	sccp_prove all --mixed

# --- a worker dies, and its phone comes back at the other ---------------------------
# c's streams are kept by the successor while c, which does not hurry, is away; then
# its address is d's
is_true "Skinny calls Skinny across workers once more" across
killed_and_moved() {
	killed "worker=$(worker_of "$C")" || return 1
	wait_for 10 "its streams are kept" grep -q 'streams claimed' \
		"$DIR/log/sallyportd" || return 1
	sccp_end c
	sccp_secure_phone c --local "$D" && sccp_do c 20 "wait registered 15"
}
is_true "a worker dies, and its phone registers with the other" killed_and_moved
is_true "the first one hears of it, and ends what it kept" wait_for 5 \
	"the streams end" grep -q 'registered%20with%20another%20worker' \
	"$DIR/log/sallyportd"
no_flows() {
	ctl --json media | tr -d ' \n' >"$DIR/media"
	! grep -q '"flows":[1-9]' "$DIR/media"
}
sccp_say d hangup
is_true "nothing is left of the call" wait_for 10 "no flows" no_flows
test_end
