# SCCP phones and call managers of our own (tests/sccp), and tshark as the judge
# of every message.

# sccp_cm NAME NS ADDRESS:PORT OPTION...: a call manager; commands with sccp_say
sccp_cm() {
	local name=$1 n=$2 at=$3
	shift 3
	stop "$name"
	sccp_spawn "$name" "$n" "$BUILD/tests/sccp/sccp-cm" --listen "$at" "$@"
	wait_for 10 "$name listens" listens "$n" t "$at"
}

# sccp_phone NAME NS OPTION...: a phone; commands with sccp_say
sccp_phone() {
	local name=$1 n=$2
	shift 2
	sccp_spawn "$name" "$n" env SSLKEYLOGFILE="$DIR/tls-keys" \
		"$BUILD/tests/sccp/sccp-phone" --log "$@"
}

# sccp_spawn NAME NS COMMAND...: in the background with a pipe to its stdin
sccp_spawn() {
	local name=$1 n=$2 fd
	shift 2
	rm -f "$DIR/$name.in"
	mkfifo "$DIR/$name.in"
	exec {fd}<>"$DIR/$name.in" # a writer that stays
	nsenter --net="/run/netns/$NS-$n" "$@" <"$DIR/$name.in" \
		>"$DIR/log/$name" 2>&1 {fd}<&- &
	printf '%s\n' "$!" >"$DIR/pid/$name"
	SCCP_FD[$name]=$fd
}
declare -A SCCP_FD

# sccp_say NAME COMMAND...: each a line to its stdin
sccp_say() {
	local name=$1
	shift
	printf '%s\n' "$@" >&"${SCCP_FD[$name]}"
}

# sccp_do NAME SECONDS COMMAND...: say it, and wait until all of it is done;
# false when the program failed
sccp_do() {
	local name=$1 seconds=$2 mark=m$RANDOM$RANDOM
	shift 2
	sccp_say "$name" "$@" "echo $mark"
	for _ in $(seq $((seconds * 10))); do
		grep -q " $mark$" "$DIR/log/$name" && return
		is_up "$name" || break
		sleep 0.1
	done
	grep -E 'FAILED|STATUS|closed' "$DIR/log/$name" | tail -5
	return 1
}

# sccp_end NAME...: quit
sccp_end() {
	local name fd
	for name in "$@"; do
		sccp_say "$name" quit 2>/dev/null || true
		fd=${SCCP_FD[$name]}
		exec {fd}>&-
		unset "SCCP_FD[$name]"
		for _ in $(seq 20); do
			is_up "$name" || break
			sleep 0.1
		done
		stop "$name"
	done
}

# sccp_judge PCAP [FILTER]: tshark on the SCCP of a capture, on port 2443 with
# the phones' TLS keys too. Says how many messages it saw; fails when there were
# none, or one is malformed that vectors/sccp/tshark-misreads does not list.
sccp_judge() {
	sccp_tshark "$1" "${2:-skinny}" frame.number skinny.hdr_version \
		skinny.messageId skinny.data_length _ws.expert.message \
		>"$1.fields"
	awk -f "$LIB/../sccp-judge.awk" \
		"$TOP/tests/vectors/sccp/tshark-misreads" "$1.fields"
}

# sccp_tshark PCAP FILTER FIELD...: a line for each frame, tabs between fields
sccp_tshark() {
	local pcap=$1 filter=$2 f args=()
	shift 2
	for f in "$@"; do args+=(-e "$f"); done
	touch "$DIR/tls-keys"
	tshark -r "$pcap" -o tls.keylog_file:"$DIR/tls-keys" \
		-d tcp.port=="${SCCP_PORTS:-2000}",skinny -d tls.port==2443,skinny \
		-Y "$filter" -T fields "${args[@]}" 2>"$pcap.err"
}
