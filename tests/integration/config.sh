#!/bin/bash
# The daemon as it is installed, checked and watched by a service manager.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-config
needs sallyport_pki
needs sallyport_config
conf=$DIR/etc/sallyport/sallyport.conf
daemon=$BUILD/src/sallyportd

is_true "sallyportd -n accepts the configuration" "$daemon" -c "$conf" -n

prints_back() {
	"$daemon" -c "$conf" -nv >"$DIR/printed" &&
		grep -q "SEP001122334401" "$DIR/printed" &&
		cp "$DIR/printed" "$DIR/etc/sallyport/printed.conf" &&
		"$daemon" -c "$DIR/etc/sallyport/printed.conf" -nv |
		diff "$DIR/printed" -
}
is_true "-nv prints it back, and what it prints means the same" prints_back

teaches() {
	local out
	sed "s/^log-level = info/log-levle = info/" "$conf" \
		>"$DIR/etc/sallyport/bad.conf"
	out=$("$daemon" -c "$DIR/etc/sallyport/bad.conf" -n 2>&1) && return 1
	printf '%s\n' "$out"
	grep -q 'bad.conf:[0-9]*:.*log-level' <<<"$out"
}
is_true "an unknown option is refused with file, line and the nearest name" \
	teaches

nobody() {
	sed 's/^user = .*/user = "nobody-at-all"/' "$conf" \
		>"$DIR/etc/sallyport/bad.conf"
	grep -q nobody-at-all "$DIR/etc/sallyport/bad.conf" &&
		"$daemon" -c "$DIR/etc/sallyport/bad.conf" -n 2>&1 |
		finds 'warning: user: no account "nobody-at-all"'
}
is_true "-n says when there is no such account" nobody

missing_key() {
	mv "$DIR/etc/sallyport/keys/server.key" "$DIR/server.key"
	! timeout 10 "$daemon" -c "$conf" </dev/null
	local status=$?
	mv "$DIR/server.key" "$DIR/etc/sallyport/keys/server.key"
	return "$status"
}
is_true "it does not start without its key" missing_key

# a service manager's socket
notified() { grep -q "$1" "$DIR/log/notify"; }
needs spawn notify sp "$BUILD/tests/integration/notifysock" "$DIR/notify.sock"
needs wait_for 5 "the socket" test -S "$DIR/notify.sock"
start_notifying() { NOTIFY_SOCKET=$DIR/notify.sock sallyport_start; }
is_true "it starts" start_notifying
is_true "it says READY=1 to the service manager" \
	wait_for 5 READY notified '^READY=1'
serves() { listens sp t "$SP_OUT:5061" && ctl status; }
is_true "by then it listens and answers" serves
is_true "SIGTERM ends it" stop sallyportd
is_true "it says STOPPING=1" wait_for 5 STOPPING notified '^STOPPING=1'
left() { in_ns sp ss -Hlntu | grep -v '^$'; ! pgrep -f "$daemon.*$DIR"; }
is_true "no process of it is left" left

# what make install puts down
installs() {
	make -C "$BUILD" -s install DESTDIR="$DIR/dest" >"$DIR/log/install" 2>&1 ||
		{ tail -20 "$DIR/log/install"; return 1; }
	(cd "$DIR/dest" && find . -type f | sort)
}
installed() {
	local missing=0 f
	for f in sallyportd sallyportctl sallyport.conf sallyportd.service \
		sallyportd.8 sallyport.conf.5 sallyportctl.8; do
		find "$DIR/dest" -name "$f" | finds . ||
			{ echo "$f is not there"; missing=1; }
	done
	return $missing
}
is_true "make install DESTDIR= works" installs
is_true "and puts down programs, unit, manuals and configuration" installed
unit_is_valid() {
	local unit
	unit=$(find "$DIR/dest" -name sallyportd.service)
	# the unit names the final paths of programs; verify wants to see them
	sed "s|^\(Exec.*=\)[^ ]*/\(sallyport[a-z]*\)|\1$BUILD/src/\2|" \
		"$unit" >"$DIR/sallyportd.service"
	systemd-analyze verify --man=no "$DIR/sallyportd.service"
}
is_true "systemd-analyze verify accepts the unit" unit_is_valid
test_end
