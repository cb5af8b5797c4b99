#!/bin/bash
# The call manager is a name: a real name server tells its two places, is
# killed, comes back with another answer; the phones notice nothing of it.
. "$(dirname "$0")/lib/test.sh"

CM2=10.77.1.3

needs net_begin sp-dns
ip -n "$NS-cm" addr add "$CM2/24" dev eth0
printf 'nameserver %s\noptions timeout:1\n' "$CM" >"$DIR/resolv.conf"

# dns_start SECOND: the name server; the second place is at that address
dns_start() {
	spawn dnsmasq cm dnsmasq --keep-in-foreground --no-resolv --no-hosts \
		--user=root --pid-file= --log-facility=- --log-queries \
		--listen-address="$CM" --bind-interfaces --local-ttl=5 \
		--naptr-record=pbx.test,10,10,s,SIP+D2U,,_sip._udp.nodes.test \
		--srv-host=_sip._udp.nodes.test,one.pbx.test,5060,1,1 \
		--srv-host=_sip._udp.nodes.test,two.pbx.test,5060,2,1 \
		--host-record=one.pbx.test,"$CM" \
		--host-record=two.pbx.test,"$1"
	wait_for 10 "dnsmasq listens" listens cm u "$CM:53"
}

needs sallyport_pki
needs sipp_pki
needs sallyport_config "" "$(sipp_devices)
failover {
	options-interval = 2
	failures = 2
	hold-down = 1
	try-timeout = 1000
}"
sed -i 's/address = "udp:10.77.1.2:5060"/address = "udp:pbx.test"/' \
	"$DIR/etc/sallyport/sallyport.conf"
needs kamailio_start
needs kamailio_start kamailio2 "$CM2"


needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061
not_yet() { ! phone_c_registers >/dev/null; }
is_true "nobody registers while the name leads nowhere" not_yet
is_true "that is logged" wait_for 20 "the failure is logged" \
	grep -q 'host=pbx.test cannot be looked up' "$DIR/log/sallyportd"

needs dns_start "$CM2"
# place ADDRESS STATE: as sallyportctl tells it
place() {
	ctl --json status | tr -d ' \n' |
		grep -q "\"address\":\"$1:5060\",[^}]*\"state\":\"$2\""
}
is_true "the name server comes: both places are found and up" wait_for 30 \
	"both" eval 'place "$CM" up && place "$CM2" up'
is_true "by NAPTR and SRV" grep -q 'query\[SRV\] _sip._udp.nodes.test' \
	"$DIR/log/dnsmasq"
is_true "a phone registers" phone_c_registers
is_true "at the place of the lower priority" \
	grep -q "registered device=$DEV_C .*core=$CM:5060" \
	"$DIR/log/sallyportd"

stop dnsmasq
sleep_out() { # longer than the answer lives
	wait_for 30 "the name is looked up again" eval \
		'[ "$(grep -c "cannot be looked up" "$DIR/log/sallyportd")" -ge 2 ]'
}
is_true "the name server goes: its answers get old" sleep_out
is_true "and phones still register" phone_c_registers

pid=$(cat "$DIR/pid/kamailio")
for p in $(pgrep -P "$pid") "$pid"; do ! is_ours "$p" || kill -9 "$p"; done
rm -f "$DIR/pid/kamailio"
wait_for 20 "the first place is down" place "$CM" down
is_true "the second place serves when the first is down" phone_c_registers
is_true "it has the registration" \
	grep -q "registered device=$DEV_C .*core=$CM2:5060" \
	"$DIR/log/sallyportd"

ip -n "$NS-cm" addr add 10.77.1.4/24 dev eth0
needs dns_start 10.77.1.4
moved() { ! place "$CM2" up && ctl --json status | finds 10.77.1.4; }
is_true "a new answer moves the second place" wait_for 30 "it moves" moved
test_end
