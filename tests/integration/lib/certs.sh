# Certificates made at run time with certtool; nothing of them is kept.

# cert_ca NAME: a CA: $DIR/pki/NAME.crt and .key
cert_ca() {
	mkdir -p "$DIR/pki"
	printf 'cn = "%s"\nca\ncert_signing_key\ncrl_signing_key\nexpiration_days = 30\n' \
		"$1" >"$DIR/pki/$1.tmpl"
	cert_key "$1"
	certtool --generate-self-signed --load-privkey "$DIR/pki/$1.key" \
		--template "$DIR/pki/$1.tmpl" --outfile "$DIR/pki/$1.crt" \
		2>/dev/null
}

# cert_key NAME: an RSA key, or as CERT_KEY says; NAME.key, unless it is there
cert_key() {
	# shellcheck disable=SC2086
	[ -s "$DIR/pki/$1.key" ] ||
		(umask 077 && certtool --generate-privkey \
			${CERT_KEY:---key-type=rsa --bits=2048} \
			--outfile "$DIR/pki/$1.key" 2>/dev/null)
}

# cert NAME CA CN [TEMPLATE-LINE...]: signed by CA; NAME.crt, .key and .pem
# (certificate and key in one file, as baresip and stunnel want it)
cert() {
	local name=$1 ca=$2 cn=$3
	shift 3
	{
		printf 'cn = "%s"\nsigning_key\nencryption_key\n' "$cn"
		printf 'tls_www_client\ntls_www_server\nexpiration_days = 30\n'
		[ $# = 0 ] || printf '%s\n' "$@"
	} >"$DIR/pki/$name.tmpl"
	cert_key "$name"
	certtool --generate-certificate --load-privkey "$DIR/pki/$name.key" \
		--load-ca-certificate "$DIR/pki/$ca.crt" \
		--load-ca-privkey "$DIR/pki/$ca.key" \
		--template "$DIR/pki/$name.tmpl" \
		--outfile "$DIR/pki/$name.crt" 2>/dev/null
	(umask 077 && cat "$DIR/pki/$name.crt" "$DIR/pki/$name.key" \
		>"$DIR/pki/$name.pem")
}
