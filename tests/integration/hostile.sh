#!/bin/bash
# Peers that lie: certificates that must not be taken, bytes that are no TLS,
# TLS that carries no SIP, SIP that is malformed, UDP from strangers. After each
# the daemon must serve an honest phone.
WORKERS=${WORKERS:-2}
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-hostile
needs sallyport_pki
needs sipp_pki
needs cert_ca other-ca
needs cert stranger other-ca "$DEV_C"
needs cert expired ca "$DEV_C" 'activation_date = "2020-01-01 00:00:00"' \
	'expiration_date = "2020-02-01 00:00:00"'
needs cert unknown ca SEP0000DEADBEEF
needs cert nameless ca "Alice's telephone"
needs sallyport_config "" "$(sipp_devices)
limits {
	handshake-timeout = 3
	first-message-timeout = 4
	message-timeout = 3
}"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061

# tls_say CERT SECONDS: stdin to the TLS listener, what comes back to stdout;
# CERT "-" is none. From namespace $from: the honest phone is in px
from=px
tls_say() {
	local cert=$1 secs=$2 args=()
	[ "$cert" = - ] || args=(-cert "$DIR/pki/$cert.crt" -key "$DIR/pki/$cert.key")
	{
		cat
		sleep "$secs"
	} | in_ns $from timeout -k 1 "$((secs + 2))" openssl s_client \
		-connect "$SP_OUT:5061" -CAfile "$DIR/pki/ca.crt" -quiet \
		-nocommands "${args[@]}" 2>"$DIR/log/s_client"
}
# request METHOD USER [HEADER...]: a SIP request of that user
request() {
	local method=$1 user=$2
	shift 2
	printf '%s sip:%s SIP/2.0\r\n' "$method" "$SP_OUT"
	printf 'Via: SIP/2.0/TLS %s:5999;branch=z9hG4bK%s;rport\r\n' "$PHONE_X" \
		"$RANDOM$RANDOM"
	printf 'From: <sip:%s@%s>;tag=%s\r\nTo: <sip:%s@%s>\r\n' "$user" \
		"$SP_OUT" "$RANDOM" "$user" "$SP_OUT"
	printf 'Call-ID: %s\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n' \
		"$RANDOM$RANDOM" "$method"
	printf 'Contact: <sip:%s@%s:5999;transport=tls>\r\n' "$user" "$PHONE_X"
	[ $# = 0 ] || printf '%s\r\n' "$@"
	printf 'Content-Length: 0\r\n\r\n'
}
# answer CERT METHOD USER: status code of the answer, nothing without one
answer() {
	request "$2" "$3" | tls_say "$1" 1 |
		sed -n 's|^SIP/2.0 \([0-9]*\) .*|\1|p' | head -1
}
is_refused() { [ -z "$(answer "$1" REGISTER "$USER_C")" ]; }
is_answered() { [ "$(answer "$DEV_C" "$1" "$2")" = "$3" ]; }
still_serves() { phone_c_registers; }

is_true "an honest phone is challenged" is_answered REGISTER "$USER_C" 401
is_true "and registers" still_serves

is_true "no certificate: not heard" is_refused -
is_true "a certificate of another CA: not heard" is_refused stranger
is_true "an expired certificate: not heard" is_refused expired
unknown_device() {
	local code
	code=$(answer unknown REGISTER "$USER_C")
	[ "$code" = 403 ] || [ -z "$code" ]
}
is_true "a valid certificate of a device that is not configured: refused" \
	unknown_device
said() { wait_for 10 "$1" grep -q -- "$1" "$DIR/log/sallyportd"; }
nameless() {
	[ -z "$(answer nameless REGISTER "$USER_C")" ] &&
		said "reason=device .*Alice"
}
is_true "a valid certificate without a device's name: not heard" nameless
fake_ca() {
	# the name of our authority, another key
	mkdir -p "$DIR/fake" && (
		DIR=$DIR/fake
		cert_ca ca && cert fake ca "$DEV_C"
	) && cp "$DIR/fake/pki/fake.crt" "$DIR/fake/pki/fake.key" "$DIR/pki/" &&
		is_refused fake
}
is_true "a certificate of an authority that only has our name: not heard" fake_ca
foreign_line() {
	local code
	code=$(answer "$DEV_C" REGISTER "$USER_D")
	[ "$code" = 403 ] || [ "$code" = 401 ]
}
is_true "another device's line is not registered" foreign_line
foreign_caller() { [ "$(answer "$DEV_C" OPTIONS "$USER_D")" != 200 ]; }
is_true "a request in another user's name is not served" foreign_caller
is_true "the daemon still serves" still_serves

# --- bytes ---
plain_tcp() {
	local out
	out=$(head -c 20000 /dev/urandom | in_ns px timeout 5 \
		bash -c "cat >/dev/tcp/$SP_OUT/5061" 2>&1)
	out=$(request REGISTER "$USER_C" | in_ns px timeout 5 bash -c \
		"exec 3<>/dev/tcp/$SP_OUT/5061; cat >&3; timeout 2 cat <&3" 2>&1 |
		tr -d '\0')
	! grep -q 'SIP/2.0 [0-9]' <<<"$out"
}
is_true "bytes without TLS are not SIP" plain_tcp
garbage_in_tls() {
	head -c 100000 /dev/urandom | tls_say "$DEV_C" 1 >/dev/null
	printf '\0\0\0\0\r\n\r\nINVITE\r\n\r\n' | tls_say "$DEV_C" 1 >/dev/null
	true
}
is_true "random bytes inside TLS" garbage_in_tls
is_true "the daemon still serves" still_serves

# closed CERT FILE: the daemon ends the connection, or answers with an error,
# before the client does; never 200
not_accepted() {
	local code
	code=$(tls_say "$DEV_C" 2 <"$1" | sed -n 's|^SIP/2.0 \([0-9]*\) .*|\1|p' |
		sort | uniq | tr '\n' ' ')
	echo "answered: ${code:-nothing}"
	[[ ! $code =~ 2[0-9][0-9] ]] && [[ ! $code =~ 401 ]]
}
{
	request REGISTER "$USER_C" | sed '/^Content-Length/,$d'
	printf 'X-Long: '
	head -c 100000 /dev/zero | tr '\0' a
	printf '\r\nContent-Length: 0\r\n\r\n'
} >"$DIR/long-header"
is_true "a header line of 100 KB" not_accepted "$DIR/long-header"
{
	request REGISTER "$USER_C" | sed '/^Content-Length/,$d'
	for i in $(seq 5000); do printf 'X-%d: a\r\n' "$i"; done
	printf 'Content-Length: 0\r\n\r\n'
} >"$DIR/many-headers"
is_true "5000 headers" not_accepted "$DIR/many-headers"
{
	request REGISTER "$USER_C" | sed '/^Content-Length/,$d'
	printf 'Content-Length: 4000000000\r\n\r\n'
	head -c 300000 /dev/zero | tr '\0' b
} >"$DIR/big-body"
is_true "a body of 4 GB is promised" not_accepted "$DIR/big-body"
{
	request REGISTER "$USER_C" | sed '/^Content-Length/,$d'
	printf 'Content-Length: -1\r\n\r\n'
} >"$DIR/negative"
is_true "a negative Content-Length" not_accepted "$DIR/negative"
{
	request REGISTER "$USER_C" | sed 's/^Contact:.*/Contact: <sip:a@b'"$(
		printf ';p%.0s' $(seq 900))"'>\r/'
} >"$DIR/params"
is_true "a Contact with 900 parameters" not_accepted "$DIR/params"
is_true "the daemon still serves" still_serves

