#!/bin/bash
# SCCP phones over TLS at Sallyport, in front of a call manager that speaks plain
# SCCP and knows no encryption: registration, calls in SRTP, the lock, fallback,
# hostile phones, failover.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-sccp
needs sallyport_pki
needs cert "$DEV_C" ca "$DEV_C"
needs sallyport_config "" "
listener \"sccps\" {
	address = \"sccps:$SP_OUT:2443\"
	certificate = \"certs/server.pem\"
	key = \"keys/server.key\"
	trust = \"device\"
	tls-policy = legacy
}

listener \"sccp\" { address = \"sccp:$SP_OUT:2000\" }

sccp-manager \"cm1\" {
	address = \"$CM:2000\"
	source-addresses = { \"$SP_IN\" }
}

sccp-manager \"cm2\" { address = \"$CM:2001\" }

sccp { rules = { \"drop 0x0049\" } }

phone-model \"7960\" { type = 7 suites = { \"AES_CM_128_HMAC_SHA1_32\" } refuses-barge = yes }

device \"$DEV_C\" {
	lines = { \"2003\" }
	media = srtp-preferred
	srtp-fallback = yes
	suites = { \"AES_CM_128_HMAC_SHA1_80\" }
}

device \"SEP001122334404\" { security-mode = nonsecure }
"
printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$CM" >"$DIR/resolv.conf"
needs sallyport_start

cm() { sccp_cm "$1" cm "$CM:$2" --version 20 --keepalive 2 --music \
	--line "$DEV_A=2001" --line "$DEV_B=2002" --line "$DEV_C=2003" \
	--line SEP001122334404=2004 --time 300; }
needs cm cm1 2000
capture() { spawn "tcpdump-$1" "$2" tcpdump -i any -n -U --immediate-mode \
	-Z root -B 8192 -w "$DIR/$1.pcap" tcp or udp; }
needs capture inside cm

# phone NAME NS DEVICE VERSION OPTION...: with the device's certificate
phone() {
	local name=$1 n=$2 device=$3 version=$4
	shift 4
	sccp_phone "$name" "$n" --server "$SP_OUT:2443" --name "$device" \
		--cert "$DIR/pki/$device.crt" --key "$DIR/pki/$device.key" \
		--version "$version" --time 300 "$@"
}
needs phone a pa "$DEV_A" 17
needs phone b pb "$DEV_B" 20 --answer
needs phone c px "$DEV_C" 11 --answer
registered() { sccp_do "$1" 20 "wait registered 15"; }
for p in a b c; do is_true "$p registers over TLS" registered $p; done
shows() { ctl registrations | finds "$1"; }
is_true "operators see it" shows "$DEV_A"

call() {
	sccp_do a 60 "dial $1" "wait state=connected 15" "wait media=50 15" \
		"expect srtp" "wait security=$2 5" "expect refused=5"
}
is_true "two phones talk in SRTP, with a lock" call 2002 3
# uses PHONE ALGORITHM: it was told that one, and no other
uses() {
	grep -E ' (receives|sends) .* algorithm=[1-9]' "$DIR/log/$1" >"$DIR/told" &&
		! grep -v " algorithm=$2 " "$DIR/told"
}
is_true "by their model they use the suite that phones of 2006 know" uses a 1
has_call() { ctl calls | tee "$DIR/calls" | finds "$1"; }
is_true "operators see the call, and that it is encrypted" has_call Encrypted
# Somebody who barges in comes by a second channel in the same call.
barge() {
	local ref
	ref=$(sed -nE 's/.* call=([0-9]+) from=.*/\1/p' "$DIR/log/a" | tail -n 1)
	sccp_do cm1 5 "msg $DEV_A OpenReceiveChannel conferenceId=$ref passThroughPartyId=4711 packetMs=20 codec=4 callReference=$ref" &&
		wait_for 5 "a refusal" grep -E \
			'OpenReceiveChannelAck .*status=[1-9].* passThroughPartyId=4711 ' \
			"$DIR/log/cm1" && ! grep 'passThroughPartyId=4711 ' "$DIR/log/a"
}
is_true "its model refuses a barge into the encrypted call" barge
hold() {
	sccp_do a 60 hold "wait state=hold 10" "wait silent 10" &&
		sccp_do b 20 "wait media=10 15" "wait security=1 5" &&
		sccp_do a 60 resume "wait state=connected 10" \
			"wait media=50 15" "expect srtp" "wait security=3 5"
}
is_true "music on hold takes the lock away, and it comes back" hold
hangup() {
	sccp_do a 30 hangup "wait idle 10" "wait silent 5" &&
		sccp_do "$1" 30 "wait idle 10" "wait silent 5"
}
is_true "the call ends" hangup b
no_flows() { ctl calls | finds SEP && return 1; return 0; }
is_true "and leaves nothing" no_flows

is_true "three versions of the protocol understand each other" call 2003 3
is_true "a device that says so uses another suite" uses c 2
is_true "the call ends" hangup c

needs sccp_phone d px --server "$SP_OUT:2000" --name SEP001122334404 \
	--version 8 --time 300 --answer
is_true "a phone without security registers in the clear" registered d
plain_call() {
	sccp_do a 60 "dial 2004" "wait state=connected 15" "wait media=50 15" \
		"expect srtp" "wait security=1 5" &&
		sccp_do d 20 "wait media=50 15" "expect rtp"
}
is_true "with it a phone talks, each in its way, without a lock" plain_call
is_true "the call ends" hangup d
# c follows what its far end can
fallback() {
	sccp_do c 60 "dial 2004" "wait state=connected 15" "wait media=20 15" \
		"wait rtp 5" "wait security=1 5" hangup "wait idle 10"
}
is_true "where the policy says so it falls back to RTP" fallback

# The same in the middle of a call, and back: a holds c, which hears music.
mid_call() {
	wc -l <"$DIR/log/c" >"$DIR/logged"
	call 2003 3 && sccp_do a 30 hold "wait state=hold 10" &&
		sccp_do c 30 "wait rtp 5" "wait security=1 1" mark \
			"wait media=10 10" "expect rtp" &&
		sccp_do a 30 resume "wait state=connected 10" &&
		sccp_do c 30 "wait srtp 5" "wait security=3 1" mark \
			"wait media=20 10" "expect srtp" && hangup c
}
is_true "a call falls back while it lasts and comes back, the lock within a second" \
	mid_call
fresh_channels() {
	tail -n "+$(($(cat "$DIR/logged") + 1))" "$DIR/log/c" |
		sed -nE 's/.* receives .* algorithm=([0-9]) key=(.*)/\1 \2/p' |
		tee "$DIR/channels"
	[ "$(cut -c 1 "$DIR/channels" | uniq | tr -d '\n')" = 202 ] &&
		[ -z "$(grep -v '^0' "$DIR/channels" | sort | uniq -d)" ]
}
is_true "by channels opened anew: without a key, then with a new one" \
	fresh_channels

keys_inside() {
	sccp_tshark "$DIR/inside.pcap" skinny skinny.messageId \
		skinny.algorithmID >"$DIR/algorithms"
	awk -F'\t' '$2 != "" && $2 !~ /^[0x,]*$/ { n++; print } END { exit n > 0 }' \
		"$DIR/algorithms"
}
is_true "no key is seen inside" keys_inside
judged() { sccp_judge "$DIR/inside.pcap"; }
is_true "tshark finds no malformed message inside" judged

hostile() {
	local name=$1
	shift
	sccp_phone "$name" px --server "$SP_OUT:2443" --name "$DEV_C" \
		--cert "$DIR/pki/$DEV_C.crt" --key "$DIR/pki/$DEV_C.key" \
		--retry 60000 --time 60
	sccp_do "$name" 20 "wait registered 15" "$@" "wait down 10"
	local status=$?
	sccp_end "$name"
	return $status
}
sccp_end c
is_true "who speaks as a call manager is put out" hostile h1 \
	"msg StartMediaTransmission"
is_true "so is who sends garbage" hostile h2 "garbage 2000 7"
is_true "and who sends a message without end" hostile h3 oversize
wrong_name() {
	sccp_phone w px --server "$SP_OUT:2443" --name "$DEV_B" \
		--cert "$DIR/pki/$DEV_C.crt" --key "$DIR/pki/$DEV_C.key" \
		--retry 60000 --time 60
	sccp_do w 20 "wait rejected 10"
}
is_true "nobody registers under another's name" wrong_name
is_true "b has noticed nothing" registered b

restart() { ctl device restart "$DEV_B" && sccp_do b 20 "sleep 1" \
	"wait registered 15"; }
is_true "an operator restarts a phone" restart

needs cm cm2 2001
sccp_end cm1
away() { sccp_do a 40 "wait registered 30" && shows cm2; }
failover() { sccp_do a 5 "sleep 2" && sccp_do a 60 "wait registered 40"; }
is_true "the call manager dies, and the next one takes the phones" failover
is_true "also the other phone" registered b
is_true "they talk there" call 2002 3
is_true "the call ends" hangup b
counts() { ctl status | tee "$DIR/status" | finds -i sccp; }
is_true "status counts Skinny" counts

named() {
	printf 'sccp-manager "named" {\n\taddress = "pbx.invalid:2000"\n}\n' \
		>>"$DIR/etc/sallyport/sallyport.conf"
	ctl reload || return
	wait_for 10 "it is looked up" grep 'host=pbx.invalid' \
		"$DIR/log/sallyportd" && ! grep 'after a restart' "$DIR/log/sallyportd"
}
is_true "a reload brings a call manager by name, where all were addresses" named
test_end
