#!/bin/bash
# The rows of make bench that need phones: sallyportd against kamailio (and
# rtpengine), by turns, on the loopback of a network namespace of its own
# (bench/run.sh makes it). rows.sh BUILD-DIR RESULTS: one line per row,
# name|unit|ours|peer|peer name|goal|spread, peer and its name - for a limit. Load and
# call manager run on processor 0, what is measured on processor 1.
#
#   load phones --TLS--> sallyportd 10.99.0.1 --+
#   load phones --TLS--> kamailio   10.99.2.1 --+--UDP--> load cm 10.99.1.2
set -euo pipefail

BUILD=$(cd "$1" && pwd) RESULTS=$2
LOAD=$BUILD/tests/load/load
PHONES=${PHONES:-10000} TURNS=${TURNS:-5} SECONDS_EACH=${SECONDS_EACH:-3}
CALLERS=40
OURS=10.99.0.1 INSIDE=10.99.1.1 CM=10.99.1.2 PEER=10.99.2.1
PEER_NAME="kamailio 5.6" MEDIA_PEER_NAME="kamailio 5.6 + rtpengine 10.5"
DIR=$(mktemp -d /run/sallyport-load.XXXXXX)

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sides.sh"

# --- the other side --------------------------------------------------------

# The same work: certificates of phones verified, every request but ACK
# challenged, all forwarded to the same call manager, media anchored.
peer_config() {
	cat >"$DIR/tls.cfg" <<CFG
[server:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = $DIR/pki/server.key
certificate = $DIR/pki/server.pem
ca_list = $DIR/pki/ca.pem
CFG
	cat >"$DIR/kamailio.cfg" <<CFG
#!KAMAILIO
debug=0
log_stderror=yes
children=2
tcp_children=1
tcp_max_connections=20000
tls_max_connections=20000
tcp_connection_lifetime=4000
enable_tls=yes
disable_sctp=yes
auto_aliases=no
listen=tls:$PEER:5061
listen=udp:$PEER:5070
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/kamailio/modules/:/usr/lib/$(uname -m)-linux-gnu/kamailio/modules/"
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
loadmodule "rtpengine.so"
modparam("tls", "config", "$DIR/tls.cfg")
modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:2223")
modparam("rr", "enable_double_rr", 0)

request_route {
	if (!mf_process_maxfwd_header("10")) {
		sl_send_reply("483", "Too Many Hops");
		exit;
	}
	if (is_method("ACK")) {
		loose_route();
		\$du = "sip:$CM:5060";
		t_relay();
		exit;
	}
	if (!pv_www_authenticate("sallyport", "load-test", "0")) {
		www_challenge("sallyport", "1");
		exit;
	}
	consume_credentials();
	force_rport();
	if (is_method("BYE")) {
		loose_route();
		rtpengine_delete();
	}
	if (is_method("INVITE")) {
		record_route();
		rtpengine_offer("RTP/AVP replace-origin replace-session-connection ICE=remove");
		t_on_reply("ANSWER");
	}
	\$du = "sip:$CM:5060";
	if (!t_relay()) sl_reply_error();
}

onreply_route[ANSWER] {
	if (has_body("application/sdp"))
		rtpengine_answer("RTP/SAVP replace-origin replace-session-connection ICE=remove DTLS=off");
}
CFG
}

peer_start() {
	peer_config
	spawn 1 rtpengine rtpengine --table=-1 --interface="$PEER" \
		--listen-ng=127.0.0.1:2223 --port-min=30000 --port-max=50000 \
		--num-threads=1 --media-num-threads=0 --foreground \
		--log-stderr --log-level=3
	rtpengine_pid=$pid
	wait_for listens u 127.0.0.1:2223
	spawn 1 kamailio kamailio -DD -E -m 2048 -M 64 -P "$DIR/kamailio.pid" \
		-Y "$DIR" -f "$DIR/kamailio.cfg"
	peer_pid=$pid
	wait_for listens t "$PEER:5061"
}

# turns NAME UNIT GOAL PEER-NAME COMMAND KEY PEER-PIDS: CPU by turns
turns() {
	local ours=() peer=() who before after n q
	for _ in $(seq "$TURNS"); do
		for who in ours peer; do
			local pids=$ours_pid
			[ "$who" = ours ] || pids=$7
			# shellcheck disable=SC2086
			before=$(cpu_us $pids)
			phones "$who" "$5"
			# shellcheck disable=SC2086
			after=$(cpu_us $pids)
			n=$(value "$6")
			[ "${n:-0}" -gt 0 ] && [ "$(value calls_failed)" = 0 ] ||
				die "$who: $5: $reply"
			q=$(awk "BEGIN {printf \"%.2f\", ($after - $before) / $n}")
			if [ "$who" = ours ]; then ours+=("$q"); else peer+=("$q"); fi
		done
	done
	read -r o spread <<<"$(quartile "${ours[@]}")"
	read -r p _ <<<"$(quartile "${peer[@]}")"
	row "$1" "$2" "$3" "$4" "$o" "$p" "$spread"
}

# --- rows ------------------------------------------------------------------

# connect_all WHO PID: KiB per phone in $kib, all registered and idle
connect_all() {
	local before after
	before=$(pss_kb "$2")
	phones "$1" connect
	[ "$(value up)" = "$PHONES" ] || die "$1: $reply"
	sleep 2
	after=$(pss_kb "$2")
	kib=$(awk "BEGIN {printf \"%.2f\", ($after - $before) / $PHONES}")
}

memory() {
	local ours
	connect_all ours "$ours_pid"
	ours=$kib
	connect_all peer "$peer_pid"
	row "memory per registered TLS phone" KiB 0.55 "$PEER_NAME" \
		"$ours" "$kib"
	row "memory per registered TLS phone, limit 24" KiB 24 - "$ours"
}

# storm NAME: all phones come back at once while calls go on
storm() {
	order calls "calls 20 20"
	phones ours storm
	[ "$(value up)" = "$PHONES" ] || say "storm: $reply"
	row "reconnect storm $1, failures" phones 0.5 - \
		"$((PHONES - $(value up) + $(value failed)))"
	say "storm $1: $(value seconds) s, $(value resumed) resumed"
	answer calls
	row "reconnect storm $1, calls disturbed" calls 0.5 - \
		"$((400 - $(value calls)))"
	row "reconnect storm $1, p99 of a call's delay" ms 250 - \
		"$(awk "BEGIN {printf \"%.3f\", $(value p99_us) / 1000}")"
	say "calls meanwhile: $reply"
}

# added KEY US: what KEY of the last answer adds to US, in ms
added() { awk "BEGIN {printf \"%.3f\", ($(value "$1") - $2) / 1000}"; }

# Twice as many turns: the p99 is the second worst of 200 calls, which soon is one
# that had to wait because the host took a processor away.
delay() {
	local half=() most=() p50 p99 q spread
	for _ in $(seq $((2 * TURNS))); do
		reply=$(taskset -c 0 "$LOAD" direct "$CM:5060" 20 10)
		p50=$(value p50_us) p99=$(value p99_us)
		phones calls "calls 20 10"
		[ "$(value calls)" = 200 ] || die "calls: $reply"
		half+=("$(added p50_us "$p50")")
		most+=("$(added p99_us "$p99")")
	done
	read -r q spread <<<"$(quartile "${half[@]}")"
	row "added post-dial delay at 20/s, median" ms 2 - "$q" "" "$spread"
	read -r q spread <<<"$(quartile "${most[@]}")"
	row "added post-dial delay at 20/s, p99" ms 5 - "$q" "" "$spread"
}

sides_begin "$OURS" "$INSIDE" "$CM" "$PEER"
ours_start
peer_start
phones_start ours "$OURS" "$PHONES"
phones_start peer "$PEER" "$PHONES"
phones_start calls "$OURS" "$CALLERS" "$PHONES"
: >"$RESULTS"
memory
turns "CPU per REGISTER transaction over TLS" us 1.0 "$PEER_NAME" \
	"cycle $SECONDS_EACH" transactions "$peer_pid"
turns "CPU per call, TLS and SRTP outside" us 0.7 "$MEDIA_PEER_NAME" \
	"calls 50 $SECONDS_EACH" calls "$peer_pid $rtpengine_pid"
phones calls connect
[ "$(value up)" = "$CALLERS" ] || die "calls: $reply"
delay
phones ours "tickets off"
storm "without tickets"
phones ours "tickets on"
storm "with tickets"
