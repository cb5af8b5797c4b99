#!/bin/bash
# A second call manager joins while the daemon runs. The first is killed,
# registrations and calls go on at the other; it comes back, and so do they, while
# a call that was made meanwhile goes on.
. "$(dirname "$0")/lib/test.sh"

CM2=10.77.1.3
times='
failover {
	options-interval = 2
	failures = 2
	successes = 2
	hold-down = 3
	try-timeout = 1000
}'

needs net_begin sp-failover
ip -n "$NS-cm" addr add "$CM2/24" dev eth0
needs sallyport_pki
needs sallyport_config "" "$times"
needs kamailio_start
needs kamailio_start kamailio2 "$CM2"
needs sallyport_start
for u in "$USER_A $PASS_A" "$USER_B $PASS_B"; do
	# shellcheck disable=SC2086
	needs sallyport_user $u
done

# state_is NAME STATE: as sallyportctl tells it
state_is() {
	ctl --json status | tr -d ' \n' |
		grep -q "\"name\":\"$1\",[^}]*\"state\":\"$2\""
}
# knows KAMAILIO USER: it has a registration of the user
knows() { kamailio_users "$1" | finds "AoR: $2"; }
both_at() { knows "$1" "$USER_A" && knows "$1" "$USER_B"; }
# kill_all NAME: without a word, all processes of it
kill_all() {
	local pid
	pid=$(cat "$DIR/pid/$1")
	rm -f "$DIR/pid/$1"
	for p in $(pgrep -P "$pid") "$pid"; do
		! is_ours "$p" || kill -9 "$p"
	done
	wait "$pid" 2>/dev/null || true
}

joins() {
	mkdir -p "$DIR/etc/sallyport/conf.d"
	printf 'call-manager "spare" {
	address = "udp:%s:5060"
	local-address = "%s:5070"
	priority = 2
}\n' "$CM2" "$SP_IN" >"$DIR/etc/sallyport/conf.d/spare.conf"
	reload_whole
}
is_true "one call manager is up" wait_for 10 "up" state_is cm up
is_true "a second one joins by a reload" joins
is_true "both call managers are up" wait_for 10 "both" \
	eval 'state_is cm up && state_is spare up'
needs baresip_start
needs linphone_start
needs wait_for 20 "$DEV_A registers" registered "$DEV_A"
needs wait_for 20 "$DEV_B registers" registered "$DEV_B"
is_true "phones register at the one with the lower number" both_at kamailio
none_at_second() { ! knows kamailio2 "$USER_A" && ! knows kamailio2 "$USER_B"; }
is_true "and not at the other" none_at_second

kill_all kamailio
is_true "the one that was killed is down" wait_for 20 "it is noticed" \
	state_is cm down
is_true "that is logged" grep -q 'call manager name=cm .*state=down' \
	"$DIR/log/sallyportd"
is_true "the registrations are at the other, without the phones' doing" \
	wait_for 20 "both at spare" both_at kamailio2
is_true "calls go on there" call_a_to_b

rm -f "$DIR/kamailio/ctl"
needs kamailio_start
is_true "it comes back" wait_for 20 "it is up" \
	eval 'state_is cm up || state_is cm held'
is_true "the registrations come back to it" wait_for 30 "both at cm" \
	both_at kamailio
is_true "the call that was made meanwhile goes on" calls_up 2
is_true "and ends on both sides" call_end
is_true "the next call goes where the registrations are" call_a_to_b
successor() {
	worker_again &&
		wait_for 10 "both" eval 'state_is cm up && state_is spare up'
}
is_true "a worker that is started anew has both" successor
test_end
