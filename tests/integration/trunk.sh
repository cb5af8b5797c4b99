#!/bin/bash
# Trunks: SIPp as carriers, as call manager and as a flood from nowhere;
# kamailio as a peer on TLS that challenges with 407.
. "$(dirname "$0")/lib/test.sh"
. "$LIB/trunks.sh"

SECRET=carrier-secret REALM=carrier.realm
sections='
listener "trunks" {
	address = "udp:'$SP_OUT':5080"
	serves = trunks
	unknown = refuse
	unknown-rate = 5
}
'"$(trunk_tls_listener trunks-tls)"'
listener "trunks-tcp" {
	address = "tcp:'$SP_OUT':5082"
	serves = trunks
}
'"$(trunk_core cm-tcp 5067 5100)"'
'"$(trunk_core cm-carrier 5065 5080)"'
'"$(trunk_core cm-secure 5066 5090)"'
'"$(trunk_failover)"'
trunk-profile "plain" { security-mode = nonsecure }
trunk-profile "asked" {
	security-mode = nonsecure
	digest = yes
	nonce-lifetime = 1
	digest-algorithms = { "MD5" }
	digest-qop = { "auth-int" }
	digest-nextnonce = always
	digest-uri = any # SIPp names its server there
}
trunk-profile "secure" { subjects = { "*.carrier.example" } srtp = off }
trunk-profile "two-calls" {
	security-mode = nonsecure
	call-limit = 2
}
trunk "tcp" {
	profile = "two-calls"
	listeners = { "trunks-tcp" }
	peers = { "tcp:10.77.0.23:5060" }
	call-managers = { "cm-tcp" }
}
trunk "carrier" {
	profile = "plain"
	listeners = { "trunks" }
	peers = { "udp:'$PHONE_A':5060", "udp:'$PHONE_B':5060;priority=2" }
	call-managers = { "cm-carrier" }
}
trunk "asked" {
	profile = "asked"
	listeners = { "trunks" }
	sources = { "10.77.0.21" }
	call-managers = { "cm-secure" }
	direction = in
	realm = "asked.example"
}
trunk "secure" {
	profile = "secure"
	listeners = { "trunks-tls" }
	peers = { "tls:'$PHONE_X':5061" }
	call-managers = { "cm-secure" }
}'

