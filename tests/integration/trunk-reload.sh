#!/bin/bash
# Trunks come, change and go while calls go on over them: SIPp as two carriers
# and as their call manager, two workers.
export WORKERS=2
. "$(dirname "$0")/lib/test.sh"
. "$LIB/trunks.sh"

sections='
listener "trunks" {
	address = "udp:'$SP_OUT':5080"
	serves = trunks
	unknown = refuse
	unknown-rate = 600
}
'"$(trunk_tls_listener trunks-tls)"'
'"$(trunk_core cm-a 5065 5080)"'
'"$(trunk_core cm-b 5066 5090)"'
'"$(trunk_failover)"'
trunk-profile "plain" { security-mode = nonsecure }'
carrier_a='trunk "old" {
	profile = "plain"
	listeners = { "trunks" }
	peers = { "udp:'$PHONE_A':5060" }
	call-managers = { "cm-a" }
}'
# carrier_b PROFILE
carrier_b() {
	echo 'trunk-profile "b" {
	security-mode = nonsecure
	'"$1"'
}
trunk "b" {
	profile = "b"
	listeners = { "trunks" }
	peers = { "udp:'$PHONE_B':5060" }
	call-managers = { "cm-b" }
	'"${2:-}"'
}'
}
# secure SUBJECT
secure() {
	echo 'trunk-profile "secure" { subjects = { "'"$1"'" } }
trunk "secure" {
	profile = "secure"
	listeners = { "trunks-tls" }
	call-managers = { "cm-b" }
	direction = in
}'
}

needs net_begin sp-trunk-reload
needs sallyport_pki
needs cert peer ca sbc.carrier.example "dns_name = sbc.carrier.example"
needs sallyport_config "" "$sections"
mkdir -p "$DIR/etc/sallyport/trust/trunks" "$DIR/etc/sallyport/conf.d"
cp "$DIR/pki/ca.crt" "$DIR/etc/sallyport/trust/trunks/ca.pem"
extra=$DIR/etc/sallyport/conf.d/trunks.conf
printf '%s\n' "$carrier_a" "$(secure '*.carrier.example')" >"$extra"
needs sallyport_start

# answers NAME NS ADDRESS PORT CALLS: a SIPp that takes that many calls
answers() {
	spawn "$1" "$2" sipp -sf "$LIB/../sipp/uas-plain.xml" -t u1 -i "$3" \
		-p "$4" -m "$5" -nostdin -trace_err \
		-error_file "$DIR/$1-errors.log"
	wait_for 10 "$1 listens" listens "$2" u "$3:$4"
}
# calls NAME NS FROM PORT TO [SECONDS]: one call, which lasts so long
calls() {
	mkdir -p "$DIR/scenario"
	sed "s/<pause milliseconds=\"500\"/<pause milliseconds=\"${6:-0}500\"/" \
		"$LIB/../sipp/uac-plain.xml" >"$DIR/scenario/$1.xml"
	sipp_run "$1" "$2" "$DIR/scenario/$1.xml" - - - \
		-s 1001 -t u1 -m 1 -recv_timeout 20000 -i "$3" -p "$4" "$5"
}
fails() { ! "$@" >/dev/null 2>&1; }
# reload PATTERN: it succeeds, nothing needs a restart, and it says that
reload() {
	local out
	out=$(ctl --json reload 2>&1) || { echo "$out"; return 1; }
	out=$(tr -d '\n' <<<"$out")
	grep -q "$1" <<<"$out" && grep -q '"needs-restart": *\[ *\]' <<<"$out" ||
		{ echo "$out"; return 1; }
}
# trunk NAME PATTERN: sallyportctl trunks has a row of it like that
trunk() { ctl --json trunks | tr -d ' \n' | finds "\"trunk\":\"$1\",[^}]*$2"; }

# owner TRUNK: the number of its worker
owner() {
	ctl --json trunks | tr -d ' \n' |
		sed -n "s/.*\"trunk\":\"$1\"[^}]*\"worker\":\([0-9]*\).*/\1/p"
}

