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
is_shown() { local cn=$1; shift; shows 5061 "$@" | finds "CN = $cn"; }
is_true "a client that can gets the ECDSA certificate" \
	is_shown server.ec -servername sallyport.demo
is_true "one that cannot gets the RSA one" is_shown sallyport.demo -tls1_2 \
	-servername sallyport.demo -cipher ECDHE-RSA-AES128-GCM-SHA256
is_true "one that asks for another name gets that" is_shown server.second \
	-servername second.demo
is_true "a phone registers over it" phone_c_registers

# --- the token ---
token_serves() {
	peer 5062 -tls1_2 | finds 'CN = server.token' &&
		peer 5062 -tls1_3 | finds 'Verify return code: 0'
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
	peer "$port" "$version" -sess_in "$sess" | finds '^Reused, '
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
	peer 5061 -tls1_2 -no_ticket -sess_in "$DIR/sess-id" | finds '^Reused, '
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
needs new_cert
is_true "a worker that is started anew has the certificate of before" \
	eval 'worker_again && phone_c_registers'
needs hold
is_true "reload takes a new certificate and its key" ctl reload
is_true "which new connections see" rsa sallyport.renewed
is_true "an open connection stays" held_lives
is_true "the key in the token still signs" token_serves
wrong_key() {
	cp "$DIR/pki/second.key" "$DIR/etc/sallyport/keys/server.key"
	! ctl reload
}
is_true "a key that does not fit is refused" wrong_key
is_true "a second time, too" wrong_key
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
	! CERT=$DEV_B peer 5061 -tls1_3 -quiet | finds x
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
		-servername sallyport.demo | finds 'OCSP Response Status: successful'
}
is_true "and shown to a client that asks" stapled
foreign_staple() {
	cp "$DIR/etc/sallyport/certs/server.ocsp" "$DIR/etc/sallyport/certs/x.ocsp"
	sed -i 's|key = "keys/ec.key"|&\n\tocsp = "certs/x.ocsp"|' "$(conf)"
	! ctl reload
}
is_true "one about another certificate is refused" foreign_staple
needs sed -i '/x.ocsp/d' "$(conf)"

# --- phones of 2006 ---
# old_peer PORT CERT CIPHER [ARGUMENT...]: TLS 1.0 as such a phone
old_peer() {
	local port=$1 cert=$2 cipher=$3
	shift 3
	CERT=$cert peer "$port" -tls1 -cipher "$cipher:@SECLEVEL=0" "$@"
}
speaks() { old_peer "$@" | finds "Cipher is $3\$"; }
OLD=SEP00000000A001 AUTH=SEP00000000A002
old_config() {
	openssl req -new -newkey rsa:1024 -nodes -keyout "$DIR/pki/$OLD.key" \
		-subj "/CN=CP-7960-$OLD" -out "$DIR/old.csr" 2>/dev/null &&
		openssl x509 -req -sha1 -days 30 -in "$DIR/old.csr" \
			-CA "$DIR/pki/ca.crt" -CAkey "$DIR/pki/ca.key" \
			-CAcreateserial -out "$DIR/pki/$OLD.crt" 2>/dev/null || return
	cert "$AUTH" ca "CP-7970-$AUTH" || return
	cat >>"$(conf)" <<-CFG
		listener "old" {
			address = "tls:$SP_OUT:5063"
			certificate = "certs/server.pem"
			key = "keys/server.key"
			trust = "device"
			tls-policy = legacy
		}
		device "$OLD" { lines = { "2501" } }
		device "$AUTH" {
			lines = { "2502" }
			security-mode = authenticated
		}
	CFG
}
needs old_config
needs restart
is_true "TLS 1.0, static RSA, a SHA-1 certificate of 1024 bits" \
	speaks 5063 "$OLD" AES128-SHA
null_refused() {
	old_peer 5063 "$OLD" NULL-SHA >/dev/null
	wait_for 5 "a refusal" grep -q "reason=null-suite .*$OLD" "$DIR/log/sallyportd"
}
is_true "NULL-SHA with a device in encrypted mode is closed" null_refused
is_true "NULL-SHA with one in authenticated mode is served" \
	speaks 5063 "$AUTH" NULL-SHA
