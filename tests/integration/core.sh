#!/bin/bash
# Other ways to the call manager than UDP: TCP, TLS with certificates on both
# sides, and TCP for what no datagram holds.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-core
conf=$DIR/etc/sallyport/sallyport.conf
needs sallyport_pki
needs sipp_pki
needs cert_ca core-ca
needs cert_ca other-ca
needs cert cm core-ca cm.test "dns_name = cm.test" "ip_address = $CM"
needs cert cm-other other-ca cm.test "ip_address = $CM"
needs cert cm-name core-ca other.test "dns_name = other.test"
needs cert sallyport-core core-ca sallyport.core "ip_address = $SP_IN"
needs sallyport_config "" "$(sipp_devices)
failover {
	options-interval = 1
	failures = 2
	successes = 1
	hold-down = 0
	try-timeout = 1000
}"
cp "$conf" "$DIR/base.conf"
needs kamailio_start

# with ADDRESS LINE...: the call manager is there, with these further lines
with() {
	stop sallyportd
	sed "s#address = \"udp:10.77.1.2:5060\"#address = \"$1\"\n\t${2:-}#" \
		"$DIR/base.conf" >"$conf"
	rm -f "$DIR/control.sock"
	sallyport_start
}
state_is() {
	ctl --json status | tr -d ' \n' | finds "\"state\":\"$1\""
}
has_tcp() { in_ns sp ss -Htn dst "$CM:$1" | finds ESTAB; }
no_tcp() { ! has_tcp 5060; }

needs with "tcp:$CM:5060"
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061
is_true "tcp: a phone registers" phone_c_registers
is_true "over a connection that stays" has_tcp 5060
for u in "$USER_A $PASS_A" "$USER_B $PASS_B"; do
	# shellcheck disable=SC2086
	needs sallyport_user $u
done
needs baresip_start
needs linphone_start
needs wait_for 20 "$DEV_A registers" registered "$DEV_A"
needs wait_for 20 "$DEV_B registers" registered "$DEV_B"
is_true "and phones call each other" call_a_to_b
needs call_end
stop baresip
stop linphone

pid=$(cat "$DIR/pid/kamailio")
for p in $(pgrep -P "$pid") "$pid"; do ! is_ours "$p" || kill -9 "$p"; done
rm -f "$DIR/pid/kamailio" "$DIR/kamailio/ctl"
is_true "the call manager is killed: it is down" wait_for 20 "down" \
	state_is down
needs kamailio_start
is_true "and up again when it is back" wait_for 20 "up" state_is up
is_true "registrations work again" phone_c_registers

needs with "udp:$CM:5060" "large-by-tcp = yes"
is_true "udp: what is short goes in datagrams" phone_c_registers
is_true "without a connection" no_tcp
sed -i 's/try-timeout = 1000/try-timeout = 1000\n\tdatagram-max = 512/' \
	"$DIR/base.conf"
needs with "udp:$CM:5060" "large-by-tcp = yes"
phones_call() {
	baresip_start && linphone_start &&
		wait_for 20 "$DEV_A registers" registered "$DEV_A" &&
		wait_for 20 "$DEV_B registers" registered "$DEV_B" &&
		call_a_to_b
}
is_true "what is too long for a datagram arrives: phones call" phones_call
is_true "it went by TCP" has_tcp 5060
needs call_end
stop baresip
stop linphone

# TLS ends in stunnel before the same kamailio; it demands our certificate.
# tls_start CERTIFICATE [NAME PORT]
tls_start() {
	local name=${2:-tls} port=${3:-5061}
	cat >"$DIR/$name.conf" <<CFG
foreground = yes
pid =
debug = notice
[core]
accept = $CM:$port
connect = $CM:5060
cert = $DIR/pki/$1.crt
key = $DIR/pki/$1.key
CAfile = $DIR/pki/core-ca.crt
verifyChain = yes
CFG
	spawn "$name" cm stunnel4 "$DIR/$name.conf"
	wait_for 10 "stunnel before kamailio" listens cm t "$CM:$port"
}
etc=$DIR/etc/sallyport
mkdir -p "$etc/trust/call-manager"
cp "$DIR/pki/core-ca.crt" "$etc/trust/call-manager/ca.pem"
cp "$DIR/pki/sallyport-core.crt" "$etc/certs/core.pem"
cp "$DIR/pki/sallyport-core.key" "$etc/keys/core.key"
chmod 600 "$etc/keys/core.key"

needs tls_start cm
needs with "tls:$CM:5061" \
	'certificate = "certs/core.pem"\n\tkey = "keys/core.key"'
