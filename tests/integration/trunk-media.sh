#!/bin/bash
# Media on a trunk: a phone behind Sallyport and baresip as a carrier on TLS talk
# through kamailio. SRTP on both sides, proved from captures; the lock only with
# trunk-lock = yes; RTP where the carrier has no SRTP, and refused where it must.
. "$(dirname "$0")/lib/test.sh"
. "$LIB/trunks.sh"

PEER=9200
# trunk_sections LOCK SRTP
trunk_sections() {
	cat <<CFG
$(trunk_tls_listener trunks-tls)
$(trunk_core cm-carrier 5060 5090)
failover { options-interval = 0 }
trunk-profile "secure" {
	subjects = { "*.carrier.example" }
	trunk-lock = $1
	srtp = $2
}
trunk "secure" {
	profile = "secure"
	listeners = { "trunks-tls" }
	peers = { "tls:$PHONE_X:5061" }
	call-managers = { "cm-carrier" }
}
CFG
}
# policy LOCK SRTP: of the trunk, from now on
policy() {
	sed -i "s/trunk-lock = .*/trunk-lock = $1/; s/srtp = .*/srtp = $2/" \
		"$DIR/etc/sallyport/sallyport.conf"
	ctl reload >/dev/null
}

# peer_start MEDIAENC: the carrier, registered nowhere, which answers at once
peer_start() {
	local d=$DIR/peer
	mkdir -p "$d"
	phone_tone "$d/tone.wav" 880
	sed -e "s/$PHONE_A/$PHONE_X/; s/20100-20150/20300-20350/" \
		-e "s|sip_certificate .*|sip_certificate $DIR/pki/peer.pem|" \
		-e "s|$DIR/baresip|$d|" -e '/ctrl_tcp/d' \
		"$DIR/baresip/config" >"$d/config"
	cat >"$d/accounts" <<CFG
<sip:$PEER@$PHONE_X;transport=tls>;regint=0;${1:+mediaenc=$1;}audio_codecs=PCMU;ptime=20;answermode=auto
CFG
	HOME=$d spawn peer px baresip -4 -s -f "$d"
	wait_for 10 "the carrier listens" listens px t "$PHONE_X:5061"
}

KAMAILIO_AUTH='
	if ($rU == "'$PEER'") {
		record_route();
		$du = "sip:'$SP_IN':5090";
		t_relay();
		exit;
	}'
needs net_begin sp-trunk-media
needs sallyport_pki
needs cert peer ca sbc.carrier.example "dns_name = sbc.carrier.example"
needs sallyport_config "" "$(trunk_sections yes allowed)"
mkdir -p "$DIR/etc/sallyport/trust/trunks"
cp "$DIR/pki/ca.crt" "$DIR/etc/sallyport/trust/trunks/ca.pem"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_A" "$PASS_A"
needs baresip_start
needs peer_start srtp-mand
needs wait_for 20 "$DEV_A" registered "$DEV_A"

# call_trunk: the phone calls the carrier, which is another call of Sallyport
call_trunk() {
	baresip_cmd dial "sip:$PEER@$SP_OUT" >/dev/null
	wait_for 15 "the phone talks over the trunk" calls_up 2
}
# shown FROM STATE: the phone's display, in its own log from that line on
shown() {
	grep -qa "^Call-Info:.*security=$2" \
		< <(tail -n "+$(($1 + 1))" "$DIR/log/baresip")
}
# streams NAME LOG FROM: what its owner negotiated
streams() {
	tail -n "+$(($3 + 1))" "$DIR/log/$2" |
		awk -v name="$2" -v sallyport="$SP_OUT" -f "$LIB/../streams.awk" \
			>>"$DIR/cap/$1.streams"
}
# proved NAME MODE STATE: a call from the phone to the carrier, from captures
proved() {
	local phone peer
	phone=$(lines "$DIR/log/baresip")
	peer=$(lines "$DIR/log/peer")
	capture_start "$1" && call_trunk && sleep 3 && call_end || return 1
	capture_stop
	rm -f "$DIR/cap/$1.streams"
	streams "$1" baresip "$phone"
	streams "$1" peer "$peer"
	[ "$(wc -l <"$DIR/cap/$1.streams")" = 4 ] ||
		{ cat "$DIR/cap/$1.streams"; return 1; }
	"$BUILD/tests/integration/srtpcheck" "$2" "$DIR/cap/$1.streams" \
		"$SP_OUT" "$DIR/cap/$1-out0.pcap" "$DIR/cap/$1-in0.pcap" \
		"$DIR/cap/$1-lo.pcap" || return 1
	shown "$phone" "$3"
}
is_true "SRTP from the phone to the carrier, and the lock is shown" \
	proved locked --end-to-end Encrypted
needs policy no allowed
is_true "trunk-lock = no: the same SRTP, but no lock" \
	proved shielded --end-to-end Authenticated
is_true "end-to-end = no: other packets on the trunk, SRTP all the same" eval '
	sed -i "s/^media {/&\n\tend-to-end = no/" "$DIR/etc/sallyport/sallyport.conf" &&
	ctl reload >/dev/null && proved own --joined Authenticated &&
	sed -i "/end-to-end = no/d" "$DIR/etc/sallyport/sallyport.conf" &&
	ctl reload >/dev/null'

# A carrier without SRTP.
needs stop peer
needs peer_start ""
needs policy yes allowed
in_clear() {
	local phone
	phone=$(lines "$DIR/log/baresip")
	capture_start clear && call_trunk && sleep 2 && call_end || return 1
	capture_stop
	grep -q 'fallback to RTP .*device=secure' \
		"$DIR/log/sallyportd" || return 1
	# to the carrier in clear: RTP of PCMU; the phone's is SRTP, and its
	# packets are longer by the tag
	[ "$(tcpdump -nr "$DIR/cap/clear-out0.pcap" \
		"udp and dst host $PHONE_X and udp[4:2] = 180" 2>/dev/null |
		wc -l)" -gt 20 ] || return 1
	[ "$(tcpdump -nr "$DIR/cap/clear-out0.pcap" \
		"udp and dst host $PHONE_A and udp[4:2] = 180" 2>/dev/null |
		wc -l)" = 0 ] || return 1
	! shown "$phone" Encrypted
}
is_true "a carrier without SRTP is called in clear, and no lock is shown" in_clear
needs policy yes required
refused() {
	local phone
	phone=$(lines "$DIR/log/baresip")
	baresip_cmd dial "sip:$PEER@$SP_OUT" >/dev/null
	wait_for 10 "the call is refused" said "$DIR/log/baresip" "$phone" \
		'^SIP/2.0 488' && wait_for 10 "no call is left" no_calls
}
is_true "srtp = required: it is not called" refused
test_end
