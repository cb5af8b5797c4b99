#!/bin/bash
# What the method list of a trunk lets in: SIPp as two peers, of which one may do
# everything and the other nothing of what the check boxes are about.
. "$(dirname "$0")/lib/test.sh"
. "$LIB/trunks.sh"

MAY=10.77.0.21 MAY_NOT=10.77.0.22
sections='
listener "trunks" {
	address = "udp:'$SP_OUT':5080"
	serves = trunks
}
'"$(trunk_core cm-may 5065 5080)"'
'"$(trunk_core cm-may-not 5066 5090)"'
failover { options-interval = 0 }
trunk-profile "may" {
	security-mode = nonsecure
	accept-presence-subscription = yes
	accept-out-of-dialog-refer = yes
	accept-unsolicited-notification = yes
	accept-replaces = yes
}
trunk-profile "may-not" { security-mode = nonsecure }
trunk "may" {
	profile = "may"
	listeners = { "trunks" }
	sources = { "'$MAY'" }
	call-managers = { "cm-may" }
	direction = in
}
trunk "may-not" {
	profile = "may-not"
	listeners = { "trunks" }
	sources = { "'$MAY_NOT'" }
	call-managers = { "cm-may-not" }
	direction = in
}'
needs net_begin sp-trunk-authz
ip -n "$NS-px" addr add "$MAY/24" dev eth0
ip -n "$NS-px" addr add "$MAY_NOT/24" dev eth0
needs sallyport_pki
needs sallyport_config "" "$sections"
needs sallyport_start

# takes NAME PORT SCENARIO CALLS: the call manager there
takes() {
	spawn "$1" cm sipp -sf "$LIB/../sipp/$3.xml" -t u1 -i "$CM" -p "$2" \
		-m "$4" -nostdin -trace_err -error_file "$DIR/$1-errors.log" \
		-trace_msg -message_file "$DIR/$1-messages.log"
	wait_for 10 "$1 listens" listens cm u "$CM:$2"
}
# request NAME SOURCE SCENARIO METHOD HEADER: SIPp wants the method in its file
request() {
	mkdir -p "$DIR/sipp/$1"
	sed "s|\[field0\]|$4|; s|\[field1\]|$5|" \
		"$LIB/../sipp/$3.xml" >"$DIR/sipp/$1/scenario.xml"
	(
		cd "$DIR/sipp/$1" &&
			TERM=dumb in_ns px timeout 30 sipp -sf scenario.xml \
				-s 1001 -t u1 -m 1 -i "$2" -p 5060 -nostdin \
				-recv_timeout 5000 -trace_err "$SP_OUT:5080" \
				>out 2>&1 </dev/null
	) && return
	tail -20 "$DIR/sipp/$1"/*errors*.log
	return 1
}
# refused NAME METHOD HEADER RULE: 403, and the log names the rule
refused() {
	request "$1-no" "$MAY_NOT" uac-refused "$2" "$3" || return 1
	grep -q "request refused reason=method-list text=\"trunk: $4 = no\" method=$2 " \
		"$DIR/log/sallyportd"
}
heard() { request "$1-yes" "$MAY" uac-request "$2" "$3"; }

needs takes cm-may 5065 uas-any 3
while read -r name method rule header; do
	is_true "$method is heard where $rule = yes" heard "$name" "$method" \
		"$header"
	is_true "and refused elsewhere, by a rule that the log names" \
		refused "$name" "$method" "$header" "$rule"
done <<'ROWS'
subscribe SUBSCRIBE accept-presence-subscription Event: presence
refer REFER accept-out-of-dialog-refer Refer-To: <sip:2002@10.77.0.1>
notify NOTIFY accept-unsolicited-notification Event: message-summary
ROWS

needs takes cm-replaced 5065 uas-plain 2
replaced() {
	local first
	SIPP_LIMIT=30 sipp_run replaces px uac-replaces - - - -s 1001 -t u1 -m 1 \
		-i "$MAY" -p 5060 -recv_timeout 10000 "$SP_OUT:5080" || return 1
	# It names the other side of the first call, as the call manager has it.
	first=$(sed -n 's/\r$//; s/^Call-ID: //p' "$DIR/cm-replaced-messages.log" |
		head -1)
	[ -n "$first" ] && grep -q "^Replaces: $first;to-tag=" \
		"$DIR/cm-replaced-messages.log"
}
is_true "a call replaces another where accept-replaces = yes" replaced
needs takes cm-kept 5066 uas-plain 1
kept() {
	SIPP_LIMIT=30 sipp_run kept px uac-replaces-refused - - - -s 1001 -t u1 \
		-m 1 -i "$MAY_NOT" -p 5060 -recv_timeout 10000 "$SP_OUT:5080" &&
		grep -q 'reason=method-list text="trunk: accept-replaces = no" method=INVITE ' \
			"$DIR/log/sallyportd"
}
is_true "and is refused elsewhere, where the other call goes on" kept
trunk_refused() {
	ctl --json trunks | tr -d ' \n' |
		grep -q '"trunk":"may-not"[^}]*"refused":4'
}
is_true "the trunk's counter shows the four" trunk_refused
test_end
