#!/bin/bash
# Devices by the thousand: from a CSV file into the store of a running daemon,
# all or nothing, and out of it again.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-devices
needs sallyport_pki
needs sipp_pki
needs sallyport_config 'limits {
	message-rate = 100000
	message-burst = 100000
	transactions = 60000
}' 'listener "plain" {
	address = "udp:'"$SP_OUT"':5060"
}'
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061

csv=$DIR/devices.csv
says() {
	local out pattern=$1
	shift
	out=$("$@" 2>&1) || { printf '%s\n' "$out"; return 1; }
	grep -q -- "$pattern" <<<"$out" || { printf '%s\n' "$out"; return 1; }
}
# refuses PATTERN COMMAND...: COMMAND fails and says it
refuses() {
	local out pattern=$1
	shift
	if out=$("$@" 2>&1); then
		printf 'it was taken: %s\n' "$out"
		return 1
	fi
	grep -q -- "$pattern" <<<"$out" || { printf '%s\n' "$out"; return 1; }
}
c_is_refused() { ! phone_c_registers >/dev/null; }
devices() { ctl --json device export | grep -c SEP; }

is_true "a device that nobody configured cannot register" c_is_refused
add() {
	says '"devices-added": 1' ctl --json device add "$DEV_C" \
		"lines=$USER_C" digest=yes "digest-user=$USER_C"
}
is_true "device add puts it into the store" add
is_true "it registers" phone_c_registers
is_true "a second one of that name is refused" \
	refuses 'is in the store already' ctl device add "$DEV_C"
is_true "a device of a file is not deleted here" \
	refuses 'stands in a file' ctl device delete "$DEV_A"

wrong() {
	printf '%s\r\n' 'name,lines,security-mode' \
		'SEP0000000000A1,"5001 5002",encrypted' \
		'SEP0000000000A2,5003,secure' >"$csv"
	refuses "devices.csv:3: .*security-mode: expected nonsecure, authenticated or encrypted, got \"secure\"" \
		ctl device import "$csv" || return 1
	sed -i 's/A2,5003,secure/A1,5003,nonsecure/' "$csv"
	refuses 'devices.csv:3: .*is there already at line 2' \
		ctl device import "$csv"
}
is_true "mistakes are told with file, line and what is allowed" wrong
unknown() {
	printf 'name,line\nX,1\n' | refuses 'did you mean lines' \
		ctl device import - &&
		printf 'name;lines\nX;1\n' |
		refuses 'columns are separated by commas' ctl device import - &&
		printf 'name,lines\nX,"1\n' |
		refuses ':2: column 2: the line ends inside quotes' \
			ctl device import -
}
is_true "so are an unknown column, semicolons and an open quote" unknown
nothing() { phone_c_registers && ! ctl --json device export | finds 5001; }
is_true "nothing of it was taken" nothing

good() {
	printf '%s\n' 'lines,name,description' '"5001 5002",SEP0000000000A1,"Hall, ""left"""' >"$csv"
	says '"devices-added": 1' ctl --json device import --dry-run "$csv" &&
		! ctl --json device export | finds 5001 &&
		says '"devices-added": 1' ctl --json device import "$csv" &&
		says '"devices-added": 0' ctl --json device import "$csv" &&
		phone_c_registers
}
is_true "an import adds to what is there; --dry-run only tells" good
hidden() {
	printf 'name,lines\n%s,5009\n' "$DEV_A" >"$csv"
	says "$DEV_A.*does not count, since the one at .*sallyport.conf:[0-9]* does" \
		ctl --json device import "$csv"
}
is_true "a device of a file hides one of the store, with a warning" hidden
round() {
	ctl device export >"$DIR/first.csv" &&
		ctl device import --replace "$DIR/first.csv" &&
		ctl device export >"$DIR/second.csv" &&
		diff "$DIR/first.csv" "$DIR/second.csv" && phone_c_registers
}
is_true "what export prints can be imported, and means the same" round

awk 'BEGIN { print "name,lines,security-mode,description"
	for (i = 1; i <= 29990; i++)
		printf "SEP%012X,%s,%s,phone %d\n", i,
			i % 3 ? 100000 + i : "7" (i / 3),
			i % 3 ? "encrypted" : "nonsecure", i }' >"$csv"
many() {
	local start end
	start=$(date +%s%3N)
	# one of them is there already
	says '"devices-added": 29989' ctl --json device import "$csv" || return 1
	end=$(date +%s%3N)
	printf '%d\n' $((end - start)) >"$DIR/took"
}
is_true "29,990 devices are imported at once" many
printf '        (in %s ms, taken up by all workers)\n' "$(cat "$DIR/took")"
seconds() { [ "$(cat "$DIR/took")" -lt 15000 ]; }
is_true "in seconds" seconds
is_true "the device of before still registers" phone_c_registers
all_rows() { [ "$(ctl --json devices | grep -c '"description"')" -ge 29990 ]; }
is_true "devices shows all of them" all_rows
# 9,996 phones register by datagrams, so that some are lost and come again
register_many() {
	local i
	for i in 1 2 3 4 5 6; do
		printf '%s\r\n' "REGISTER sip:$SP_OUT SIP/2.0" \
			"Via: SIP/2.0/UDP $PHONE_X:5999;branch=z9hG4bKmany@N@;rport" \
			"From: <sip:7@N@@$SP_OUT>;tag=@N@" "To: <sip:7@N@@$SP_OUT>" \
			"Call-ID: many-@N@" "CSeq: 1 REGISTER" "Max-Forwards: 70" \
			"Contact: <sip:7@N@@$PHONE_X:5999>" "Content-Length: 0" "" |
			in_ns px "$LIB/forge.pl" say "$PHONE_X:5999" \
				"$SP_OUT:5060" 9996
		[ "$(ctl --json registrations | grep -c '"aor"')" -ge 9996 ] && return
	done
	ctl status
	return 1
}
is_true "9,996 telephones register, and registrations shows them all" \
	register_many
one_of_them() {
	[ "$(ctl --json registrations --line 79000 | grep -c '"aor"')" = 1 ] &&
		[ "$(ctl registrations | wc -l)" -ge 9997 ]
}
is_true "filtered, and as a table" one_of_them
limit() {
	refuses 'too many' ctl device import - < <(
		awk 'BEGIN { print "name,lines"; for (i = 1; i <= 30000; i++)
			printf "SEPF%011X,%d\n", i, 200000 + i }')
}
is_true "30,000 more are over the limit: refused" limit
restarts() {
	stop sallyportd
	sallyport_start && phone_c_registers &&
		says 'SEP00000000752' ctl device export
}
is_true "they outlive a restart, and are there when it is ready" restarts
deleted() {
	says '"devices-removed": 1' ctl --json device delete "$DEV_C" &&
		! registered "$DEV_C" && c_is_refused
}
is_true "device delete ends registrations" deleted
store_dies() {
	local old
	old=$(role_pid store)
	is_ours "$old" && kill -9 "$old"
	wait_for 20 "another store" says 'no such device' bash -c \
		"! '$BUILD/src/sallyportctl' -s '$DIR/control.sock' device delete NONE 2>&1"
	wait_for 20 "a change" ctl device add "$DEV_C" "lines=$USER_C" \
		digest=yes "digest-user=$USER_C" && phone_c_registers
}
is_true "the store is killed: changes go on with its successor" store_dies
test_end
