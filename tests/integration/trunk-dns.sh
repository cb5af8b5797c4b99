#!/bin/bash
# The peer of a trunk is a name: a real name server tells its two places by
# NAPTR and SRV, kamailio at each answers OPTIONS and hands calls to SIPp. The
# first place goes and comes back, the name moves, another trunk has it.
. "$(dirname "$0")/lib/test.sh"
. "$LIB/trunks.sh"

MOVED=10.77.0.31
# trunk NAME HOST [OPTIONS]: in a file of its own
trunk() {
	cat >"$DIR/etc/sallyport/conf.d/trunk.conf" <<CFG
trunk "$1" {
	profile = "plain"
	listeners = { "trunks" }
	peers = { "udp:$2${3:-}" }
	sources = { "10.77.0.0/24" }
	call-managers = { "cm-trunk" }
}
CFG
}

needs net_begin sp-trunk-dns
ip -n "$NS-pb" addr add "$MOVED/24" dev eth0
printf 'nameserver %s\noptions timeout:1\n' "$CM" >"$DIR/resolv.conf"

# dns_start SECOND: the second place is at that address
dns_start() {
	spawn dnsmasq cm dnsmasq --keep-in-foreground --no-resolv --no-hosts \
		--local=/test/ --user=root --pid-file= \
		--log-facility=- --log-queries \
		--listen-address="$CM" --bind-interfaces --local-ttl=5 \
		--naptr-record=carrier.test,10,10,s,SIP+D2U,,_sip._udp.sbc.test \
		--srv-host=_sip._udp.sbc.test,one.carrier.test,5060,1,1 \
		--srv-host=_sip._udp.sbc.test,two.carrier.test,5060,2,1 \
		--srv-host=_sip._udp.other.test,two.carrier.test,5060,1,1 \
		--host-record=one.carrier.test,"$PHONE_A" \
		--host-record=two.carrier.test,"$1"
	wait_for 10 "dnsmasq listens" listens cm u "$CM:53"
}
# carrier NAME NS ADDRESS: a place of the name, and SIPp behind it
carrier() {
	KAMAILIO_NS=$2 KAMAILIO_AUTH='
	if (is_method("OPTIONS")) xlog("L_ERR", "asked by OPTIONS\n");
	if (is_method("INVITE")) {
		xlog("L_ERR", "has a call\n");
		record_route();
		$du = "sip:'$3':5070";
		if (!t_relay()) sl_reply_error();
		exit;
	}' KAMAILIO_PARAMS='loadmodule "xlog.so"' kamailio_start "$1" "$3" &&
		spawn "$1-uas" "$2" sipp -sf "$LIB/../sipp/uas-plain.xml" \
			-t u1 -i "$3" -p 5070 -nostdin &&
		wait_for 10 "$1 listens" listens "$2" u "$3:5070"
}
ends() {
	local pid p
	pid=$(cat "$DIR/pid/$1")
	for p in $(pgrep -P "$pid") "$pid"; do
		! is_ours "$p" || kill -9 "$p"
	done
	rm -f "$DIR/pid/$1"
}

needs sallyport_pki
needs sallyport_config "" '
listener "trunks" {
	address = "udp:'$SP_OUT':5080"
	serves = trunks
}
'"$(trunk_core cm-trunk 5065 5080)"'
trunk-profile "plain" { security-mode = nonsecure }
failover {
	options-interval = 2
	failures = 2
	hold-down = 1
	try-timeout = 1000
}'
mkdir -p "$DIR/etc/sallyport/conf.d"
trunk carrier carrier.test
needs carrier one pa "$PHONE_A"
needs carrier two pb "$PHONE_B"
needs sallyport_start

call() {
	sipp_run "call-$RANDOM" cm uac-plain - - - -s 4711 -t u1 -m 1 \
		-recv_timeout 8000 -i "$CM" -p 5065 "$SP_IN:5080"
}
no_call() { ! call >/dev/null; }
# place ADDRESS STATE [PRIORITY]: as sallyportctl trunks tells it
place() {
	ctl --json trunks | tr -d ' \n' | finds \
		"\"peer\":\"$1:5060\",\"transport\":\"udp\",\"state\":\"$2\""
}
# call_to PLACE: a call, which that place and no other has
had() { cat "$DIR/log/one"* "$DIR/log/two" | grep -c 'has a call'; }
call_to() {
	local there all
	there=$(grep -c 'has a call' "$DIR/log/$1") all=$(had)
	call && [ "$(grep -c 'has a call' "$DIR/log/$1")" = $((there + 1)) ] &&
		[ "$(had)" = $((all + 1)) ]
}

is_true "nobody is called while the name leads nowhere" no_call
is_true "that is logged" wait_for 20 "the log" \
	grep -q 'trunk name=carrier host=carrier.test cannot be looked up' \
	"$DIR/log/sallyportd"
needs dns_start "$PHONE_B"
is_true "the name server comes: both places are there" wait_for 30 "both" \
	eval 'place "$PHONE_A" up && place "$PHONE_B" up'
is_true "by NAPTR and SRV" grep -q 'query\[SRV\] _sip._udp.sbc.test' \
	"$DIR/log/dnsmasq"
asked() { grep -q 'asked by OPTIONS' "$DIR/log/one" &&
	grep -q 'asked by OPTIONS' "$DIR/log/two"; }
is_true "each is asked by OPTIONS" wait_for 10 "OPTIONS" asked
is_true "a call goes to the target of the lower priority" call_to one

needs ends one
is_true "the first target dies: the next call goes on to the second" call_to two
is_true "OPTIONS that nobody answers are noticed" wait_for 20 "down" \
	place "$PHONE_A" down
is_true "calls go to the second" call_to two
needs carrier one-again pa "$PHONE_A"
is_true "the first comes back and is asked" wait_for 20 "up" place "$PHONE_A" up
is_true "after the hold-down calls go there again" wait_for 15 "back" \
	call_to one-again

stop dnsmasq
trunk carrier carrier.test ';priority=2'
is_true "a reload changes its priority while no name server is there" ctl reload
is_true "its places stay, and are up" eval \
	'place "$PHONE_A" up && place "$PHONE_B" up'
is_true "calls go there" call_to one-again
needs dns_start "$MOVED"
moved() { ! place "$PHONE_B" up && ctl --json trunks | finds "$MOVED:5060"; }
is_true "a new answer moves the second target" wait_for 30 "it moves" moved

trunk second other.test
is_true "a reload takes the trunk, and brings one of another name" ctl reload
renamed() {
	ctl --json trunks | tr -d ' \n' |
		finds "\"trunk\":\"second\",.*\"peer\":\"$MOVED:5060\""
}
is_true "whose SRV record is found" wait_for 10 "it" renamed
quiet() {
	local n
	n=$(grep -c 'query.*sbc.test' "$DIR/log/dnsmasq")
	sleep 7 # longer than the answer lives
	[ "$(grep -c 'query.*sbc.test' "$DIR/log/dnsmasq")" = "$n" ]
}
is_true "the first name is not looked up any more" quiet
test_end
