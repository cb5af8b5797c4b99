# Namespaces, processes and their end, for the demo and the network tests.
#
#   ns pa (phone a) 10.77.0.11 --.
#   ns pb (phone b) 10.77.0.12 ---+-- ns lan: bridge --- 10.77.0.1 out0 | ns sp
#   ns px (others)  10.77.0.13 --'                                      | sallyportd
#   ns cm (call manager) 10.77.1.2 ------------------ 10.77.1.1 in0     |
#
# Everything outside Sallyport crosses out0; everything inside crosses in0, or
# lo of ns sp where two calls of Sallyport meet. No interface of the host is
# touched; names carry the pid of the script, so that runs do not collide.
# Callers set -euo pipefail, then: net_begin NAME; ...; the trap ends it all.

. "$(dirname "${BASH_SOURCE[0]}")/finds.sh"

SP_OUT=10.77.0.1 SP_IN=10.77.1.1 CM=10.77.1.2
PHONE_A=10.77.0.11 PHONE_B=10.77.0.12 PHONE_X=10.77.0.13

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# net_begin NAME: a fresh directory $DIR and namespaces $NS-*; ends by trap.
net_begin() {
	[ "$(id -u)" = 0 ] || die "needs root: it makes network namespaces"
	NS=sp$$
	DIR=/run/$1.$$
	rm -rf "$DIR"
	mkdir -m 755 "$DIR" "$DIR/pid" "$DIR/log"
	printf '%s\n' "$NS" >"$DIR/ns"
	trap net_end EXIT
	trap 'exit 130' INT TERM HUP
	for n in lan sp cm pa pb px; do
		ip netns add "$NS-$n"
		ip -n "$NS-$n" link set lo up
	done
	ip -n "$NS-lan" link add br0 type bridge forward_delay 0
	ip -n "$NS-lan" link set br0 up
	net_port sp out0 "$SP_OUT/24"
	net_port pa eth0 "$PHONE_A/24"
	net_port pb eth0 "$PHONE_B/24"
	net_port px eth0 "$PHONE_X/24"
	# linphone names the address of its default route in SDP
	for n in pa pb px; do
		ip -n "$NS-$n" route add default via "$SP_OUT"
	done
	ip -n "$NS-sp" link add in0 type veth peer name eth0 netns "$NS-cm"
	ip -n "$NS-sp" addr add "$SP_IN/24" dev in0
	ip -n "$NS-cm" addr add "$CM/24" dev eth0
	ip -n "$NS-sp" link set in0 up
	ip -n "$NS-cm" link set eth0 up
}

# net_port NS IF ADDR: plug interface IF of namespace NS into the bridge
net_port() {
	ip -n "$NS-lan" link add "p-$1" type veth peer name "$2" netns "$NS-$1"
	ip -n "$NS-lan" link set "p-$1" master br0 up
	ip -n "$NS-$1" addr add "$3" dev "$2"
	ip -n "$NS-$1" link set "$2" up
}

# in_ns NS COMMAND...: run in namespace NS. Its mounts are those of the machine
# (ip netns exec makes a mount namespace for each command: twice the time).
in_ns() {
	local n=$1
	shift
	nsenter --net="/run/netns/$NS-$n" "$@"
}

# spawn NAME NS COMMAND...: in the background, output in $DIR/log/NAME
spawn() {
	local name=$1 n=$2
	shift 2
	nsenter --net="/run/netns/$NS-$n" "$@" </dev/null \
		>"$DIR/log/$name" 2>&1 &
	printf '%s\n' "$!" >"$DIR/pid/$name"
}

# is_up NAME: true while the process of spawn runs
is_up() { kill -0 "$(cat "$DIR/pid/$1" 2>/dev/null)" 2>/dev/null; }

# is_ours PID: a process in a namespace of this run; nothing else is ever
# killed, whatever a pid file says and whoever has that pid by now
is_ours() {
	[ -n "$1" ] && ip netns identify "$1" 2>/dev/null | finds "^$NS-"
}

# stop NAME: TERM, KILL after 5 s
stop() {
	local pid
	pid=$(cat "$DIR/pid/$1" 2>/dev/null) || return 0
	rm -f "$DIR/pid/$1"
	is_ours "$pid" || return 0
	kill "$pid" 2>/dev/null || return 0
	for _ in $(seq 50); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	! is_ours "$pid" || kill -9 "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}

# wait_for SECONDS WHAT COMMAND...: until COMMAND succeeds, or fail; WAIT_TIMES
# as long on a slow machine
wait_for() {
	local end=$((SECONDS + $1 * ${WAIT_TIMES:-1})) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			printf 'waited in vain for: %s\n' "$what" >&2
			return 1
		fi
		sleep 0.2
	done
}

# listens NS PROTO ADDR:PORT: somebody listens there (PROTO t or u)
listens() { in_ns "$1" ss -Hln"$2" src "$3" | finds .; }

# Stop what was started, newest last; what is left in our own namespaces goes
# with them. With KEEP=1 everything stays (run-demo --keep).
net_end() {
	local status=$? f p n
	trap - EXIT INT TERM HUP
	[ "${KEEP:-0}" = 1 ] && exit "$status"
	net_stop "$DIR" "$NS"
	if [ "$status" != 0 ] && [ -n "${SAVE_LOGS:-}" ]; then
		mkdir -p "$SAVE_LOGS"
		cp -r "$DIR"/. "$SAVE_LOGS"/
		rm -rf "$SAVE_LOGS/pid"
		find "$SAVE_LOGS" -name '*.key' -delete
		say "logs and captures are in $SAVE_LOGS"
	fi
	rm -rf "$DIR"
	exit "$status"
}

# net_stop DIR NS: end the processes recorded in DIR and the namespaces of NS
net_stop() {
	local DIR=$1 NS=$2 f n p
	set +e
	for f in baresip linphone; do # they say goodbye while all is up
		[ -e "$DIR/pid/$f" ] && stop "$f"
	done
	for f in "$DIR"/pid/*; do
		[ -e "$f" ] && stop "${f##*/}"
	done
	for n in pa pb px cm sp lan; do
		[ -e "/run/netns/$NS-$n" ] || continue
		for p in $(ip netns pids "$NS-$n"); do
			kill -9 "$p" 2>/dev/null
		done
		ip netns del "$NS-$n"
	done
	set -e
}
