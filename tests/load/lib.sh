# What the measuring scripts share: processes and their end, what they cost, and
# a row of results. Callers have $BUILD, $RESULTS and $DIR; finish ends all.

. "$(dirname "${BASH_SOURCE[0]}")/../integration/lib/finds.sh"

PIDS=()

say() { printf '  %s\n' "$*"; }
die() { printf 'rows: %s\n' "$*" >&2; tail -n 5 "$DIR"/*.log >&2; exit 1; }

finish() {
	local status=$?
	trap - EXIT
	for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null || true; done
	for p in "${PIDS[@]}"; do wait "$p" 2>/dev/null || true; done
	rm -rf "$DIR"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# spawn CPU NAME COMMAND...: in the background, its pid in $pid
spawn() {
	local cpu=$1 name=$2
	shift 2
	taskset -c "$cpu" "$@" </dev/null >"$DIR/$name.log" 2>&1 &
	pid=$!
	PIDS+=("$pid")
}

wait_for() {
	for _ in $(seq 100); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	die "waited in vain: $*"
}

ctl() { "$BUILD/src/sallyportctl" -s "$DIR/control.sock" "$@"; }
listens() { ss -Hln"$1" src "$2" | finds .; }

# tree PID: it and all its descendants
tree() {
	echo "$1"
	for p in $(pgrep -P "$1"); do tree "$p"; done
}

# cpu_us PID...: CPU time so far of the processes below, in microseconds
cpu_us() {
	for root in "$@"; do
		for p in $(tree "$root"); do cat "/proc/$p"/task/*/schedstat; done
	done | awk '{s += $1} END {printf "%d\n", s / 1000}'
}

# pss_kb PID: memory of the processes below, shared pages once
pss_kb() {
	for p in $(tree "$1"); do grep '^Pss:' "/proc/$p/smaps_rollup"; done |
		awk '{s += $2} END {print s}'
}

# ours_files: $DIR/etc with the keys of load certs and the settings that let
# thousands of phones come from few addresses; sections follow
ours_files() {
	local etc=$DIR/etc
	mkdir -p "$etc/certs" "$etc/keys" "$etc/trust/device" "$DIR/state"
	chmod 700 "$etc/keys" "$DIR/state"
	chown nobody:nogroup "$DIR/state"
	cp "$DIR/pki/server.pem" "$etc/certs/"
	cp "$DIR/pki/server.key" "$etc/keys/"
	cp "$DIR/pki/ca.pem" "$etc/trust/device/"
	cat >"$etc/sallyport.conf" <<CFG
user = "nobody"
group = "nogroup"
log-level = warning
state-directory = "$DIR/state"
control-socket = "$DIR/control.sock"
media {
	outside-address = "$OURS"
	inside-address = "$INSIDE"
	cool-down = 1
}
limits {
	connections-per-address = 20000
	handshakes = 20000
	handshakes-per-address = 20000
	handshake-timeout = 120
	first-message-timeout = 120
	message-rate = 100000
	message-burst = 100000
}
CFG
}

# quartile NUMBER...: the lower one, and the spread of the lower half
quartile() {
	printf '%s\n' "$@" | sort -g | awk '{v[NR] = $1} END {
		q = v[int((NR - 1) / 4) + 1]; m = v[int((NR + 1) / 2)]
		printf "%.3f %.4f\n", q, (q ? (m - v[1]) / q : 0) }'
}

# row NAME UNIT GOAL PEER-NAME OURS [PEER [SPREAD]]
row() {
	printf '%s|%s|%s|%s|%s|%s|%s\n' "$1" "$2" "$5" "${6:--}" "$4" "$3" \
		"${7:-0}" >>"$RESULTS"
	say "$1: $5 $2${6:+, $4 $6}"
}