prefers_aes() { old_peer 5063 "$AUTH" NULL-SHA:AES128-SHA | finds 'Cipher is AES128-SHA$'; }
is_true "who can encrypt does" prefers_aes
not_by_default() { ! speaks 5061 "$1" "$2"; }
is_true "a default listener has no TLS 1.0" not_by_default "$OLD" AES128-SHA
is_true "and no NULL suite" not_by_default "$AUTH" NULL-SHA
gnutls_null() {
	in_ns px timeout 10 gnutls-cli --priority \
		'NONE:+VERS-TLS1.0:+NULL:+SHA1:+RSA:+COMP-NULL:+SIGN-ALL:+CTYPE-X509' \
		--x509cafile "$DIR/pki/ca.crt" --x509certfile "$DIR/pki/$AUTH.crt" \
		--x509keyfile "$DIR/pki/$AUTH.key" -p 5063 "$SP_OUT" \
		--no-ca-verification </dev/null 2>&1 | finds 'TLS1.0.*NULL'
}
is_true "gnutls-cli agrees about NULL" gnutls_null
# sip CERT: stdin to the old listener over NULL-SHA; what comes back
null_sip() {
	{ cat; sleep 2; } | in_ns px timeout 10 openssl s_client -quiet -tls1 \
		-connect "$SP_OUT:5063" -cipher NULL-SHA:@SECLEVEL=0 \
		-cert "$DIR/pki/$AUTH.crt" -key "$DIR/pki/$AUTH.key" 2>/dev/null
}
invite() {
	local sdp
	sdp=$(printf 'v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 4000 RTP/%s 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNk\r\n.' "$PHONE_X" "$PHONE_X" "$1")
	sdp=${sdp%.}
	printf 'INVITE sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/TLS %s:5999;branch=z9hG4bK%s\r\n' \
		"$USER_C" "$SP_OUT" "$PHONE_X" "$RANDOM$RANDOM"
	printf 'From: <sip:2502@%s>;tag=%s\r\nTo: <sip:%s@%s>\r\n' "$SP_OUT" \
		"$RANDOM" "$USER_C" "$SP_OUT"
	printf 'Call-ID: %s\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n' "$RANDOM$RANDOM"
	printf 'Contact: <sip:2502@%s:5999;transport=tls>\r\n' "$PHONE_X"
	printf 'Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s' \
		"${#sdp}" "$sdp"
}
no_keys_over_null() {
	local savp avp
	savp=$(invite SAVP | null_sip)
	avp=$(invite AVP | null_sip)
	grep -q '^SIP/2.0 488' <<<"$savp" || { echo "$savp"; return 1; }
	grep -q '^SIP/2.0 [1-6]' <<<"$avp" || { echo "nothing: $avp"; return 1; }
	! grep -qi 'crypto' <<<"$savp$avp"
}
is_true "no SRTP key is taken or given over it" no_keys_over_null

# --- LSC and MIC ---
lsc_config() {
	cert_ca capf && mkdir -p "$DIR/etc/sallyport/trust/device/lsc" || return
	cp "$DIR/pki/capf.crt" "$DIR/etc/sallyport/trust/device/lsc/" || return
	cert lsc capf "$DEV_C" && ctl reload
}
# heard CERT: what it says is answered
heard() {
	{ printf '\r\n\r\n'; sleep 2; } | in_ns px timeout 10 openssl s_client \
		-quiet -no_ign_eof -connect "$SP_OUT:5061" \
		-CAfile "$DIR/pki/ca.crt" -cert "$DIR/pki/$1.crt" \
		-key "$DIR/pki/$1.key" >"$DIR/heard" 2>/dev/null
	[ -s "$DIR/heard" ]
}
refused_with() { ! heard "$1" && grep -q "reason=$2" "$DIR/log/sallyportd"; }
needs lsc_config >/dev/null
is_true "before it has an LSC a device comes with its MIC" heard "$DEV_C"
is_true "then with its LSC" heard lsc
is_true "and its MIC is refused" refused_with "$DEV_C" mic-after-lsc
is_true "also after a restart" eval "restart && refused_with '$DEV_C' mic-after-lsc"
is_true "other devices are not concerned" heard "$DEV_A"
is_true "an operator resets it" ctl device reset-lsc "$DEV_C"
is_true "and the MIC is taken again" heard "$DEV_C"
is_true "what is not there cannot be reset" eval "! ctl device reset-lsc nobody"
counted() { ctl --json status | finds '"mic-after-lsc": [1-9]'; }
is_true "a refusal is counted by its reason" \
	eval "heard lsc && ! heard '$DEV_C' && counted"

# --- what the operator sees ---
listed() {
	ctl certs >"$DIR/log/certs" || return
	cat "$DIR/log/certs"
	grep -q '^phones .*own.*EC/ECDSA 256.*CN=server.ec' "$DIR/log/certs" &&
		grep -q '^phones .*own.*RSA 2048.*fresh.*CN=sallyport.renewed' "$DIR/log/certs" &&
		grep -q '^phones .*trust.* 2 .* 1 .*trust/device' "$DIR/log/certs" &&
		grep -q '^token .*own.*CN=server.token' "$DIR/log/certs"
}
is_true "certs lists certificates and trust" listed
in_status() { ctl --json status | finds '"certificates-expiring": [1-9]'; }
is_true "status counts those that expire soon" in_status
warned() { grep -q 'expires in 2[0-9] days' "$DIR/log/sallyportd"; }
is_true "and the log warns of those that expire soon" warned
no_secrets() {
	! grep -rE '4711|inline:|PRIVATE KEY|87654321' "$DIR/log/sallyportd"
}
is_true "no PIN, password or key is in the log" no_secrets
test_end
