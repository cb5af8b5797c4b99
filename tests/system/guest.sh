#!/bin/bash
# Inside the virtual machine: the installed package, started, reloaded, killed
# and watched over by systemd.
set -uo pipefail
. "$TOP/tests/integration/lib/sentences.sh"
S=sallyportd
# where the installation has its configuration, by its prefix
ETC=$(cd "$DIR/dest" && find . -path '*/sallyport/sallyport.conf' | head -1)
ETC=$(dirname "${ETC#.}")

main_pid() { systemctl show -P MainPID $S; }
is_active() { systemctl is-active -q $S; }
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.5
	done
}
journal() { journalctl -q -o cat -u $S "$@"; }

ip link set lo up
ip addr add 192.0.2.1/32 dev lo
cp "$DIR/pki/server.crt" "$ETC"/certs/server.pem
cp "$DIR/pki/server.key" "$ETC"/keys/server.key
cp "$DIR/pki/ca.crt" "$ETC"/trust/device/ca.pem

is_true "systemd is the first process" test "$(cat /proc/1/comm)" = systemd
account() { systemd-sysusers && id sallyport; }
is_true "sysusers makes the account" account
directories() {
	systemd-tmpfiles --create sallyport.conf &&
		[ "$(stat -c '%U %a' /var/lib/sallyport)" = "sallyport 700" ]
}
is_true "tmpfiles makes the directories" directories
is_true "the installed configuration is in order" sallyportd -n
systemctl daemon-reload
# what a unit waits for is a job; what it said is in the journal
why_not() {
	systemctl list-jobs --no-pager | tail -8
	systemctl status --no-pager -n 0 $S | head -6
	journal | tail -8
	return 1
}
starts() { timeout 120 systemctl start $S || why_not; }
is_true "the service starts and says it is ready" starts
is_active || sentences_end
is_true "sallyportctl is answered" sallyportctl status
hardened() {
	local line level
	line=$(systemd-analyze security --no-pager $S | tail -1)
	printf 'ok      (%s)\n' "${line#*→ }"
	level=$(grep -oE '[0-9]+\.[0-9]' <<<"$line" | head -1)
	[ -n "$level" ] && [ "${level/./}" -le 30 ]
}
hardened_now=$(hardened) && grade=true || grade=false
printf '%s\n' "$hardened_now"
is_true "systemd-analyze security: exposure of at most 3.0" $grade
logs() { journal | finds 'ready'; }
is_true "its lines are in the journal" logs
fields() {
	[ -n "$(journal SALLYPORT_ROLE=sallyportd)" ] &&
		[ -n "$(journal SALLYPORT_ROLE='worker 0' SALLYPORT_NAME=phones)" ]
}
is_true "its lines have fields in the journal, those of its children too" fields
children() { [ "$(pgrep -u sallyport -f -c -- --role=)" -ge 4 ]; }
is_true "its processes run under their account" children

# reload
reloads() {
	printf 'device "SEP000000000001" {\n\tlines = { "1" }\n}\n' \
		>"$ETC"/conf.d/one.conf
	local pid
	pid=$(main_pid)
	timeout 60 systemctl reload $S && [ "$(main_pid)" = "$pid" ] &&
		journal | finds 'devices-added=1'
}
is_true "systemctl reload takes a new device, the process stays" reloads
breaks() {
	printf 'nonsense = 1\n' >"$ETC"/conf.d/one.conf
	! timeout 60 systemctl reload $S 2>/dev/null && is_active &&
		journal | finds 'conf.d/one.conf:1: unknown option'
}
is_true "a broken file fails the reload, and the service goes on" breaks
rm "$ETC"/conf.d/one.conf

# killed
killed() {
	local pid
	pid=$(main_pid)
	kill -9 "$pid"
	another() { [ "$(main_pid)" != "$pid" ] && is_active && sallyportctl status; }
	within 90 another
}
is_true "killed, it is started again" killed
child_killed() {
	local pid old
	pid=$(main_pid)
	old=$(pgrep -P "$pid" -f role=worker | head -1)
	kill -9 "$old"
	served() {
		[ "$(main_pid)" = "$pid" ] && ! kill -0 "$old" 2>/dev/null &&
			sallyportctl --json status | finds '"worker 0"' &&
			journal | finds 'killed by signal 9'
	}
	within 60 served
}
is_true "a worker is killed: the monitor alone sees to it" child_killed

# hangs
child_hangs() {
	local pid old
	pid=$(main_pid)
	old=$(pgrep -P "$pid" -f role=media | head -1)
	kill -STOP "$old"
	replaced() { ! kill -0 "$old" 2>/dev/null && is_active; }
	within 150 replaced && [ "$(main_pid)" = "$pid" ] &&
		journal | finds 'media process does not answer'
}
is_true "a process that hangs is killed and started anew" child_hangs
monitor_hangs() {
	local pid
	mkdir -p /run/systemd/system/$S.service.d
	printf '[Service]\nWatchdogSec=10\n' \
		>/run/systemd/system/$S.service.d/soon.conf
	systemctl daemon-reload
	timeout 120 systemctl restart $S || return 1
	pid=$(main_pid)
	sleep 12 # longer than the watchdog: it is fed
	[ "$(main_pid)" = "$pid" ] || { echo "not fed"; return 1; }
	kill -STOP "$pid"
	another() { [ "$(main_pid)" != "$pid" ] && is_active && sallyportctl status; }
	within 120 another && journalctl -q -o cat | finds 'Watchdog timeout'
}
is_true "a monitor that hangs trips the watchdog and is started again" \
	monitor_hangs

rules() { nft -c -f "$(find /usr -name nftables.conf.example | head -1)"; }
is_true "the nftables example is accepted by the kernel" rules
stops() {
	timeout 60 systemctl stop $S &&
		[ "$(systemctl show -P Result $S)" = success ] &&
		! pgrep -f sallyportd.*--role=
}
is_true "it stops in order, and nothing is left" stops
sentences_end
