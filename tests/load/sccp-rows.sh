#!/bin/bash
# The rows of make bench for Skinny: ten thousand phones over TLS at two workers,
# in front of a call manager that speaks plain SCCP, on the loopback of a network
# namespace of its own (bench/run.sh makes it). sccp-rows.sh BUILD-DIR RESULTS
# adds rows as rows.sh does. Phones and call manager run on processor 0, what is
# measured on processor 1.
#
#   sccp-phone 10.99.4.0-99 --TLS--> sallyportd 10.99.0.1:2443
#              --SCCP from 10.99.5.1 and .2--> sccp-cm 10.99.1.2:2000
set -euo pipefail

BUILD=$(cd "$1" && pwd) RESULTS=$2
LOAD=$BUILD/tests/load/load PHONE=$BUILD/tests/sccp/sccp-phone
PHONES=${PHONES:-10000} RATE=${RATE:-300} TURNS=${TURNS:-5} ASKED_S=${ASKED_S:-20}
OURS=10.99.0.1 INSIDE=10.99.1.1 CM=10.99.1.2
DIR=$(mktemp -d /run/sallyport-sccp.XXXXXX)
. "$(dirname "$0")/lib.sh"

ours_start() {
	ours_files
	cat >>"$DIR/etc/sallyport.conf" <<CFG
workers = 2
listener "skinny" {
	address = "sccps:$OURS:2443"
	certificate = "certs/server.pem"
	key = "keys/server.key"
	trust = "device"
}
sccp-manager "cm" {
	address = "$CM:2000"
	source-addresses = { "10.99.5.1", "10.99.5.2" }
}
CFG
	"$LOAD" devices "$PHONES" | sed '/digest/d' >>"$DIR/etc/sallyport.conf"
	spawn 1 sallyportd "$BUILD/src/sallyportd" -c "$DIR/etc/sallyport.conf"
	ours_pid=$pid
	wait_for ctl status
}

# phones_start NAME OPTION...: phones that take commands
phones_start() {
	local in out name=$1
	shift
	mkfifo "$DIR/$name.in" "$DIR/$name.out"
	taskset -c 0 "$PHONE" --quiet --slow --time 900 "$@" \
		<"$DIR/$name.in" >"$DIR/$name.out" 2>"$DIR/$name.log" &
	PIDS+=("$!")
	exec {in}>"$DIR/$name.in" {out}<"$DIR/$name.out"
	printf -v "in_$name" %s "$in"
	printf -v "out_$name" %s "$out"
}

# phones NAME COMMAND WORD: the line with a word that begins so that comes of it, in $reply
phones() {
	local in=in_$1 out=out_$1
	printf '%s\n' "$2" >&"${!in}"
	while read -r -t 280 -u "${!out}" reply; do
		case $reply in
		*FAILED*) die "$1: $2: $reply" ;;
		*" $3"*) return ;;
		esac
	done
	die "$1: $2: no answer"
}

# value KEY: of the last answer
value() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$reply"; }
awk_of() { awk "BEGIN { printf \"%.3f\", $1 }"; }

ulimit -n 20000
for a in "$OURS/32" "$INSIDE/32" "$CM/32" 10.99.4.0/24 10.99.5.0/24; do
	ip addr add "$a" dev lo
done
mkdir -m 755 -p "$DIR/pki"
chmod 755 "$DIR"
"$LOAD" certs "$DIR/pki" "$OURS"
spawn 0 sccp-cm "$BUILD/tests/sccp/sccp-cm" --listen "$CM:2000" --quiet \
	--time 900
wait_for listens t "$CM:2000"
ours_start
phones_start all --server "$OURS:2443" --certs "$DIR/pki" --count "$PHONES" \
	--local 10.99.4.0 --spread 100
phones_start direct --server "$CM:2000" --count 100 --first 50000
phones direct "connect 100" "connect registered"

before=$(pss_kb "$ours_pid")
phones all "connect $RATE" "connect registered"
[ "$(value registered)" = "$PHONES" ] || die "$reply"
sleep 2
row "memory per registered TLS phone, SCCP" KiB 28 - \
	"$(awk_of "($(pss_kb "$ours_pid") - $before) / $PHONES")"

# a question and its answer are two messages that are relayed
most=() idle=0
for _ in $(seq "$TURNS"); do
	phones direct "ask 50 10" "ask n="
	p99=$(value p99)
	cpu=$(cpu_us "$ours_pid")
	phones all "ask 50 $ASKED_S" "ask n="
	idle=$((idle + $(cpu_us "$ours_pid") - cpu))
	most+=("$(awk_of "($(value p99) - $p99) / 2000")")
done
read -r q spread <<<"$(quartile "${most[@]}")"
row "added delay per SCCP message, p99" ms 2 - "$q" "" "$spread"
row "CPU of keepalives, $PHONES SCCP phones" "%" 30 - \
	"$(awk_of "$idle / $TURNS / $ASKED_S / 10000")"

cpu=$(cpu_us "$ours_pid")
phones all "ask 2000 5" "ask n="
n=$(value n)
[ "$n" -gt 9000 ] || die "only $n of 10000 questions were answered: $reply"
us=$(awk_of "($(cpu_us "$ours_pid") - $cpu) / $n / 2")
row "CPU per relayed SCCP message" us 100 - "$us"
row "Skinny messages relayed per second and core" msg/s 10000 - \
	"$(awk_of "1000000 / $us")"

phones all storm "storm registered"
[ "$(value resumed)" = 0 ] || die "sessions were resumed: $reply"
row "reconnect storm of SCCP phones, without tickets" s 60 - "$(value seconds)"