# --- TLS itself ---
renegotiates() {
	{ printf 'R\n'; sleep 2; } | in_ns px timeout 10 openssl s_client -tls1_2 \
		-connect "$SP_OUT:5061" -CAfile "$DIR/pki/ca.crt" \
		-cert "$DIR/pki/$DEV_C.crt" -key "$DIR/pki/$DEV_C.key" \
		>"$DIR/log/reneg" 2>&1
	grep -q RENEGOTIATING "$DIR/log/reneg" || { cat "$DIR/log/reneg"; return 1; }
	[ "$(grep -c '^verify return:1' "$DIR/log/reneg")" = 2 ] ||
		[ "$(grep -c 'depth=0' "$DIR/log/reneg")" = 1 ]
}
is_true "renegotiation is refused" renegotiates
huge_chain() {
	for _ in $(seq 60); do cat "$DIR/pki/ca.crt"; done >"$DIR/chain"
	request REGISTER "$USER_C" | in_ns px timeout 10 openssl s_client \
		-connect "$SP_OUT:5061" -quiet -no_ign_eof \
		-cert "$DIR/pki/$DEV_C.crt" -key "$DIR/pki/$DEV_C.key" \
		-cert_chain "$DIR/chain" >"$DIR/log/chain" 2>&1
	! grep -q 'SIP/2.0' "$DIR/log/chain" && said reason=chain
}
is_true "a chain of 60 certificates is refused" huge_chain
# shakes VERSION CIPHER: a handshake with just that
shakes() {
	in_ns px timeout 10 openssl s_client "$1" -brief -cipher "$2:@SECLEVEL=0" \
		-connect "$SP_OUT:5061" -cert "$DIR/pki/$DEV_C.crt" \
		-key "$DIR/pki/$DEV_C.key" </dev/null 2>&1 |
		grep -q 'CONNECTION ESTABLISHED'
}
default_only() {
	shakes -tls1_2 ECDHE-RSA-AES128-GCM-SHA256 || return
	! shakes -tls1 ALL && ! shakes -tls1_1 ALL && ! shakes -tls1_2 AES128-SHA &&
		! shakes -tls1_2 eNULL
}
is_true "old versions and suites are not served by default" default_only
half_open() {
	local out
	out=$(in_ns px timeout 15 bash -c \
		"exec 3<>/dev/tcp/$SP_OUT/5061; printf '\\x16\\x03\\x01' >&3; cat <&3 | wc -c")
	[ "$out" = 0 ] # and not the 124 of timeout
}
is_true "half a handshake is ended after its time" half_open
silent() {
	sleep 12 | in_ns px timeout 14 openssl s_client -quiet \
		-connect "$SP_OUT:5061" -cert "$DIR/pki/$DEV_C.crt" \
		-key "$DIR/pki/$DEV_C.key" >/dev/null 2>&1
	said 'reason="no message in time"'
}
is_true "a connection that says nothing is ended" silent
half_message() {
	{
		phone=$(request REGISTER "$USER_C")
		printf '%s' "${phone:0:80}"
		sleep 10
	} | in_ns px timeout 14 openssl s_client -quiet \
		-connect "$SP_OUT:5061" -cert "$DIR/pki/$DEV_C.crt" \
		-key "$DIR/pki/$DEV_C.key" >/dev/null 2>&1
	said 'reason="message was not completed in time"'
}
is_true "so is one whose message does not end" half_message
is_true "the daemon still serves" still_serves
slow_bytes() {
	local pids=() i from=pa
	for i in $(seq 30); do
		in_ns pa timeout 12 bash -c \
			"exec 3>/dev/tcp/$SP_OUT/5061; for i in 1 2 3 4 5 6 7 8 9; do
			printf '\x16' >&3 || exit; sleep 1; done" 2>/dev/null &
		pids+=($!)
	done
	for i in $(seq 10); do
		{ for b in R E G I S T; do printf '%s' "$b"; sleep 1; done; } |
			tls_say "$DEV_C" 1 >/dev/null &
		pids+=($!)
	done
	sleep 2
	still_serves
	local status=$?
	for i in "${pids[@]}"; do wait "$i"; done
	return "$status"
}
is_true "30 stalled handshakes and 10 slow senders do not delay a phone" \
	slow_bytes
