# sallyportd in namespace sp with its files under $DIR/etc/sallyport. Needs
# $BUILD, the build directory; certificates come from certs.sh.

SALLYPORT_USER=nobody SALLYPORT_GROUP=nogroup

# sallyport_pki: CA of the devices, our certificate, one for each phone
sallyport_pki() {
	cert_ca ca
	cert sallyport ca sallyport.demo "ip_address = $SP_OUT" \
		"dns_name = sallyport.demo"
	cert "$DEV_A" ca "$DEV_A"
	cert "$DEV_B" ca "$DEV_B"
}

# sallyport_config [GLOBAL] [SECTIONS]: sallyport.conf and what it names
sallyport_config() {
	local etc=$DIR/etc/sallyport
	mkdir -p "$etc/certs" "$etc/keys" "$etc/trust/device" "$DIR/state"
	chmod 700 "$etc/keys"
	chown "$SALLYPORT_USER:$SALLYPORT_GROUP" "$DIR/state"
	chmod 700 "$DIR/state"
	cp "$DIR/pki/sallyport.crt" "$etc/certs/server.pem"
	cp "$DIR/pki/sallyport.key" "$etc/keys/server.key"
	cp "$DIR/pki/ca.crt" "$etc/trust/device/ca.pem"
	cat >"$etc/sallyport.conf" <<CFG
user = "$SALLYPORT_USER"
group = "$SALLYPORT_GROUP"
log-level = info
state-directory = "$DIR/state"
control-socket = "$DIR/control.sock"
workers = ${WORKERS:-1}
${1:-}

listener "phones" {
	address = "tls:$SP_OUT:5061"
	certificate = "certs/server.pem"
	key = "keys/server.key"
	trust = "device"
}

call-manager "cm" {
	address = "udp:$CM:5060"
	local-address = "$SP_IN:5070"
}

media {
	outside-address = "$SP_OUT"
	inside-address = "$SP_IN"
	ports = 20000-20999
	${BACKENDS:+backends = $BACKENDS}
}

device "$DEV_A" {
	description = "baresip"
	lines = { "$USER_A" }
	security-mode = encrypted
	digest = yes
	digest-user = "$USER_A"
}

device "$DEV_B" {
	description = "linphone"
	lines = { "$USER_B" }
	security-mode = encrypted
	digest = yes
	digest-user = "$USER_B"
}
${2:-}
CFG
}

# sallyport_start: in the foreground of a background process; ready when it
# answers the control socket. SALLYPORT_AHEAD: its monotonic clock is so many
# seconds ahead
sallyport_start() {
	local ahead=""
	[ -z "${SALLYPORT_AHEAD:-}" ] ||
		ahead="--time --monotonic $SALLYPORT_AHEAD"
	# a resolv.conf of its own, where there is one, in mounts of its own
	# shellcheck disable=SC2086 # empty is none
	spawn sallyportd sp unshare --mount $ahead sh -c '[ ! -f "$1" ] ||
		mount --bind "$1" /etc/resolv.conf; shift; exec "$@"' sh \
		"$DIR/resolv.conf" "$BUILD/src/sallyportd" \
		-c "$DIR/etc/sallyport/sallyport.conf"
	wait_for 15 "sallyportd answers" ctl status || {
		tail -20 "$DIR/log/sallyportd" >&2
		return 1
	}
}

# ctl COMMAND...: sallyportctl at this sallyportd
ctl() { "$BUILD/src/sallyportctl" -s "$DIR/control.sock" "$@"; }

# sallyport_user NAME PASSWORD: sallyportctl user add; the password on stdin
sallyport_user() { printf '%s\n' "$2" | ctl user add "$1"; }

# role_pid ROLE: the pid of the daemon's process with that role
role_pid() {
	local p monitor
	monitor=$(cat "$DIR/pid/sallyportd")
	is_ours "$monitor" || return 1
	for p in $(pgrep -P "$monitor"); do
		tr '\0' ' ' <"/proc/$p/cmdline" | finds -w -- "$1" && echo "$p"
	done | head -1
}

# worker_again: the only worker is killed, and another one serves
worker_again() {
	local old
	old=$(role_pid --role=worker)
	kill -9 "$old" || return 1
	wait_for 15 "another worker" eval \
		'ctl status >/dev/null && [ "$(role_pid --role=worker)" != '"$old"' ]'
}

# reload_whole: a reload that leaves nothing for a restart; what it says is in
# $DIR/said
reload_whole() {
	ctl --json reload >"$DIR/said" 2>&1 &&
		tr -d ' \n' <"$DIR/said" | finds '"needs-restart":\[\]' ||
		{ cat "$DIR/said"; return 1; }
}

# killed ROLE: kill it, and see another one with that role
killed() {
	local old new
	old=$(role_pid "$1")
	is_ours "$old" || { echo "no process with role $1"; return 1; }
	kill -9 "$old"
	for _ in $(seq 50); do
		new=$(role_pid "$1")
		[ -n "$new" ] && [ "$new" != "$old" ] && return 0
		sleep 0.2
	done
	echo "no successor"
	return 1
}

# worker_of ADDRESS: which of the workers serves that source (transport/steer.c)
worker_of() {
	local IFS=.
	# shellcheck disable=SC2086 # split at the dots
	set -- $1
	echo $(((((($1 << 24 | $2 << 16 | $3 << 8 | $4) * 0x9e3779b1) &
		0xffffffff) >> 16) % ${WORKERS:-1}))
}
