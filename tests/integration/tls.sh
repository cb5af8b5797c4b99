#!/bin/bash
# TLS with real peers: which certificate a client is shown, a staple, keys in a
# token, sessions that outlive a restart, phones of 2006, issuers of LSCs.
. "$(dirname "$0")/lib/test.sh"

conf() { printf '%s/etc/sallyport/sallyport.conf' "$DIR"; }
# section TEXT: a further section of the configuration
section() { printf '%s\n' "$1" >>"$(conf)"; }

# A token with the RSA key of the certificate NAME; the PIN in a file
token_make() {
	local name=$1
	export SOFTHSM2_CONF=$DIR/softhsm.conf
	mkdir -p "$DIR/tokens"
	printf 'directories.tokendir = %s\nobjectstore.backend = file\n' \
		"$DIR/tokens" >"$SOFTHSM2_CONF"
	softhsm2-util --init-token --free --label sallyport --so-pin 87654321 \
		--pin 4711 >/dev/null || return
	openssl pkcs8 -topk8 -nocrypt -in "$DIR/pki/$name.key" \
		-out "$DIR/pki/$name.p8.key" || return
	softhsm2-util --import "$DIR/pki/$name.p8.key" --token sallyport \
		--label "$name" --id 01 --pin 4711 >/dev/null || return
	rm "$DIR/pki/$name.p8.key"
	chown -R "$SALLYPORT_USER:$SALLYPORT_GROUP" "$DIR/tokens"
	(umask 077 && printf 4711 >"$DIR/etc/sallyport/keys/pin")
}

# cert_ec NAME CN [TEMPLATE-LINE...]: as cert, with an ECDSA key
cert_ec() {
	local name=$1
	(umask 077 && certtool --generate-privkey --key-type=ecdsa \
		--curve=secp256r1 --outfile "$DIR/pki/$name.key" 2>/dev/null)
	shift
	cert "$name" ca "$@"
}

# peer PORT ARGUMENT...: openssl as device C; what it says about the session
peer() {
	local port=$1 cert=${CERT:-$DEV_C}
	shift
	sleep "${LINGER:-1}" | in_ns px timeout 10 openssl s_client \
		-connect "$SP_OUT:$port" -CAfile "$DIR/pki/ca.crt" \
		-cert "$DIR/pki/$cert.crt" -key "$DIR/pki/$cert.key" "$@" 2>&1
}
shows() { peer "$@" </dev/null | openssl x509 -noout -subject -text 2>/dev/null; }

needs net_begin sp-tls
needs sallyport_pki
needs sipp_pki
needs cert_ec server-ec server.ec "dns_name = sallyport.demo"
needs cert second ca server.second "dns_name = second.demo"
needs cert token ca server.token "dns_name = token.demo"
needs sallyport_config "" "$(sipp_devices)"
needs token_make token
needs cp "$DIR/pki/server-ec.crt" "$DIR/etc/sallyport/certs/ec.pem"
needs cp "$DIR/pki/server-ec.key" "$DIR/etc/sallyport/keys/ec.key"
needs cp "$DIR/pki/second.crt" "$DIR/etc/sallyport/certs/second.pem"
needs cp "$DIR/pki/second.key" "$DIR/etc/sallyport/keys/second.key"
needs cp "$DIR/pki/token.crt" "$DIR/etc/sallyport/certs/token.pem"
section 'certificate "ec" {
	file = "certs/ec.pem"
	key = "keys/ec.key"
	listeners = { "phones" }
}
certificate "second" {
	file = "certs/second.pem"
	key = "keys/second.key"
	listeners = { "phones" }
}'
section "listener \"token\" {
	address = \"tls:$SP_OUT:5062\"
	certificate = \"certs/token.pem\"
	key = \"pkcs11:token=sallyport;object=token;type=private?pin-source=file:$DIR/etc/sallyport/keys/pin\"
	trust = \"device\"
}"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061

