#!/bin/bash
# The SCCP peers by themselves: phones straight at the call manager, plain, in
# every protocol version and as servers of every age send it; tshark reads every
# message. What these say of Sallyport is worth what they are worth here.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-sccp-peers
HERE=$PHONE_X # the call managers are on the phones' wire

# first listed are the forms of old servers, then every version from 3 on
KINDS=(3-cm2 3-cm3 5-cm4 11-cm7)
for v in 3 5 8 9 10 11 15 16 17 18 19 20 21 22; do KINDS+=("$v-new"); done

capture() { spawn tcpdump lan tcpdump -i br0 -n -U --immediate-mode -Z root \
	-B 16384 -w "$DIR/$1.pcap" tcp; }
needs capture versions
needs wait_for 10 "tcpdump" grep -q 'listening on' "$DIR/log/tcpdump"

# kind_start N: a call manager and two phones of KINDS[N]
kind_start() {
	local version=${KINDS[$1]%-*} form=${KINDS[$1]#*-} port=$((2000 + $1))
	sccp_cm "cm$1" px "$HERE:$port" --version "$version" --form "$form" \
		--line "SEP001122334401=2001" --line "SEP001122334402=2002" \
		--music --time 120
	sccp_phone "a$1" pa --server "$HERE:$port" --name SEP001122334401 \
		--version "$version" --time 120
	sccp_phone "b$1" pb --server "$HERE:$port" --name SEP001122334402 \
		--version "$version" --time 120 --answer
}
for i in "${!KINDS[@]}"; do needs kind_start "$i"; done

# one call; RTP both ways before hold, none of the call itself while it lasts,
# both ways after it
kind_call() {
	local shows="wait security=1 5"
	# a short CallInfo ends before its security status
	case ${KINDS[$1]} in *-cm[234]) shows= ;; esac
	sccp_do "b$1" 20 "wait registered 15" &&
		sccp_do "a$1" 60 "wait registered 15" "dial 2002" \
			"wait state=connected 15" "wait media=20 15" \
			"$shows" "hold" "wait state=hold 10" \
			"wait silent 10" &&
		sccp_do "b$1" 20 "wait media=10 15" &&
		sccp_do "a$1" 60 "resume" "wait state=connected 10" \
			"wait media=20 15" "expect rtp" "expect refused=5" \
			"hangup" "wait idle 10" "wait silent 5" &&
		sccp_do "b$1" 20 "wait idle 10" "wait silent 5"
}
jobs=()
for i in "${!KINDS[@]}"; do
	(kind_call "$i"; echo "status $?") >"$DIR/call$i" 2>&1 &
	jobs+=($!)
done
wait "${jobs[@]}"
kind_called() { cat "$DIR/call$1"; grep -qx 'status 0' "$DIR/call$1"; }
for i in "${!KINDS[@]}"; do
	is_true "version ${KINDS[$i]}: registered, called, held, resumed, RTP both ways" \
		kind_called "$i"
done

agreed() {
	local i version
	for i in "${!KINDS[@]}"; do
		version=${KINDS[$i]%-*}
		grep -q "SEP001122334401 registered version=$version " \
			"$DIR/log/a$i" || { echo "${KINDS[$i]}"; return 1; }
	done
}
is_true "each agreed on its version" agreed
for i in "${!KINDS[@]}"; do sccp_end "a$i" "b$i" "cm$i"; done
stop tcpdump

clean() { ! grep -h MALFORMED "$DIR"/log/{a,b,cm}[0-9]*; }
is_true "the peers decode each other's messages to the last byte" clean

judged() {
	SCCP_PORTS=2000-2020 sccp_judge "$DIR/versions.pcap" >"$DIR/judged"
	local status=$? seen sent
	cat "$DIR/judged"
	seen=$(awk '/ messages, / { print $1 }' "$DIR/judged")
	sent=$(cat "$DIR"/log/cm[0-9]* | grep -cE '^ *[0-9.]+ [^ ]+ [<>] ')
	echo "the call managers logged $sent"
	[ "$status" = 0 ] && [ "$seen" = "$sent" ]
}
is_true "tshark decodes every message, and none is malformed but those listed" \
	judged

misread() { grep -qE ', [1-9][0-9]* misread' "$DIR/judged"; }
is_true "the short forms of old servers were among them" misread

# --- three phones and two call managers -----------------------------------
both_cms() {
	sccp_cm one px "$HERE:2000" --keepalive 1 --secondary 1 --time 120
	sccp_cm two px "$HERE:2001" --keepalive 1 --secondary 1 --time 120
	for p in a:pa:01 b:pb:02 c:pb:03; do
		sccp_phone "${p%%:*}" "$(cut -d: -f2 <<<"$p")" \
			--server "$HERE:2000" --server "$HERE:2001" \
			--name "SEP0011223344${p##*:}" --answer --retry 500 \
			--time 120
		sccp_do "${p%%:*}" 20 "wait registered 15"
	done
}
needs capture calls
needs wait_for 10 "tcpdump" grep -q 'listening on' "$DIR/log/tcpdump"
needs both_cms

