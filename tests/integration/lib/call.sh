# One call between the two real phones, captured on both sides of Sallyport and
# proved from the captures.

# capture_start NAME: out0, in0 and lo of namespace sp into $DIR/cap/NAME-*.pcap
capture_start() {
	local i
	mkdir -p "$DIR/cap"
	for i in out0 in0 lo; do
		spawn "tcpdump-$i" sp tcpdump -i "$i" -n -U --immediate-mode -Z root -B 8192 \
			-w "$DIR/cap/$1-$i.pcap"
	done
	for i in out0 in0 lo; do
		wait_for 10 "tcpdump on $i" \
			grep -q 'listening on' "$DIR/log/tcpdump-$i"
	done
}

capture_stop() {
	sleep 0.3 # what is under way
	stop tcpdump-out0
	stop tcpdump-in0
	stop tcpdump-lo
}

# said FILE FROM PATTERN: FILE has PATTERN after its line number FROM
said() { tail -n "+$(($2 + 1))" "$1" | finds -aE "$3"; }
lines() { wc -l <"$1"; }

# calls_up N: sallyportd shows N established calls
calls_up() { [ "$(ctl --json calls | grep -o '"established"' | wc -l)" = "$1" ]; }
no_calls() { ! ctl --json calls | finds '"state"'; }

# registered DEVICE: sallyportd has a registration of that device
registered() { ctl --json registrations | finds "\"$1\""; }

# echo_start: an endpoint inside that is no phone of ours and says again what it
# hears; kamailio finds it as 9100
echo_start() {
	TERM=dumb spawn echo cm sipp -sn uas -i "$CM" -p 5090 -mi "$CM" \
		-mp 45000 -rtp_echo -nostdin
	wait_for 10 "the echo listens" listens cm u "$CM:5090"
}

# call_a_to_echo: established when it returns; hang up with call_end
call_a_to_echo() {
	baresip_cmd dial "sip:9100@$SP_OUT" >/dev/null
	wait_for 15 "baresip talks to the echo" calls_up 1
}

# call_a_to_b, call_b_to_a: dial, ring, answer; hang up with call_end
call_a_to_b() {
	local from
	from=$(lines "$DIR/log/linphone")
	baresip_cmd dial "sip:$USER_B@$SP_OUT" >/dev/null
	wait_for 15 "linphone rings" said "$DIR/log/linphone" "$from" \
		'Receiving new incoming call' || return 1
	sleep 0.5
	linphone_cmd answer
	wait_for 15 "both phones talk" calls_up 2
}

call_b_to_a() {
	local from
	from=$(lines "$DIR/log/baresip")
	linphone_cmd "call sip:$USER_A@$SP_OUT"
	wait_for 15 "baresip rings" said "$DIR/log/baresip" "$from" \
		'^INVITE sip' || return 1
	sleep 1
	baresip_cmd accept >/dev/null
	wait_for 15 "both phones talk" calls_up 2
}

call_end() {
	baresip_cmd hangup >/dev/null
	wait_for 15 "the calls have ended" no_calls
}

# streams_of PHONE LOG LINE: the media directions in a phone's SIP log from that
# line on, with all keys that they had
streams_of() {
	tail -n "+$(($3 + 1))" "$2" |
		awk -v name="$1" -v sallyport="$SP_OUT" -f "$LIB/../streams.awk"
}

# capture_prove NAME [MODE]: srtpcheck on the captures of NAME with the streams
# in $DIR/cap/NAME.streams
capture_prove() {
	# shellcheck disable=SC2086 # empty is none
	"$BUILD/tests/integration/srtpcheck" ${2:-} "$DIR/cap/$1.streams" \
		"$SP_OUT" "$DIR/cap/$1-out0.pcap" "$DIR/cap/$1-in0.pcap" \
		"$DIR/cap/$1-lo.pcap"
}

# call_prove NAME BARESIP-LINE LINPHONE-LINE [MODE]: srtpcheck on the captures of
# NAME with the keys of the phones' own SIP logs from these lines on. MODE:
# --end-to-end (default), --joined, --inside where the call manager relays, or
# --mixed where the capture begins before the call, whose keys change
call_prove() {
	local mode=${4:---end-to-end} want=4
	{
		streams_of baresip "$DIR/log/baresip" "$2"
		streams_of linphone "$DIR/linphone/log" "$3"
	} >"$DIR/cap/$1.streams"
	[ "$mode" != --inside ] || want=2 # of baresip alone
	if [ "$(wc -l <"$DIR/cap/$1.streams")" -lt $want ]; then
		echo "the phones' logs do not show $want media directions"
		return 1
	fi
	[ "$mode" != --inside ] || mode=
	capture_prove "$1" "$mode"
}
