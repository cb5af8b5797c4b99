#!/bin/bash
# Phones of every protocol version over TLS at Sallyport, in front of call
# managers of every age; then phones that do what no phone should.
. "$(dirname "$0")/lib/test.sh"
. "$LIB/sccp-phones.sh"

# version of two phones, call manager; old ones each have a listener (its
# address ends in) of their own
KINDS=(3-new 5-new 8-new 9-new 10-new 11-new 15-new 16-new 17-new 18-new 19-new
	20-new 21-new 22-new 11-cm2 11-cm3 17-cm4 17-cm7)
declare -A HOST=([new]=1 [cm2]=2 [cm3]=3 [cm4]=4 [cm7]=5)
name_of() { printf 'SEP0011223350%02d' "$1"; }

needs net_begin sp-sccp-versions
needs cert_ca ca
needs cert sallyport ca sallyport.demo "ip_address = $SP_OUT"
certificates() {
	local i
	for i in $(seq 1 $((2 * ${#KINDS[@]} + 3))); do
		sccp_cert "$(name_of "$i")" || return
	done
}
needs certificates
listeners() {
	local form n
	for form in new cm2 cm3 cm4 cm7; do
		n=${HOST[$form]}
		cat <<CFG
listener "skinny-$form" {
	address = "sccps:10.77.0.$n:2443"
	certificate = "certs/server.pem"
	key = "keys/server.key"
	trust = "device"
	sccp-managers = { "$form" }
}
sccp-manager "$form" { address = "$CM:$((1999 + n))" }
CFG
	done
	for n in $(seq 1 $((2 * ${#KINDS[@]} + 3))); do
		printf 'device "%s" {\n\tsecurity-mode = encrypted\n}\n' \
			"$(name_of "$n")"
	done
}
sections=$(listeners)
for n in 2 3 4 5; do
	needs ip -n "$NS-sp" addr replace "10.77.0.$n/24" dev out0
done
needs sallyport_config "" "$sections"
for form in new cm2 cm3 cm4 cm7; do
	needs sccp_cm "$form" cm "$CM:$((1999 + ${HOST[$form]}))" \
		--version 22 --form "$form" --music --time 200
done
needs sallyport_start
needs capture_start versions

pair_start() {
	local version=${KINDS[$1]%-*} host=10.77.0.${HOST[${KINDS[$1]#*-}]} n
	for n in $((2 * $1 + 1)) $((2 * $1 + 2)); do
		sccp_phone "p$n" "$([ $((n % 2)) = 1 ] && echo pa || echo pb)" \
			--server "$host:2443" --name "$(name_of "$n")" \
			--cert "$DIR/pki/$(name_of "$n").crt" \
			--key "$DIR/pki/$(name_of "$n").key" \
			--version "$version" --answer --time 200
	done
}
for i in "${!KINDS[@]}"; do needs pair_start "$i"; done
pair_call() {
	local a=p$((2 * $1 + 1)) b=p$((2 * $1 + 2)) lock="wait security=3 10"
	# their CallInfo ends before the security status
	case ${KINDS[$1]} in *-cm[234]) lock="sleep 0" ;; esac
	sccp_do "$b" 40 "wait registered 30" &&
		sccp_do "$a" 90 "wait registered 30" \
			"dial $(printf '50%02d' $((2 * $1 + 2)))" \
			"wait state=connected 20" "wait media=20 20" \
			"expect srtp" "$lock" hold "wait state=hold 15" \
			"wait silent 15" resume "wait state=connected 15" \
			"wait media=20 20" "expect srtp" "expect refused=5" \
			hangup "wait idle 15" "wait silent 10" &&
		sccp_do "$b" 30 "wait idle 15" "wait silent 10"
}
jobs=()
for i in "${!KINDS[@]}"; do
	(pair_call "$i"; echo "status $?") >"$DIR/call$i" 2>&1 &
	jobs+=($!)
done
wait "${jobs[@]}"
called() { cat "$DIR/call$1"; grep -qx 'status 0' "$DIR/call$1"; }
for i in "${!KINDS[@]}"; do
	is_true "version ${KINDS[$i]}: registered, called, held, resumed, SRTP both ways" \
		called "$i"
done
needs capture_stop

agreed() {
	local i want
	for i in "${!KINDS[@]}"; do
		want=${KINDS[$i]%-*}
		case ${KINDS[$i]} in
		*-cm[23]) want=3 ;;
		*-cm4) want=5 ;;
		*-cm7) want=11 ;;
		esac
		grep -q " registered version=$want " \
			"$DIR/log/p$((2 * i + 1))" || { echo "${KINDS[$i]}"; return 1; }
	done
}
is_true "each agreed on the version that both can" agreed
inside() { SCCP_PORTS=2000-2004 sccp_judge "$DIR/cap/versions-in0.pcap"; }
is_true "tshark finds nothing malformed inside but the old servers' forms" inside
outside() { sccp_judge "$DIR/cap/versions-out0.pcap" "skinny and tls"; }
is_true "nor outside" outside
decoded() { ! grep -h MALFORMED "$DIR"/log/{p[0-9]*,new,cm[2347]}; }
is_true "the peers decode all of it to the last byte" decoded

# --- phones that are none ------------------------------------------------------
for i in "${!KINDS[@]}"; do
	[ "$i" = 8 ] || needs sccp_end "p$((2 * i + 1))" "p$((2 * i + 2))"
done
EVIL=$((2 * ${#KINDS[@]} + 1))
# evil NAME OPTION... : with a good certificate, from the third network
evil() {
	local name=$1
	shift
	sccp_phone "$name" px --server "$SP_OUT:2443" \
		--name "$(name_of "$EVIL")" --cert "$DIR/pki/$(name_of "$EVIL").crt" \
		--key "$DIR/pki/$(name_of "$EVIL").key" --retry 60000 --time 60 "$@"
}
# put_out SENTENCE COMMAND...: registered, then COMMAND, and it is disconnected
put_out() {
	local sentence=$1
	shift
	needs evil evil
	is_true "$sentence" sccp_do evil 30 "wait registered 15" "$@" \
		"wait down 15"
	sccp_end evil
}
put_out "what only a call manager says ends the connection" \
	"msg StartMediaTransmission port=4000 ip=10.77.0.12"
put_out "so does garbage after a good start" "garbage 3000 5"
put_out "and a message longer than any" "oversize"
put_out "and one with a length of nothing" "raw 000000000000000000000000"
no_early() {
	in_ns px timeout 20 gnutls-cli --no-ca-verification --x509certfile \
		"$DIR/pki/$(name_of "$EVIL").crt" --x509keyfile \
		"$DIR/pki/$(name_of "$EVIL").key" "$SP_OUT" -p 2443 \
		< <(printf '\x0c\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0'; sleep 8) \
		>"$DIR/log/early" 2>&1
	! grep -q ' - < OffHook' "$DIR/log/new"
}
is_true "nothing gets inside before a registration" no_early
wrong_name() {
	sccp_phone wrong px --server "$SP_OUT:2443" --name "$(name_of 17)" \
		--cert "$DIR/pki/$(name_of "$EVIL").crt" \
		--key "$DIR/pki/$(name_of "$EVIL").key" --retry 60000 --time 60
	sccp_do wrong 20 "wait rejected 10"
}
is_true "nobody registers under another's name" wrong_name
needs stop wrong
flooded() {
	local legs
	evil flood
	sccp_do flood 20 "wait registered 15"
	sccp_do flood 60 "flood OffHook 20000" "sleep 1" || true
	stop flood
	legs=$(grep -c ' < OffHook' "$DIR/log/new")
	echo "$legs of 20000 went inside"
	[ "$legs" -lt 2000 ]
}
is_true "a flood of messages is not passed on" flooded
alive() {
	sccp_do p17 60 "wait registered 15" "dial 5018" \
		"wait state=connected 10" "wait media=25 10" "expect srtp" \
		hangup "wait idle 10"
}
is_true "honest phones were not disturbed" alive
lives() { ctl status && is_up sallyportd; }
is_true "and Sallyport lives" lives
clean_log() { ! grep -iE 'crash|signal|assert|Sanitizer' "$DIR/log/sallyportd"; }
is_true "without a crash in its log" clean_log
test_end