# --- which certificate ---
is_shown() { local cn=$1; shift; shows 5061 "$@" | grep -q "CN = $cn"; }
is_true "a client that can gets the ECDSA certificate" \
	is_shown server.ec -servername sallyport.demo
is_true "one that cannot gets the RSA one" is_shown sallyport.demo -tls1_2 \
	-servername sallyport.demo -cipher ECDHE-RSA-AES128-GCM-SHA256
is_true "one that asks for another name gets that" is_shown server.second \
	-servername second.demo
is_true "a phone registers over it" phone_c_registers

# --- the token ---
token_serves() {
	peer 5062 -tls1_2 | grep -q 'CN = server.token' &&
		peer 5062 -tls1_3 | grep -q 'Verify return code: 0'
}
is_true "a key in a PKCS#11 token signs TLS 1.2 and 1.3" token_serves
keys_confined() {
	local p
	p=$(role_pid keys)
	grep -E '^(Seccomp|Uid|CapEff):' "/proc/$p/status"
	grep -q '^Seccomp:.2' "/proc/$p/status" &&
		grep -q "^Uid:.$(id -u "$SALLYPORT_USER")" "/proc/$p/status"
}
is_true "from within the keys process's confines" keys_confined

# --- resumption ---
# keeps_session PORT VERSION: connect and keep what can be resumed; resumes PORT
# VERSION: with what was kept
resumes() {
	local port=$1 version=$2 sess=$DIR/sess-$1$2
	peer "$port" "$version" -sess_in "$sess" | grep -q '^Reused, '
}
keeps_session() {
	local port=$1 version=$2
	peer "$port" "$version" -sess_out "$DIR/sess-$port$version" >/dev/null
	[ -s "$DIR/sess-$port$version" ]
}
is_true "a TLS 1.3 session can be kept" keeps_session 5061 -tls1_3
is_true "and resumed" resumes 5061 -tls1_3
is_true "a TLS 1.2 session can be kept" keeps_session 5061 -tls1_2
is_true "and resumed" resumes 5061 -tls1_2
by_id() {
	peer 5061 -tls1_2 -no_ticket -sess_out "$DIR/sess-id" >/dev/null
	peer 5061 -tls1_2 -no_ticket -sess_in "$DIR/sess-id" | grep -q '^Reused, '
}
is_true "a peer without tickets resumes by session ID" by_id
restart() {
	stop sallyportd && sallyport_start
}
is_true "the daemon is started anew" restart
is_true "tickets of before are taken, TLS 1.3" resumes 5061 -tls1_3
is_true "tickets of before are taken, TLS 1.2" resumes 5061 -tls1_2
ticket_file() { [ "$(stat -c %a "$DIR/state/tickets.key")" = 600 ]; }
is_true "their keys are in a file of their own" ticket_file

