#!/bin/bash
# The configuration changes while two real phones talk: the call goes on, new
# devices may register, removed ones may not, and mistakes change nothing.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-reload
needs sallyport_pki
needs sipp_pki
needs sallyport_config
needs kamailio_start
needs sallyport_start
for u in "$USER_A $PASS_A" "$USER_B $PASS_B" "$USER_C $PASS_C"; do
	# shellcheck disable=SC2086
	needs sallyport_user $u
done
needs stunnel_start stunnel-c "$DEV_C" 15061
needs baresip_start
needs linphone_start
needs wait_for 20 "$DEV_A registers" registered "$DEV_A"
needs wait_for 20 "$DEV_B registers" registered "$DEV_B"

conf=$DIR/etc/sallyport/sallyport.conf
extra=$DIR/etc/sallyport/conf.d/extra.conf
mkdir -p "$DIR/etc/sallyport/conf.d"

# says PATTERN COMMAND...: COMMAND succeeds and says it
says() {
	local out pattern=$1
	shift
	out=$("$@" 2>&1) || { printf '%s\n' "$out"; return 1; }
	grep -q -- "$pattern" <<<"$out" || { printf '%s\n' "$out"; return 1; }
}
talks() { calls_up 2; }

is_true "two phones talk" call_a_to_b
c_is_refused() { ! phone_c_registers >/dev/null; }
is_true "a device that is not configured cannot register" c_is_refused

needs eval 'sipp_devices >"$extra"'
would() { says '"devices-added": 2' ctl --json check && c_is_refused; }
is_true "check tells what a reload would do, and does nothing" would
is_true "reload takes the new devices" says '"devices-added": 2' \
	ctl --json reload
is_true "a new device registers" phone_c_registers
is_true "the phones still talk" talks

# shares NAME: a certificate of all listeners, from files of this name
needs cert first ca server.second "dns_name = second.demo"
needs cert other ca server.second "dns_name = second.demo"
shares() {
	cp "$DIR/pki/$1.crt" "$DIR/etc/sallyport/certs/$1.pem"
	cp "$DIR/pki/$1.key" "$DIR/etc/sallyport/keys/$1.key"
	printf 'certificate "second" {
	file = "certs/%s.pem"
	key = "keys/%s.key"
}\n' "$1" "$1" >"$DIR/etc/sallyport/conf.d/second.conf"
}
# shows PORT NAME: so it does, to one that has none itself and is turned away
shows() {
	local got
	got=$(in_ns px timeout 10 openssl s_client -connect "$SP_OUT:$1" \
		-servername second.demo </dev/null 2>/dev/null || true)
	openssl x509 -outform DER <<<"$got" | cmp - <(openssl x509 \
		-in "$DIR/pki/$2.crt" -outform DER)
}
has_second() { shares first && reload_whole && shows 5061 first; }
is_true "all listeners get another certificate" has_second

# a listener more, which is there at once, also for the worker's successor; the
# shared certificate is another one at the same time
joins() {
	shares other
	printf 'listener "more" {
	address = "tls:%s:5064"
	certificate = "certs/server.pem"
	key = "keys/server.key"
	trust = "device"
}\n' "$SP_OUT" >"$DIR/etc/sallyport/conf.d/more.conf"
	reload_whole && finds '"listener \\"more\\" (new)"' <"$DIR/said" &&
		shows 5061 other && shows 5064 other
}
is_true "a new listener needs no restart" joins
needs stunnel_start stunnel-more "$DEV_C" 15064 5064
is_true "a phone registers there" phone_c_registers 15064
is_true "and where it did before" phone_c_registers
is_true "the phones still talk" talks

