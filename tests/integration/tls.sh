#!/bin/bash
# TLS with real peers: which certificate a client is shown, a staple, keys in a
# token, sessions that outlive a restart, phones of 2006, issuers of LSCs.
. "$(dirname "$0")/lib/test.sh"

ETC=
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
test_end
