# sallyportd as SIP phones of tests/load want it, and these phones. Callers have
# lib.sh, $LOAD, $OURS, $INSIDE, $CM, and $PHONES and $CALLERS for how many.

# sides_begin ADDRESS...: these on lo, certificates, the call manager. All phones
# have one address: connections that were left keep their ports for a minute, and
# those of two storms are more than the kernel gives away at first.
sides_begin() {
	ulimit -n 20000
	echo "10240 65535" >/proc/sys/net/ipv4/ip_local_port_range
	for a in "$@"; do
		ip addr add "$a/32" dev lo
	done
	mkdir -m 755 -p "$DIR/pki"
	chmod 755 "$DIR"
	"$LOAD" certs "$DIR/pki" "$OURS"
	spawn 0 cm "$LOAD" cm "$CM:5060"
	wait_for listens u "$CM:5060"
}

ours_start() {
	ours_files
	cat >>"$DIR/etc/sallyport.conf" <<CFG
listener "phones" {
	address = "tls:$OURS:5061"
	certificate = "certs/server.pem"
	key = "keys/server.key"
	trust = "device"
}
call-manager "cm" {
	address = "udp:$CM:5060"
	local-address = "$INSIDE:5070"
}
CFG
	"$LOAD" devices "$((PHONES + CALLERS))" >>"$DIR/etc/sallyport.conf"
	spawn 1 sallyportd "$BUILD/src/sallyportd" -c "$DIR/etc/sallyport.conf"
	ours_pid=$pid
	wait_for ctl status
	ctl user add load <"$DIR/pki/password"
}

# phones_start NAME ADDRESS N [FIRST]: a load process that takes commands
phones_start() {
	local in out
	mkfifo "$DIR/$1.in" "$DIR/$1.out"
	taskset -c 0 "$LOAD" phones "$DIR/pki" "$2:5061" "$3" load "${4:-0}" \
		<"$DIR/$1.in" >"$DIR/$1.out" 2>"$DIR/$1.log" &
	PIDS+=("$!")
	exec {in}>"$DIR/$1.in" {out}<"$DIR/$1.out"
	printf -v "in_$1" %s "$in"
	printf -v "out_$1" %s "$out"
	read -r -t 120 -u "$out" reply || die "phones $1 do not come"
}

# order NAME COMMAND; answer NAME: the answer in $reply
order() {
	local in=in_$1
	printf '%s\n' "$2" >&"${!in}"
}
answer() {
	local out=out_$1
	read -r -t 280 -u "${!out}" reply || die "phones $1 do not answer"
}
phones() { order "$1" "$2"; answer "$1"; }

# value KEY: of the last answer
value() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$reply"; }