# --- a reload ---
# A connection that stays open over it
hold() {
	sleep 60 | in_ns px timeout 90 openssl s_client -connect "$SP_OUT:5061" \
		-CAfile "$DIR/pki/ca.crt" -cert "$DIR/pki/$DEV_C.crt" \
		-key "$DIR/pki/$DEV_C.key" -quiet >"$DIR/log/held" 2>&1 &
	held=$!
	wait_for 5 "a connection" grep -q 'verify return' "$DIR/log/held"
}
held_lives() { kill -0 "$held" && [ "$(in_ns px ss -Hnt state established dport = :5061 | wc -l)" -ge 1 ]; }
new_cert() {
	cert renewed ca sallyport.renewed "dns_name = sallyport.demo" || return
	cp "$DIR/pki/renewed.crt" "$DIR/etc/sallyport/certs/server.pem" &&
		cp "$DIR/pki/renewed.key" "$DIR/etc/sallyport/keys/server.key"
}
rsa() { is_shown "$1" -tls1_2 -servername sallyport.demo -cipher ECDHE-RSA-AES128-GCM-SHA256; }
needs hold
needs new_cert
is_true "reload takes a new certificate and its key" ctl reload
is_true "which new connections see" rsa sallyport.renewed
is_true "an open connection stays" held_lives
is_true "the key in the token still signs" token_serves
wrong_key() {
	cp "$DIR/pki/second.key" "$DIR/etc/sallyport/keys/server.key"
	! ctl reload
}
is_true "a key that does not fit is refused" wrong_key
is_true "and the certificate of before stays" rsa sallyport.renewed
is_true "as for new phones" phone_c_registers
readable_key() {
	cp "$DIR/pki/renewed.key" "$DIR/etc/sallyport/keys/server.key"
	chmod 644 "$DIR/etc/sallyport/keys/server.key"
	! ctl reload
}
is_true "a key that others may read is refused" readable_key
needs chmod 600 "$DIR/etc/sallyport/keys/server.key"
encrypted_key() {
	local ok=1
	openssl pkey -in "$DIR/pki/renewed.key" -aes256 -passout pass:secret \
		-out "$DIR/etc/sallyport/keys/server.key" || return
	ctl reload >"$DIR/log/reload" 2>&1
	grep -q 'is encrypted' "$DIR/log/reload" || ok=0
	cp "$DIR/pki/renewed.key" "$DIR/etc/sallyport/keys/server.key"
	[ "$ok" = 1 ]
}
is_true "an encrypted key is refused with the reason" encrypted_key
revoked() {
	certtool --generate-crl --load-ca-privkey "$DIR/pki/ca.key" \
		--load-ca-certificate "$DIR/pki/ca.crt" \
		--load-certificate "$DIR/pki/$DEV_B.crt" \
		--template <(printf 'crl_next_update = 30\ncrl_number = 1\n') \
		--outfile "$DIR/etc/sallyport/trust/device/ca.crl" 2>/dev/null
	ctl reload || return
	! CERT=$DEV_B peer 5061 -tls1_3 -quiet | grep -q x
	grep -q 'reason=revoked' "$DIR/log/sallyportd"
}
is_true "a revocation list takes force at a reload" revoked
is_true "others are served" phone_c_registers
kill "$held" 2>/dev/null

# --- OCSP ---
staple() {
	local ca=$DIR/pki/ca serial
	serial=$(openssl x509 -in "$DIR/pki/renewed.crt" -noout -serial | cut -d= -f2)
	printf 'V\t%s\t\t%s\tunknown\t/CN=sallyport.renewed\n' \
		"$(date -u -d '+30 days' +%y%m%d%H%M%SZ)" "$serial" >"$DIR/index"
	openssl ocsp -issuer "$ca.crt" -cert "$DIR/pki/renewed.crt" -no_nonce \
		-reqout "$DIR/ocsp.req" >/dev/null 2>&1 || return
	openssl ocsp -index "$DIR/index" -CA "$ca.crt" -rsigner "$ca.crt" \
		-rkey "$ca.key" -reqin "$DIR/ocsp.req" -ndays 7 \
		-respout "$DIR/etc/sallyport/certs/server.ocsp" >/dev/null 2>&1 || return
	sed -i '0,/key = "keys\/server.key"/s||&\n\tocsp = "certs/server.ocsp"|' "$(conf)"
	ctl reload
}
is_true "an OCSP response is taken up" staple
stapled() {
	peer 5061 -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 -status \
		-servername sallyport.demo | grep -q 'OCSP Response Status: successful'
}
is_true "and shown to a client that asks" stapled
foreign_staple() {
	cp "$DIR/etc/sallyport/certs/server.ocsp" "$DIR/etc/sallyport/certs/x.ocsp"
	sed -i 's|key = "keys/ec.key"|&\n\tocsp = "certs/x.ocsp"|' "$(conf)"
	! ctl reload
}
is_true "one about another certificate is refused" foreign_staple
test_end