# A peer behind TLS that wants credentials for every call.
tls_peer() {
	mkdir -p "$DIR/peer"
	cat >"$DIR/peer/tls.cfg" <<CFG
[server:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = $DIR/pki/peer.key
certificate = $DIR/pki/peer.crt
ca_list = $DIR/pki/ca.crt
[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = $DIR/pki/peer.key
certificate = $DIR/pki/peer.crt
ca_list = $DIR/pki/ca.crt
CFG
	cat >"$DIR/peer/kamailio.cfg" <<CFG
#!KAMAILIO
debug=2
log_stderror=yes
children=2
tcp_children=2
disable_sctp=yes
auto_aliases=no
enable_tls=yes
listen=udp:$PHONE_X:5060
listen=tls:$PHONE_X:5061
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/kamailio/modules/:/usr/lib/$(uname -m)-linux-gnu/kamailio/modules/"
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
modparam("tls", "config", "$DIR/peer/tls.cfg")
request_route {
	if (!mf_process_maxfwd_header("10")) exit;
	if (is_method("CANCEL")) {
		if (t_check_trans()) t_relay();
		exit;
	}
	if (has_totag()) {
		if (loose_route()) t_relay();
		exit;
	}
	t_check_trans();
	record_route();
	if (proto == TLS) {
		if (!pv_proxy_authenticate("$REALM", "$SECRET", "0")) {
			proxy_challenge("$REALM", "1");
			exit;
		}
		consume_credentials();
		\$du = "sip:$PHONE_X:5070";
	} else {
		\$du = "sip:$SP_OUT:5081;transport=tls";
	}
	if (!t_relay()) sl_reply_error();
}
CFG
	spawn peer px /usr/sbin/kamailio -DD -E -m 64 -M 8 -P "$DIR/peer/pid" \
		-Y "$DIR/peer" -f "$DIR/peer/kamailio.cfg"
	wait_for 15 "the peer listens" listens px t "$PHONE_X:5061" ||
		{ tail "$DIR/log/peer" >&2; return 1; }
}

needs net_begin sp-trunk
ip -n "$NS-px" addr add 10.77.0.21/24 dev eth0
ip -n "$NS-px" addr add 10.77.0.22/24 dev eth0
ip -n "$NS-px" addr add 10.77.0.23/24 dev eth0
needs sallyport_pki
needs cert peer ca sbc.carrier.example "dns_name = sbc.carrier.example"
needs cert impostor ca sbc.elsewhere.example
needs sallyport_config "" "$sections"
mkdir -p "$DIR/etc/sallyport/trust/trunks"
cp "$DIR/pki/ca.crt" "$DIR/etc/sallyport/trust/trunks/ca.pem"
needs sallyport_start
needs tls_peer

# answers NAME NS ADDRESS PORT CALLS: a SIPp that takes that many calls
answers() {
	spawn "$1" "$2" sipp -sf "$LIB/../sipp/uas-plain.xml" -t u1 -i "$3" \
		-p "$4" -m "$5" -nostdin -trace_err \
		-error_file "$DIR/$1-errors.log"
	wait_for 10 "$1 listens" listens "$2" u "$3:$4"
}
# calls NAME NS FROM PORT TO CALLS: from there to there
calls() {
	sipp_run "$1" "$2" uac-plain - - - -s 1001 -t u1 -m "$6" -r 20 \
		-i "$3" -p "$4" "$5"
}
no_calls() { ! ctl --json calls | finds '"id"'; }

# ---- both ways ----
needs answers cm-in cm "$CM" 5065 10
is_true "a carrier's calls reach the call manager" \
	calls in pa "$PHONE_A" 5060 "$SP_OUT:5080" 10
needs answers a-out pa "$PHONE_A" 5060 10
is_true "a call manager's calls reach the carrier" \
	calls out cm "$CM" 5065 "$SP_IN:5080" 10
is_true "no call is left" wait_for 10 "calls end" no_calls

# ---- TCP, and calls at once ----
# by_tcp NAME ARGUMENT...: the peer's calls over TCP
by_tcp() {
	sipp_run "$1" px "${2:-uac-plain}" - - - -s 1001 -t t1 -m 1 \
		-recv_timeout 8000 -i 10.77.0.23 -p "${3:-5062}" "$SP_OUT:5082"
}
needs answers cm-tcp cm "$CM" 5067 1
is_true "a carrier's call comes in over TCP" by_tcp tcp-in
spawn x-tcp px sipp -sf "$LIB/../sipp/uas-plain.xml" -t t1 -i 10.77.0.23 -p 5060 \
	-m 1 -nostdin
needs wait_for 10 "the peer listens" listens px t 10.77.0.23:5060
is_true "and one goes out over TCP" \
	calls tcp-out cm "$CM" 5067 "$SP_IN:5100" 1
no_more() {
	local i status
	mkdir -p "$DIR/scenario"
	sed 's/milliseconds="500"/milliseconds="4000"/' \
		"$LIB/../sipp/uac-plain.xml" >"$DIR/scenario/held.xml"
	sed 's/HEADER/X-Test: 1/; s/ANSWER/503/' \
		"$LIB/../sipp/uac-answered.xml" >"$DIR/scenario/refused.xml"
	for i in 1 2; do
		by_tcp "held-$i" "$DIR/scenario/held.xml" "507$i" &
	done
	wait_for 10 "two calls" eval \
		'ctl --json trunks | tr -d " \n" | finds "\"trunk\":\"tcp\",[^}]*\"calls\":2"' ||
		return 1
	by_tcp third "$DIR/scenario/refused.xml" 5073
	status=$?
	wait -n && wait -n && return "$status"
}
needs answers cm-two cm "$CM" 5067 2
is_true "two calls at once are its limit: the third is refused, the two go on" \
	no_more

# ---- failover ----
needs answers b-out pb "$PHONE_B" 5060 6
is_true "the second peer gets the calls when the first is gone" \
	calls over cm "$CM" 5065 "$SP_IN:5080" 5
peer_is_down() { ctl --json trunks | tr -d ' \n' | finds \
	"\"peer\":\"$1:5060\",[^}]*\"state\":\"down\""; }
is_true "which is shown" peer_is_down "$PHONE_A"
is_true "and logged" grep -q 'trunk peer name=carrier .*state=down' \
	"$DIR/log/sallyportd"

# ---- challenged by us ----
needs eval 'printf "app-secret\n" | ctl user add app --realm asked.example'
asked() {
	sipp_run "$1" px uac-digest app "$2" - -s 1001 -t u1 -m "$3" \
		-recv_timeout 5000 -i 10.77.0.21 -p 5060 "$SP_OUT:5080"
}
needs answers cm-asked cm "$CM" 5066 3
is_true "a trunk with digest calls with its password" asked app app-secret 3
wrong() { ! asked wrong not-it 1 >/dev/null; }
is_true "and not with another" wrong

# ---- challenged by the peer ----
needs answers x-out px "$PHONE_X" 5070 2
secure_out() { calls "$1" cm "$CM" 5066 "$SP_IN:5090" "$2"; }
unanswered() { ! secure_out unanswered 1 >/dev/null; }
is_true "without credentials of the peer's realm its 407 ends a call" unanswered
needs eval 'printf "%s\n" "$SECRET" | ctl realm add "$REALM" --user sallyport'
is_true "with them calls go through" secure_out answered 2
hidden() { ! grep -qa "$SECRET" "$DIR/state"/* "$DIR/log/sallyportd"; }
is_true "the password is to be seen nowhere" hidden
needs answers cm-secure cm "$CM" 5066 2
is_true "its calls come in over TLS, by the name in its certificate" \
	calls secure-in px "$PHONE_X" 5062 "$PHONE_X:5060" 2
impostor() {
	in_ns px timeout 10 gnutls-cli --port 5081 --no-ca-verification \
		--x509certfile "$DIR/pki/impostor.crt" \
		--x509keyfile "$DIR/pki/impostor.key" "$SP_OUT" </dev/null
	grep -q 'reason=trunk .*name="sbc.elsewhere.example"' \
		"$DIR/log/sallyportd"
}
is_true "another name is refused" impostor

# ---- nobody known ----
flood() {
	# 300 requests from nobody; what is answered at all is 403
	sipp_run flood px uac-plain - - - -s 100 -t u1 -m 300 -r 300 \
		-recv_timeout 500 -i 10.77.0.22 -p 5060 "$SP_OUT:5080"
	return 0
}
stranger() {
	ctl --json strangers | tr -d ' \n' | grep -o \
		'"source":"10.77.0.22","messages":[0-9]*,"answered":[0-9]*'
}
needs answers cm-flood cm "$CM" 5065 5
flood >/dev/null 2>&1 &
FLOOD=$!
is_true "a flood from an unknown address disturbs no trunk" \
	calls meanwhile pa "$PHONE_A" 5060 "$SP_OUT:5080" 5
wait "$FLOOD"
is_counted() {
	local line messages answered
	line=$(stranger) || return 1
	messages=${line#*messages\":} messages=${messages%%,*}
	answered=${line##*:}
	echo "$line"
	[ "$messages" -ge 300 ] && [ "$answered" -le 30 ]
}
is_true "it is counted and hardly answered" is_counted
is_true "and nothing of it went inside" test \
	"$(grep -c 'call start' "$DIR/log/sallyportd")" -le 60

# ---- whose is which trunk? (trunk-workers.sh) ----
# owner TRUNK: the number of its worker
owner() {
	ctl --json trunks | tr -d ' \n' |
		sed -n "s/.*\"trunk\":\"$1\"[^}]*\"worker\":\([0-9]*\).*/\1/p"
}
# The worker of "carrier" dies: calls of "asked", which is another's, are begun
# and ended meanwhile, and soon "carrier" is there again.
others_go_on() {
	local worker
	worker=$(role_pid "$(owner carrier)/2") && is_ours "$worker" ||
		return 1
	kill -9 "$worker"
	asked survivor app-secret 3
}
comes_again() { calls again pa "$PHONE_A" 5060 "$SP_OUT:5080" 1; }
if [ "${WORKERS:-1}" = 2 ]; then
	spread() { [ "$(owner carrier)$(owner asked)" = 01 ] ||
		[ "$(owner carrier)$(owner asked)" = 10 ]; }
	is_true "two trunks are two workers'" spread
	needs answers cm-survivor cm "$CM" 5066 3
	is_true "the end of one worker does not disturb the other's trunk" \
		others_go_on
	needs answers cm-again cm "$CM" 5065 1
	is_true "whose trunk comes again" comes_again
fi
test_end