is_true "tls: the call manager is up" wait_for 20 "up" state_is up
is_true "a phone registers" phone_c_registers
is_true "inside, nothing is in the clear" has_tcp 5061
stop tls
is_true "the connection ends: it is down" wait_for 20 "down" state_is down
needs tls_start cm
is_true "it comes back" wait_for 30 "up" state_is up

# Another one joins while it runs, with credentials of its own.
needs tls_start cm tls2 5062
joins() {
	printf 'call-manager "two" {
	address = "tls:%s:5062"
	local-address = "%s:5070"
	certificate = "certs/core.pem"
	key = "keys/core.key"
	priority = 2
}\n' "$CM" "$SP_IN" >"$etc/conf.d/two.conf"
	reload_whole
}
mkdir -p "$etc/conf.d"
is_true "a second one joins by a reload" joins
two_is_up() {
	ctl --json status | tr -d ' \n' |
		finds '"name":"two",[^}]*"state":"up"'
}
is_true "it is reached over TLS" wait_for 10 "up" two_is_up
stop tls
is_true "the first one ends: a phone registers at the second" \
	wait_for 20 "registered" phone_c_registers
rm "$etc/conf.d/two.conf"
leaves() { ctl reload 2>&1 | finds 'call-manager "two"'; }
is_true "for its end a reload names the restart" leaves
stop tls2
needs tls_start cm
needs with "tls:$CM:5061" \
	'certificate = "certs/core.pem"\n\tkey = "keys/core.key"'
is_true "after which the first one is alone" wait_for 20 "up" state_is up

# The call manager comes to us: core_says CERTIFICATE, the answer to an OPTIONS
core_says() {
	{
		printf '%s\r\n' "OPTIONS sip:sallyport@$SP_IN SIP/2.0" \
			"Via: SIP/2.0/TLS $CM:5061;branch=z9hG4bK$RANDOM;rport" \
			"From: <sip:cm@$CM>;tag=$RANDOM" "To: <sip:sallyport@$SP_IN>" \
			"Call-ID: $RANDOM$RANDOM" "CSeq: 1 OPTIONS" \
			"Max-Forwards: 70" "Content-Length: 0" ""
		sleep 1.5
	} | in_ns cm timeout 6 openssl s_client -quiet -connect "$SP_IN:5070" \
		-cert "$DIR/pki/$1.crt" -key "$DIR/pki/$1.key" \
		-CAfile "$DIR/pki/core-ca.crt" -verify_return_error 2>&1 | tr -d '\r'
}
heard() {
	core_says "$1" >"$DIR/said"
	grep -q "^SIP/2.0 200" "$DIR/said" || { cat "$DIR/said"; return 1; }
}
unheard() {
	core_says "$1" >"$DIR/said"
	! grep "^SIP/2.0" "$DIR/said"
}
is_true "the call manager connects with its certificate: it is heard" \
	wait_for 20 "an answer" heard cm
is_true "with that of another authority it is not" unheard cm-other

stop tls
needs tls_start cm-other
c_is_refused() { ! phone_c_registers >/dev/null; }
is_true "with a certificate that nobody vouches for it stays down" \
	wait_for 20 "down" state_is down
is_true "and gets nothing" c_is_refused
is_true "the reason is logged" grep -q 'cannot connect: .*proto=tls' \
	"$DIR/log/sallyportd"
stop tls

# With a host name the certificate must have it, whoever connects.
printf 'nameserver %s\noptions timeout:1\n' "$CM" >"$DIR/resolv.conf"
spawn dnsmasq cm dnsmasq --keep-in-foreground --no-resolv --no-hosts \
	--user=root --pid-file= --log-facility=- --listen-address="$CM" \
	--bind-interfaces --host-record=cm.test,"$CM"
needs wait_for 10 "dnsmasq listens" listens cm u "$CM:53"
needs tls_start cm
needs with "tls:cm.test:5061" \
	'certificate = "certs/core.pem"\n\tkey = "keys/core.key"'
is_true "by its name: the call manager is up" wait_for 20 "up" state_is up
is_true "it connects with its certificate: it is heard" \
	wait_for 20 "an answer" heard cm
is_true "with one that has another name it is not" unheard cm-name
is_true "and that is logged" grep -q \
	'refused.*not the call manager.*other.test' "$DIR/log/sallyportd"
stop tls
needs tls_start cm-name
is_true "what we connect to has another name: it is down" \
	wait_for 20 "down" state_is down
is_true "and that is logged too" grep -q \
	"reason=name peer=$CM:5061" "$DIR/log/sallyportd"
test_end