many_connections() {
	local i
	in_ns pa timeout 10 bash -c "for i in \$(seq 10 150); do
		eval \"exec \$i<>/dev/tcp/$SP_OUT/5061\" 2>/dev/null; done; sleep 3" &
	i=$!
	sleep 1
	still_serves
	local status=$?
	wait "$i"
	return "$status"
}
is_true "140 idle connections do not either" many_connections
limited() { grep -q 'too many unauthenticated connections' "$DIR/log/sallyportd"; }
is_true "connections of one source that prove nothing are limited" limited

# --- UDP ---
udp_garbage() {
	local port
	for port in 5070 20000 20001 20002 20500; do
		for i in 1 2 3 4 5; do
			head -c 1200 /dev/urandom | in_ns cm timeout 2 bash -c \
				"cat >/dev/udp/$SP_IN/$port" 2>/dev/null
		done
	done
	printf 'INVITE sip:x SIP/2.0\r\n\r\n' | in_ns cm timeout 2 bash -c \
		"cat >/dev/udp/$SP_IN/5070" 2>/dev/null
	request INVITE "$USER_C" | in_ns cm timeout 2 bash -c \
		"cat >/dev/udp/$SP_IN/5070" 2>/dev/null
	true
}
is_true "garbage over UDP from inside" udp_garbage
stranger_inside() {
	# SIP from outside to the inside port: strangers are not the call manager
	local out
	out=$(request OPTIONS "$USER_C" | in_ns px timeout 4 bash -c \
		"exec 3<>/dev/udp/$SP_IN/5070; cat >&3; timeout 2 cat <&3" 2>/dev/null)
	! grep -q 'SIP/2.0 200' <<<"$out"
}
is_true "the inside port does not serve the outside" stranger_inside
is_true "the daemon still serves" still_serves
no_crash() {
	! grep -iE 'assert|signal 6|signal 11|segfault|core dumped|died|killed' \
		"$DIR/log/sallyportd"
}
is_true "and no process of it has died" no_crash
no_secrets() {
	! grep -rE "$PASS_C|inline:|PRIVATE KEY" "$DIR/log/sallyportd"
}
is_true "no password or key is in its log" no_secrets
test_end
