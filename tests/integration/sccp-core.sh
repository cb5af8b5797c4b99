#!/bin/bash
# The side of the call manager of Skinny: a call manager that is a name and is
# reached over TLS, one that it goes over to and comes back from, and processes
# of Sallyport that die in the middle of a call.
. "$(dirname "$0")/lib/test.sh"
. "$LIB/sccp-phones.sh"

needs net_begin sp-sccp-core
printf 'nameserver %s\noptions timeout:1\n' "$CM" >"$DIR/resolv.conf"
needs sccp_pki a b c d
# the call manager's certificate is another authority's
needs cert_ca cmca
needs cert cm cmca pbx.test "dns_name = pbx.test"
needs cert client cmca sallyport.pbx.test
needs sallyport_config "" "
listener \"skinny\" {
	address = \"sccps:$SP_OUT:2443\"
	certificate = \"certs/server.pem\"
	key = \"keys/server.key\"
	trust = \"device\"
}
sccp-manager \"one\" {
	address = \"pbx.test:2443\"
	tls = yes
	trust = \"pbx\"
	certificate = \"certs/client.pem\"
	key = \"keys/client.key\"
}
sccp-manager \"two\" {
	address = \"$CM:2001\"
}
sccp {
	fail-back = 3
	rules = { \"log 0x0006\" }
}
device \"$(sccp_name a)\" {
	pool = \"floor-1\"
}
device \"$(sccp_name b)\" {
	pool = \"floor-2\"
}
device \"$(sccp_name c)\" {
}
device \"$(sccp_name d)\" {
}"
ETC=$DIR/etc/sallyport
needs mkdir -p "$ETC/trust/pbx"
needs cp "$DIR/pki/cmca.crt" "$ETC/trust/pbx/ca.pem"
needs cp "$DIR/pki/client.crt" "$ETC/certs/client.pem"
needs cp "$DIR/pki/client.key" "$ETC/keys/client.key"

# tls_start: what stands before the call manager that speaks no TLS itself
tls_start() {
	cat >"$DIR/tls.conf" <<CFG
foreground = yes
pid =
debug = notice
[cm]
accept = $CM:2443
connect = $CM:2000
cert = $DIR/pki/cm.crt
key = $DIR/pki/cm.key
CAfile = $DIR/pki/cmca.crt
verifyChain = yes
CFG
	spawn tls cm stunnel4 "$DIR/tls.conf"
	wait_for 10 "stunnel" listens cm t "$CM:2443"
}
needs spawn dnsmasq cm dnsmasq --keep-in-foreground --no-resolv --no-hosts \
	--user=root --pid-file= --log-facility=- --listen-address="$CM" \
	--bind-interfaces --local-ttl=5 --host-record=pbx.test,"$CM"
needs wait_for 10 "dnsmasq listens" listens cm u "$CM:53"
needs sccp_cm one cm "$CM:2000" --keepalive 2 --time 300
needs sccp_cm two cm "$CM:2001" --keepalive 2 --time 300
needs tls_start
needs sallyport_start

# phone PHONE: at the one listener only
phone() {
	SCCP_STANDBY=()
	local p=$1
	shift
	sccp_secure_phone "$p" --time 300 "$@"
}
for p in a b; do needs phone "$p"; done
for p in a b; do
	is_true "phone $p registers" sccp_do "$p" 20 "wait registered 15"
done
# where sallyportctl sees both, which have all they asked the call manager for
at() {
	[ "$(ctl --json registrations | grep -o "\"$1\"" | wc -l)" = 2 ] &&
		sccp_do a 5 "wait registered 4" && sccp_do b 5 "wait registered 4"
}
is_true "at the call manager behind TLS and a name" at one
call() {
	sccp_do a 40 "dial $(sccp_number b)" "wait state=connected 10" mark \
		"wait media=25 10" "expect srtp" "wait security=3 5"
}
hang_up() { sccp_do a 20 hangup "wait idle 10" && sccp_do b 10 "wait idle 10"; }
is_true "a call through it: SRTP and lock" call
is_true "it ends" hang_up
is_true "a rule logs messages by their id" grep -q \
	'Skinny message device=.* id=0x0006 name=OffHook' "$DIR/log/sallyportd"

# --- resets ---------------------------------------------------------------------
again() { # PHONE COUNT: so many registrations of it
	[ "$(grep -c ' registered ' "$DIR/log/$1")" -ge "$2" ]
}
is_true "a pool is told to register anew" ctl device restart --pool floor-1
is_true "its phone does" wait_for 20 "a registers" again a 2
is_true "one of another pool does not" eval '! again b 2'
is_true "a pool without phones is an error" eval \
	'! ctl device restart --pool nobody 2>/dev/null'

# --- failover and back ----------------------------------------------------------
needs stop tls
is_true "the first call manager goes: phones are at the second" \
	wait_for 40 "both at two" at two
is_true "a call there" call
needs tls_start
sleep 12
is_true "the first is there again: who is in a call stays" at two
is_true "the call ends" hang_up
is_true "then they go back" wait_for 40 "both at one" at one
is_true "with a line in the log" grep -q \
	'sent back to a better call manager' "$DIR/log/sallyportd"

# --- processes that die ------------------------------------------------------------
is_true "a call" call
media_dies() {
	local pid
	pid=$(role_pid media)
	[ -n "$pid" ] && kill -9 "$pid" && sleep 1.5 &&
		sccp_do a 20 mark "wait media=25 10" "expect srtp" &&
		sccp_do b 20 mark "wait media=25 10" "expect srtp"
}
is_true "the media process is killed: both hear each other again" media_dies
is_true "the call ends" hang_up
nothing_left() {
	ctl --json media | tr -d ' \n' >"$DIR/media"
	grep -q '"flows":0' "$DIR/media" && ! grep -q '"flows":[1-9]' "$DIR/media"
}
is_true "another call" call
is_true "whose streams are counted" eval '! nothing_left'
# two phones that take their time to come back, and go on talking meanwhile
for p in a b; do sccp_say $p hangup; done
is_true "it ends" eval 'sccp_do a 10 "wait idle 5" && sccp_do b 10 "wait idle 5"'
needs sccp_end a b
for p in c d; do needs phone "$p" --retry 7000; done
for p in c d; do
	is_true "phone $p registers" sccp_do "$p" 20 "wait registered 15"
done
slow_call() {
	sccp_do c 40 "dial $(sccp_number d)" "wait state=connected 10" mark \
		"wait media=25 10" "expect srtp" "wait security=3 5"
}
is_true "they call" slow_call
worker_dies() {
	local pid
	pid=$(role_pid worker)
	[ -n "$pid" ] && kill -9 "$pid" && sleep 1 &&
		sccp_do c 10 mark "wait media=50 4" "expect srtp" &&
		sccp_do d 10 mark "wait media=50 4" "expect srtp" &&
		! again c 2
}
is_true "the worker is killed: they hear each other all the same" worker_dies
come_back() {
	wait_for 20 "c is back" again c 2 && wait_for 20 "d is back" again d 2
}
is_true "they register at its successor" come_back
is_true "then no stream of their dead call is left" wait_for 10 "no flows" \
	nothing_left
is_true "and they call again" slow_call
test_end