breaks() {
	local out
	cp "$extra" "$DIR/extra.good"
	printf 'device "%s" {\n\tlines = { "1" }\n\tnta = yes\n}\n' X1 >"$extra"
	if out=$(ctl reload 2>&1); then
		echo "it was taken"
		return 1
	fi
	printf '%s\n' "$out"
	grep -q 'extra.conf:3: device: unknown option "nta", did you mean "nat"' \
		<<<"$out" && grep -q 'extra.conf:3: .*nta' "$DIR/log/sallyportd"
}
is_true "a broken file is refused with file and line, and logged" breaks
is_true "and all is as it was" phone_c_registers
is_true "the phones still talk after it" talks
needs mv "$DIR/extra.good" "$extra"

restart_needed() {
	sed -i 's/^	address = "tls:.*5061"/	address = "tls:'"$SP_OUT"':5099"/
		s/^log-level = info/log-level = debug/' "$conf"
	says '"listener \\"phones\\": address"' ctl --json reload &&
		says '"listener \\"phones\\": address"' ctl --json reload &&
		phone_c_registers
}
is_true "what needs a restart is named each time, the rest taken" \
	restart_needed
is_debug() { grep -q 'debug:' "$DIR/log/sallyportd"; }
is_true "the log level is another" is_debug

reset_named() {
	sed -i 's/lines = { "'"$USER_C"'" }/lines = { "'"$USER_C"'", "2999" }/' \
		"$extra"
	says "\"$DEV_C\"" ctl --json reload
}
is_true "a device whose phone must be reset is named" reset_named

removed() {
	rm "$extra"
	kill -HUP "$(cat "$DIR/pid/sallyportd")"
	wait_for 10 "the reload" grep -q 'devices-removed=2' \
		"$DIR/log/sallyportd" &&
		! registered "$DEV_C" && c_is_refused
}
is_true "SIGHUP reloads too: a removed device is unregistered and refused" \
	removed
is_true "the phones still talk after that" talks

# baresip's own device goes while it talks: its call goes on and it may hang up
talker_removed() {
	awk -v dev="device \"$DEV_A\"" 'index($0, dev) { skip = 1 }
		!skip { print } /^}/ { skip = 0 }' "$conf" >"$DIR/conf.new" &&
		mv "$DIR/conf.new" "$conf"
	says '"devices-removed": 1' ctl --json reload &&
		! registered "$DEV_A" && talks
}
is_true "a device is removed while it talks: the call goes on" talker_removed
no_new_call() {
	local from
	from=$(lines "$DIR/log/baresip")
	baresip_cmd dial "sip:$USER_B@$SP_OUT" >/dev/null
	wait_for 10 "a refusal" said "$DIR/log/baresip" "$from" '403 Forbidden'
	baresip_cmd hangup >/dev/null # the call that is not there
	baresip_cmd callfind 1 >/dev/null
}
is_true "its new call is refused" no_new_call
hangs_up() {
	baresip_cmd hangupall >/dev/null
	wait_for 15 "the calls have ended" no_calls
}
is_true "it may hang up" hangs_up
gone() { ! in_ns sp ss -Hnt state established src "$SP_OUT:5061" dst "$PHONE_A" | finds .; }
is_true "then its connection is closed" wait_for 10 "the connection ends" gone

needs eval 'sipp_devices >"$extra"'
needs ctl reload
successor() { worker_again && phone_c_registers 15064; }
is_true "a worker that is started anew serves the new listener" successor

# what cannot be listened to: the new key must not take the old one's place
unbound() {
	shares first
	printf 'listener "lost" {
	address = "tls:192.0.2.222:5065"
	certificate = "certs/server.pem"
	key = "keys/server.key"
	trust = "device"
}\n' >"$DIR/etc/sallyport/conf.d/lost.conf"
	for _ in 1 2; do
		if ctl reload; then return 1; fi
	done
	shows 5061 other && shows 5064 other && worker_again &&
		shows 5061 other && shows 5064 other
}
is_true "an address that is not ours is refused, with the keys beside it" unbound
needs rm "$DIR/etc/sallyport/conf.d/lost.conf"
is_true "without it, it is taken" eval 'ctl reload >/dev/null && shows 5061 first'
test_end
