#!/bin/bash
# A full disk, a damaged store, files with the wrong owner or mode: the daemon
# says clearly what is wrong, and serves where it can.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-broken
needs sallyport_pki
needs sipp_pki
needs sallyport_config "" "$(sipp_devices)"
needs kamailio_start
conf=$DIR/etc/sallyport/sallyport.conf
key=$DIR/etc/sallyport/keys/server.key
log=$DIR/log/sallyportd
serves() { wait_for 15 "service" phone_c_registers; }

# refuses_to_start PATTERN: it ends by itself, and the log says PATTERN
refuses_to_start() {
	local status
	in_ns sp timeout 10 "$BUILD/src/sallyportd" -c "$conf" \
		>"$log" 2>&1 </dev/null
	status=$?
	cat "$log"
	[ "$status" != 0 ] && [ "$status" != 124 ] && grep -qE "$1" "$log"
}

# --- keys and certificates ---
chmod 644 "$key"
is_true "a key others can read is refused by name" \
	refuses_to_start 'keys/server.key.*readable by others'
chmod 600 "$key"
cp "$key" "$DIR/saved.key"
echo "not a key" >"$key"
is_true "a key that is none is refused by name" \
	refuses_to_start 'keys/server.key'
cp "$DIR/pki/$DEV_A.key" "$key"
is_true "a key of another certificate is refused" \
	refuses_to_start 'key|certificate'
cp "$DIR/saved.key" "$key"
echo garbage >"$DIR/etc/sallyport/trust/device/ca.pem"
no_trust() {
	refuses_to_start 'trust/device|ca.pem' ||
		grep -qE 'ca.pem|nobody can connect' "$log"
}
is_true "a trust directory without certificates is told" no_trust
cp "$DIR/pki/ca.crt" "$DIR/etc/sallyport/trust/device/ca.pem"

# --- configuration ---
cp "$conf" "$DIR/good.conf"
config_with() {
	sed "$1" "$DIR/good.conf" >"$conf"
	refuses_to_start "$2"
}
is_true "a line that is no configuration" \
	config_with '5s/^/}}} /' 'sallyport.conf:[0-9]+'
is_true "an address that is not ours" config_with \
	"s/tls:$SP_OUT:5061/tls:203.0.113.7:5061/" '203.0.113.7'
is_true "a port range that cannot be" config_with \
	's/20000-20999/20999-20000/' 'sallyport.conf:[0-9]+.*ports'
is_true "a user that does not exist" config_with \
	"s/^user = .*/user = \"nosuchuser\"/" 'nosuchuser'
cp "$DIR/good.conf" "$conf"

# --- the store ---
needs sallyport_start
needs sallyport_user "$USER_C" "$PASS_C"
needs stunnel_start stunnel-c "$DEV_C" 15061
is_true "with everything in order a phone registers" serves
is_true "it stops" stop sallyportd
db=$(find "$DIR/state" -type f -size +4k ! -name '*-wal' ! -name '*-shm' |
	head -1)
cp -p "$db" "$DIR/saved.db"
damage() {
	dd if=/dev/urandom of="$db" bs=1024 seek=1 count=8 conv=notrunc \
		2>/dev/null
	sallyport_start || true
	cat "$log"
	grep -qE 'store.*(damaged|corrupt|malformed|not a database)' "$log"
}
is_true "a damaged store is told" damage
not_accepted() { ! phone_c_registers; }
is_true "and nobody is let in without credentials" not_accepted
alive() { ctl status && listens sp t "$SP_OUT:5061"; }
stop sallyportd
rm -f "$db-wal" "$db-shm"
head -c 5000 /dev/urandom >"$db"
chown "$SALLYPORT_USER" "$db"
is_true "a store that is no database is told" damage
stop sallyportd
rm -f "$db-wal" "$db-shm"
cp -p "$DIR/saved.db" "$db"
needs sallyport_start
is_true "with the old store back a phone registers" serves
stop sallyportd

# --- a full disk ---
tiny_disk() {
	mkdir -p "$DIR/tiny"
	mount -t tmpfs -o size=160k,mode=700 tmpfs "$DIR/tiny" &&
		cp -p "$DIR"/state/*.db "$DIR"/state/*.key "$DIR/tiny"/ &&
		chown "$SALLYPORT_USER:$SALLYPORT_GROUP" "$DIR/tiny" &&
		sed -i "s|^state-directory.*|state-directory = \"$DIR/tiny\"|" \
			"$conf"
}
is_true "the state moves to a tiny disk" tiny_disk
trap 'umount "$DIR/tiny"; net_end' EXIT
needs sallyport_start
no_journal() { grep "srtp.idx: No space left on device: kept in memory" "$log"; }
is_true "a disk too small for the journal of SRTP indices is told" no_journal
is_true "and phones register" serves
dd if=/dev/zero of="$DIR/tiny/fill" bs=1k 2>/dev/null
add_many() {
	local i
	for i in $(seq 200); do
		printf 'x%s\n' "$i" | ctl user add "user-$i-$(printf '%040d' 0)" \
			>"$DIR/add" 2>&1 || break
	done
	cat "$DIR/add" "$log"
	grep -qiE 'full|space' "$DIR/add" "$log"
}
is_true "a user that cannot be stored is refused with the reason" add_many
is_true "phones still register" serves
rm -f "$DIR/tiny/fill"
is_true "with room again users can be added" sallyport_user later later-1
stop sallyportd
umount "$DIR/tiny" || umount -l "$DIR/tiny"
trap net_end EXIT
no_secrets() {
	! grep -rE "$PASS_C|PRIVATE KEY|BEGIN RSA" "$log"
}
is_true "no password or key is in its log" no_secrets
test_end