transferred() {
	sccp_do a 60 "dial 4402" "wait state=connected 10" "wait media=5 10" \
		"transfer" "wait state=off-hook 10" "digits 4403" "sleep 0.5" \
		"wait state=connected 10" "wait media=5 10" "transfer" \
		"wait idle 10" &&
		sccp_do b 20 mark "wait media=10 10" &&
		sccp_do c 20 mark "wait media=10 10" "hangup" "wait idle 5" &&
		sccp_do b 20 "wait idle 5"
}
is_true "a transfer leaves the other two with each other" transferred

conferred() {
	sccp_do a 60 "dial 4402" "wait state=connected 10" "wait media=5 10" \
		"conference" "wait state=off-hook 10" "digits 4403" "sleep 0.5" \
		"wait state=connected 10" "wait media=5 10" "conference" \
		"wait calls=1 10" mark "wait media=20 10" &&
		sccp_do b 20 mark "wait media=20 10" &&
		sccp_do c 20 mark "wait media=20 10" "hangup" "wait idle 5" &&
		sccp_do b 20 mark "wait media=20 10" "hangup" "wait idle 5" &&
		sccp_do a 20 "wait idle 5" "wait silent 5"
}
is_true "a conference is mixed for three, and ends with the last two" conferred

needs stop one
gone() { grep -q 'closed server=0' "$DIR/log/c"; }
needs wait_for 10 "the phones to see it" gone
failed_over() {
	for p in a b c; do
		sccp_do "$p" 30 "wait registered 15" || return 1
		grep -qE 'registered .*server=1' "$DIR/log/$p" || return 1
	done
	sccp_do a 30 "dial 4402" "wait state=connected 10" "wait media=10 10" \
		"hangup" "wait idle 10"
}
is_true "they go to the second when the first is gone" failed_over

needs sccp_cm one px "$HERE:2000" --keepalive 1 --token-wait 1 --time 60
again_at_first() {
	[ "$(grep -c ' registered .*server=0' "$DIR/log/$1")" = 2 ]
}
failed_back() {
	wait_for 15 "a token refused" grep -q 'token refused' "$DIR/log/a" ||
		return 1
	sccp_do one 5 "token-wait 0"
	for p in a b c; do
		wait_for 15 "$p is back" again_at_first "$p" || return 1
	done
	grep -q 'SEP001122334401 unregistered' "$DIR/log/two"
}
is_true "and back, by token, when it says so" failed_back

# --- a SIP phone ------------------------------------------------------------
needs sccp_cm both px "$HERE:2010" --sip "$HERE:5060" \
	--sip-phone "9100=$PHONE_B:5090" --time 60
needs sccp_phone d pa --server "$HERE:2010" --name SEP001122334404 --answer \
	--time 60
needs sccp_do d 15 "wait registered 10"
sipp_echo() {
	TERM=dumb spawn "$1" pb sipp "${@:2}" -i "$PHONE_B" -mi "$PHONE_B" \
		-mp 45000 -rtp_echo -nostdin
}
needs sipp_echo uas -sn uas -p 5090
needs wait_for 10 "SIPp" listens pb u "$PHONE_B:5090"
to_sip() {
	sccp_do d 40 "dial 9100" "wait state=connected 10" "wait media=20 10" \
		"hold" "wait state=hold 5" "wait silent 5" "resume" \
		"wait state=connected 5" "wait media=20 10" "hangup" \
		"wait idle 5" "wait silent 5" && sleep 0.3 &&
		! grep -q ' legs=[1-9]' <(sccp_do both 5 status; cat "$DIR/log/both")
}
is_true "an SCCP phone calls a SIP phone; hold and resume are re-INVITEs" to_sip
needs stop uas
from_sip() {
	in_ns pb env TERM=dumb timeout 30 sipp "$HERE:5060" -sn uac -s 4404 \
		-p 5091 -i "$PHONE_B" -mi "$PHONE_B" -mp 45002 -rtp_echo \
		-m 1 -d 1500 -nostdin >"$DIR/log/uac" 2>&1 || return 1
	sccp_do d 10 "wait idle 5" &&
		[ "$(grep -c 'ended sent=[1-9].* received=[1-9]' "$DIR/log/d")" -ge 3 ]
}
is_true "and is called by one, with RTP both ways" from_sip

is_true "no message of these was malformed" eval \
	'! grep -h MALFORMED "$DIR"/log/{a,b,c,d,one,two,both}'
sccp_end a b c d one two both
stop tcpdump
calls_judged() { SCCP_PORTS=2000-2010 sccp_judge "$DIR/calls.pcap"; }
is_true "tshark has nothing to say about them" calls_judged
test_end