# ---- two calls over a trunk, one each way, that outlast all that follows ----
needs answers cm-long cm "$CM" 5065 1
needs answers a-long pa "$PHONE_A" 5060 1
calls long-in pa "$PHONE_A" 5062 "$SP_OUT:5080" 30 &
LONG_IN=$!
calls long-out cm "$CM" 5075 "$SP_IN:5080" 30 &
LONG_OUT=$!
is_true "a trunk has a call each way" \
	wait_for 10 "two calls" trunk old '"calls":2'

# ---- another trunk comes ----
in_b() { calls "in-$1" pb "$PHONE_B" 5062 "$SP_OUT:5080"; }
is_true "who is no trunk calls nobody" fails in_b stranger
printf '%s\n' "$carrier_a" "$(secure '*.carrier.example')" \
	"$(carrier_b '')" >"$extra"
is_true "a trunk is added" reload 'trunk \\"b\\" (new)'
needs answers cm-b cm "$CM" 5066 1
others() { [ "$(owner old)$(owner b)" = 10 ]; }
is_true "as another worker's: its call managers' address was bound there" others
is_true "it calls" in_b first
needs answers b-first pb "$PHONE_B" 5060 1
is_true "and is called" calls out-b cm "$CM" 5076 "$SP_IN:5090"
is_true "the first trunk's calls go on" trunk old '"calls":2'

# ---- its profile and rights change ----
notify() {
	mkdir -p "$DIR/sipp/$1"
	sed "s|\[field0\]|NOTIFY|; s|\[field1\]|Event: message-summary|" \
		"$LIB/../sipp/$2.xml" >"$DIR/sipp/$1/scenario.xml"
	(
		cd "$DIR/sipp/$1" && TERM=dumb in_ns pb timeout 20 sipp \
			-sf scenario.xml -s 1001 -t u1 -m 1 -i "$PHONE_B" \
			-p 5062 -nostdin -recv_timeout 5000 -trace_err \
			"$SP_OUT:5080" >out 2>&1 </dev/null
	)
}
is_true "its NOTIFY is refused" notify no uac-refused
printf '%s\n' "$carrier_a" "$(secure '*.carrier.example')" "$(carrier_b \
	'accept-unsolicited-notification = yes')" >"$extra"
is_true "its profile changes" reload \
	'trunk-profile \\"b\\": accept-unsolicited-notification'
spawn cm-notify cm sipp -sf "$LIB/../sipp/uas-any.xml" -t u1 -i "$CM" -p 5066 \
	-m 1 -nostdin
needs wait_for 10 "the call manager listens" listens cm u "$CM:5066"
is_true "its next NOTIFY passes" notify yes uac-request
printf '%s\n' "$carrier_a" "$(secure '*.carrier.example')" "$(carrier_b '' \
	'calling-rights = "nowhere"')" 'calling-rights "nowhere" {
	rules = { "deny call to=1001" }
	default = allow
}' >"$extra"
is_true "calling rights are added" reload 'calling-rights \\"nowhere\\" (new)'
no_right() {
	fails in_b no-right && grep -q \
		'request refused reason=calling-rights .* method=INVITE' \
		"$DIR/log/sallyportd"
}
is_true "its next call is refused by them" no_right

# ---- the call managers move ----
conf=$DIR/etc/sallyport/sallyport.conf
sed -i "s/\"udp:$CM:5066\"/\"udp:$CM:5067\"/; s/\"udp:$CM:5065\"/\"udp:$CM:5068\"/" \
	"$conf"
printf '%s\n' "$carrier_a" "$(secure '*.carrier.example')" "$(carrier_b '')" \
	>"$extra"
is_true "the call managers are elsewhere now" reload \
	'call-manager \\"cm-b\\": address'
needs answers cm-moved cm "$CM" 5067 1
is_true "a call goes there" in_b moved-cm
is_true "the running calls go on" trunk old '"calls":2'

