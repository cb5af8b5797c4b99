# SCCP phones behind Sallyport: names, certificates, configuration, captures and
# what is proved from them. Needs sccp.sh, certs.sh, sallyport.sh.

# where phones find the standby call manager, if there is one
SP_OUT2=10.77.0.2
SCCP_STANDBY=()

# phone a..z: SEP001122334411..; number 4411..
sccp_number() { printf '44%02d' "$(($(printf '%d' "'$1") - 97 + 11))"; }
sccp_name() { printf 'SEP00112233%s' "$(sccp_number "$1")"; }
sccp_ns() { case $1 in a) echo pa ;; b) echo pb ;; *) echo px ;; esac; }

# sccp_cert NAME: a device's certificate; all have one key pair, made once
sccp_cert() {
	mkdir -p "$DIR/pki"
	cert_key devices
	cp -p "$DIR/pki/devices.key" "$DIR/pki/$1.key"
	cert "$1" ca "$1"
}

# sccp_pki PHONE...: CA, our certificate, the phones'
sccp_pki() {
	cert_ca ca
	cert sallyport ca sallyport.demo "ip_address = $SP_OUT" \
		"dns_name = sallyport.demo"
	ip -n "$NS-sp" addr add "$SP_OUT2/24" dev out0
	SCCP_STANDBY=(--server "$SP_OUT2:2443")
	for p in "$@"; do sccp_cert "$(sccp_name "$p")"; done
}

# sccp_config [one]: the sections of sallyport.conf for sallyport_config; with
# one there is no standby call manager
sccp_config() {
	local p
	cat <<CFG
listener "skinny" {
	address = "sccps:$SP_OUT:2443"
	certificate = "certs/server.pem"
	key = "keys/server.key"
	trust = "device"
	sccp-managers = { "one" }
}
CFG
	[ "${1:-}" = one ] || cat <<CFG
listener "skinny-standby" {
	address = "sccps:$SP_OUT2:2443"
	certificate = "certs/server.pem"
	key = "keys/server.key"
	trust = "device"
	sccp-managers = { "two" }
}
sccp-manager "two" {
	address = "$CM:2001"
}
CFG
	printf 'sccp-manager "one" {\n\taddress = "%s:2000"\n}\n' "$CM"
	for p in a b c d; do
		printf 'device "%s" {\n\tsecurity-mode = encrypted\n}\n' \
			"$(sccp_name "$p")"
	done
}

# sccp_secure_phone PHONE [OPTION...]: registers at both listeners over TLS
sccp_secure_phone() {
	local p=$1 name
	name=$(sccp_name "$1")
	shift
	sccp_phone "$p" "$(sccp_ns "$p")" --server "$SP_OUT:2443" \
		"${SCCP_STANDBY[@]}" --name "$name" \
		--cert "$DIR/pki/$name.crt" --key "$DIR/pki/$name.key" \
		--answer --retry 500 --time 250 "$@"
}

# sccp_capture NAME: both sides, and where the phones' logs stand
sccp_capture() {
	local f
	mkdir -p "$DIR/cap"
	for f in "$DIR"/log/?; do
		[ ! -e "$f" ] || printf '%s %s\n' "${f##*/}" "$(wc -l <"$f")"
	done >"$DIR/cap/$1.from"
	capture_start "$1"
}
sccp_capture_stop() { capture_stop; }

# sccp_logged NAME: what the phones logged since sccp_capture NAME
sccp_logged() {
	local f from
	for f in "$DIR"/log/?; do
		from=$(sed -n "s/^${f##*/} //p" "$DIR/cap/$1.from")
		tail -n "+$((${from:-0} + 1))" "$f"
	done
}

# sccp_prove NAME [MODE]: srtpcheck on the captures with the keys that phones
# said they used, and with those in cap/NAME.sip-streams if there are such
sccp_prove() {
	local name=$1
	shift
	{
		sccp_logged "$name" | sed -nE 's/^ *[0-9.]+ STREAM //p' | sort -u
		[ ! -e "$DIR/cap/$name.sip-streams" ] ||
			cat "$DIR/cap/$name.sip-streams"
	} >"$DIR/cap/$name.streams"
	"$BUILD/tests/integration/srtpcheck" "$@" "$DIR/cap/$name.streams" \
		"$SP_OUT" "$DIR/cap/$name-out0.pcap" \
		"$DIR/cap/$name-in0.pcap" "$DIR/cap/$name-lo.pcap"
}

# sccp_keys_agree NAME: key and salt of every channel as tshark reads them
# outside are those that phones logged, and the other way round
sccp_keys_agree() {
	sccp_tshark "$DIR/cap/$1-out0.pcap" \
		"skinny.messageId in {0x105, 0x8a}" skinny.key skinny.salt |
		awk -F'\t' '{ # decimal bytes: 16 of a key, 16 of a salt, each message
			n = split($1, k, ","); split($2, s, ",")
			for (i = 1; i <= n; i += 16) {
				for (j = i; j < i + 16; j++) printf "%02x", k[j]
				for (j = i; j < i + 14; j++) printf "%02x", s[j]
				print ""
			} }' |
		sort -u >"$DIR/cap/$1.tshark"
	cat "$DIR"/log/? |
		sed -nE 's/.* (receives|sends) .* key=([0-9a-f]+)$/\2/p' |
		sort -u >"$DIR/cap/$1.phones"
	wc -l "$DIR/cap/$1.tshark" "$DIR/cap/$1.phones"
	[ -s "$DIR/cap/$1.phones" ] &&
		diff "$DIR/cap/$1.tshark" "$DIR/cap/$1.phones"
}
