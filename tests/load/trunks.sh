#!/bin/bash
# The row of make bench that needs trunks: CPU per whole request (a REFER from a
# trunk over UDP, through to the call manager and its answer back) with 1,000
# trunks and 10,000 rules, of which the last one decides, against one trunk and
# one rule. trunks.sh BUILD-DIR RESULTS appends a line as rows.sh writes them.
# Alone in a network namespace; load on processor 0, what is measured on 1.
#
#   refer 10.98.0.2 --UDP--> sallyportd 10.98.0.1 --UDP--> refer 10.98.1.2
set -euo pipefail

BUILD=$(cd "$1" && pwd) RESULTS=$2
TURNS=${TURNS:-9} REQUESTS=${REQUESTS:-4000}
OURS=10.98.0.1 PEER=10.98.0.2 INSIDE=10.98.1.1 CM=10.98.1.2
DIR=$(mktemp -d /run/sallyport-trunks.XXXXXX)
chmod 755 "$DIR"
. "$(dirname "$0")/lib.sh"

# config NAME PORT TRUNKS RULES: the measured trunk and the deciding rule last
config() {
	local name=$1 port=$2 trunks=$3 rules=$4
	mkdir -p "$DIR/$name" "$DIR/$name/state"
	chown nobody:nogroup "$DIR/$name/state"
	chmod 700 "$DIR/$name/state"
	{
		cat <<CFG
user = "nobody"
group = "nogroup"
log-level = warning
workers = 1
state-directory = "$DIR/$name/state"
control-socket = "$DIR/$name/control.sock"
listener "trunks" {
	address = "udp:$OURS:$port"
	serves = trunks
}
call-manager "cm" {
	address = "udp:$CM:5060"
	local-address = "$INSIDE:$port"
	serves = trunks
}
failover { options-interval = 0 }
limits { transactions = 1000000 message-rate = 100000 message-burst = 100000 }
media {
	outside-address = "$OURS"
	inside-address = "$INSIDE"
}
acl "list" {
	rules = {
CFG
		awk -v n="$((rules - 1))" 'BEGIN { for (i = 0; i < n; i++)
			printf "\t\t\"deny method=REFER from=u%d@a%d.example.com to=%d*\",\n", i, i % 97, i }'
		cat <<CFG
		"allow method=REFER from=click@$PEER"
	}
	default = deny
}
trunk-profile "plain" {
	security-mode = nonsecure
	accept-out-of-dialog-refer = yes
	acl = "list"
}
CFG
		awk -v n="$((trunks - 1))" 'BEGIN { for (i = 0; i < n; i++)
			printf "trunk \"t%d\" {\n\tprofile = \"plain\"\n\tlisteners = { \"trunks\" }\n\tpeers = { \"udp:10.97.%d.%d:5060\" }\n\thosts = { \"t%d.example.com\" }\n}\n", i, i / 250, i % 250 + 1, i }'
		cat <<CFG
trunk "last" {
	profile = "plain"
	listeners = { "trunks" }
	peers = { "udp:$PEER:5060" }
	hosts = { "last.example.com" }
}
CFG
	} >"$DIR/$name/sallyport.conf"
}

# start NAME: its pid in $pid, that of its worker in $worker
start() {
	taskset -c 1 "$BUILD/src/sallyportd" -c "$DIR/$1/sallyport.conf" \
		</dev/null >"$DIR/$1.log" 2>&1 &
	pid=$!
	PIDS+=("$pid")
	for _ in $(seq 300); do
		"$BUILD/src/sallyportctl" -s "$DIR/$1/control.sock" status \
			>/dev/null 2>&1 && break
		sleep 0.1
	done
	worker=
	for p in $(pgrep -P "$pid"); do
		! tr '\0' ' ' <"/proc/$p/cmdline" | finds -- '--role=worker' ||
			worker=$p
	done
	[ -n "$worker" ] || die "$1 did not start"
}

# Not %d: mawk ends at 2^31 - 1, two seconds.
cpu_ns() { awk '{ s += $1 } END { printf "%.0f\n", s }' /proc/"$1"/task/*/schedstat; }

# measure PORT WORKER REQUESTS: microseconds for each in $us
measure() {
	local before after
	before=$(cpu_ns "$2")
	taskset -c 0 "$BUILD/tests/load/refer" "$PEER:5060" "$OURS:$1" \
		"$CM:5060" "$3" >"$DIR/said" || die "a request failed"
	after=$(cpu_ns "$2")
	[ "$after" -gt "$before" ] || die "no time was counted"
	us=$(awk "BEGIN { printf \"%.3f\", ($after - $before) / 1000 / $3 }")
}

for a in "$OURS" "$PEER" "$INSIDE" "$CM"; do ip addr add "$a/32" dev lo; done
config one 5061 1 1
config many 5062 1000 10000
start one
one=$worker
start many
many=$worker
measure 5061 "$one" 500
measure 5062 "$many" 500
ours=() peer=()
for _ in $(seq "$TURNS"); do
	measure 5061 "$one" "$REQUESTS"
	peer+=("$us")
	measure 5062 "$many" "$REQUESTS"
	ours+=("$us")
done
read -r o spread <<<"$(quartile "${ours[@]}")"
read -r p _ <<<"$(quartile "${peer[@]}")"
row "CPU per trunk REFER, 1000 trunks, 10000 rules" us 1.05 \
	"one trunk, one rule" "$o" "$p" "$spread"