# ---- a certificate is no longer believed ----
tls_opens() {
	mkfifo "$DIR/tls-in" 2>/dev/null
	spawn tls px sh -c 'exec 3<>"$1"; exec gnutls-cli --port 5081 \
		--no-ca-verification --x509certfile "$2.crt" --x509keyfile \
		"$2.key" "$3" <&3' sh "$DIR/tls-in" "$DIR/pki/peer" "$SP_OUT"
	wait_for 10 "the connection" grep -q \
		'connection up .*side=trunk device=secure' "$DIR/log/sallyportd"
}
is_true "a peer connects by the name in its certificate" tls_opens
printf '%s\n' "$carrier_a" "$(secure 'other.example')" \
	"$(carrier_b '')" >"$extra"
is_true "its trunk is told by another name" reload \
	'trunk-profile \\"secure\\": subjects'
is_true "its connection is closed" wait_for 5 "the end" grep -q \
	'connection down .*reason="its trunk is told by other names now"' \
	"$DIR/log/sallyportd"
impostor() {
	in_ns px timeout 5 gnutls-cli --port 5081 --no-ca-verification \
		--x509certfile "$DIR/pki/peer.crt" \
		--x509keyfile "$DIR/pki/peer.key" "$SP_OUT" </dev/null
	grep -q 'reason=trunk .*name="sbc.carrier.example"' \
		"$DIR/log/sallyportd"
}
is_true "and it does not come in any more" impostor

# ---- the trunk that talks moves, and goes ----
is_true "the first trunk's calls are still there" trunk old '"calls":2'
printf '%s\n' "${carrier_a/$PHONE_A/$PHONE_X}" "$(carrier_b '')" >"$extra"
is_true "its peer is another address" reload 'trunk \\"old\\": peers'
in_a() { calls "in-a-$1" pa "$PHONE_A" 5064 "$SP_OUT:5080"; }
is_true "from the old one nothing begins" fails in_a moved
needs answers x-new px "$PHONE_X" 5060 1
is_true "the new one is called" calls out-x cm "$CM" 5077 "$SP_IN:5080"
carrier_b '' >"$extra"
is_true "the trunk is removed" reload 'trunk \\"old\\" (removed)'
is_true "and shown while its calls go on" trunk old '"calls":2,"state":"removed"'
is_true "it begins nothing" fails in_a removed
is_true "nor is it called" fails calls out-gone cm "$CM" 5078 "$SP_IN:5080"
wait "$LONG_IN"
is_true "its call inside went on through all that and ended well" [ "$?" = 0 ]
wait "$LONG_OUT"
is_true "its call outside, too" [ "$?" = 0 ]
forgotten() { ! trunk old ''; }
is_true "then nobody knows it" wait_for 5 "the end" forgotten
needs answers cm-last cm "$CM" 5067 1
is_true "the other trunk goes on" in_b last

# ---- a listener more ----
printf '%s\n' 'listener "more" {
	address = "udp:'"$SP_OUT"':5082"
	serves = trunks
}' "$(carrier_b '' | sed 's/{ "trunks" }/{ "trunks", "more" }/')" >"$extra"
is_true "a listener joins, and a trunk uses it" reload 'listener \\"more\\" (new)'
needs answers cm-more cm "$CM" 5067 2
is_true "its call comes in there" calls in-more pb "$PHONE_B" 5062 "$SP_OUT:5082"
is_true "and at the other one" in_b last-more

# ---- what needs a restart ----
other_transport() {
	local out
	carrier_b '' >"$extra"
	sed -i "s/\"udp:$CM:5067\"/\"tcp:$CM:5067\"/" "$conf"
	out=$(ctl --json reload 2>&1) && { echo "$out"; return 1; }
	grep -q 'cm-b.*another transport needs a restart' <<<"$out" ||
		{ echo "$out"; return 1; }
}
is_true "so does another transport towards a call manager" other_transport
test_end
