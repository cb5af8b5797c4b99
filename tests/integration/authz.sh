#!/bin/bash
# Who may do what: calling rights and presence groups of lines, what the
# operator is told of it, scanners that find nothing out, and IPsec as a
# condition (policies only: kernels without ESP have no associations; those
# are in the system test).
. "$(dirname "$0")/lib/test.sh"

DEV_E=SEP001122334405 USER_E=2005
DEV_F=SEP001122334406 USER_F=2006
sections() {
	cat <<CFG
inside-numbers = { "1*" }
listener "plain" {
	address = "udp:$SP_OUT:5060"
}
calling-rights "lobby" {
	rules = { "deny call to=0900*", "deny transfer from=outside to=outside" }
	default = allow
}
presence-group "board" { }
device "$DEV_E" {
	lines = { "$USER_E" }
	security-mode = nonsecure
	digest = no
	calling-rights = "lobby"
}
device "$DEV_F" {
	lines = { "$USER_F" }
	security-mode = nonsecure
	digest = yes
	digest-user = "$USER_F"
	presence-group = "board"
}
listener "trunks" {
	address = "udp:$SP_OUT:5062"
	serves = trunks
}
call-manager "cm-trunk" {
	address = "udp:$CM:5060"
	local-address = "$SP_IN:5072"
	serves = trunks
}
acl "border" {
	rules = { "deny method=MESSAGE header=X-Odd" }
	default = allow
}
trunk-profile "carrier" {
	security-mode = nonsecure
	accept-presence-subscription = yes
	acl = "border"
}
trunk "carrier" {
	profile = "carrier"
	listeners = { "trunks" }
	peers = { "udp:$PHONE_B:5060" }
	call-managers = { "cm-trunk" }
	calling-rights = "lobby"
}
gateway "pstn" {
	address = "$PHONE_B"
	protocol = mgcp
}
CFG
}

needs net_begin sp-authz
needs sallyport_pki
needs sallyport_config "" "$(sections)"
needs kamailio_start
needs sallyport_start
needs sallyport_user "$USER_F" test-f-secret

log=$DIR/log/sallyportd
# ask METHOD NUMBER [HEADER...]: as the line of DEV_E
ask() {
	in_ns px "$LIB/ask.pl" "$PHONE_X:5070" "$SP_OUT:5060" "$1" "$USER_E" \
		"$2" "${@:3}" | tee "$DIR/answer"
}
answered() { grep -q "^SIP/2.0 $1 " "$DIR/answer"; }
refused() { # STOP RULE COMMAND...
	local stop=$1 rule=$2
	shift 2
	"$@"
	answered 403 && grep -q '^Warning: 399' "$DIR/answer" &&
		! grep -qi 'lobby\|board' "$DIR/answer" &&
		grep -q "reason=$stop text=\"$rule\"" "$log"
}
count() { ctl --json status | grep -o "\"$1\": *[0-9]*" | head -1; }

registers() { ask REGISTER "$USER_E"; answered 200; }
is_true "the line registers" wait_for 10 REGISTER registers
is_true "a call to where it may not is refused by the rule that the log names" \
	refused calling-rights 'calling-rights "lobby" rule 1' \
	ask INVITE 09001234
is_true "spelled otherwise, too" \
	refused calling-rights 'calling-rights "lobby" rule 1' \
	ask INVITE '%309-00.1234;phone-context=x'
goes_on() { ask INVITE 1234; ! answered 403; }
is_true "elsewhere the call manager decides" goes_on
is_true "a transfer from outside to outside is refused" \
	refused calling-rights 'calling-rights "lobby" rule 2' \
	ask REFER 5551 "Refer-To: <sip:5552@$SP_OUT>"
is_true "a subscription to a group it may not watch is refused" \
	refused presence-group \
	'presence-group "default" watches "board": presence-between-groups = deny' \
	ask SUBSCRIBE "$USER_F" "Event: presence"
counted() {
	[ "$(count calling-rights)" = '"calling-rights": 3' ] &&
		[ "$(count presence-group)" = '"presence-group": 1' ]
}
is_true "status counts them" counted

tells() { # ANSWER RULE ARGUMENT...
	local answer=$1 rule=$2
	shift 2
	ctl authz test "$@" >"$DIR/told" || return 1
	cat "$DIR/told"
	grep -q "$answer" "$DIR/told" && grep -q "$rule" "$DIR/told"
}
is_true "authz test says the same without traffic" \
	tells '403 Forbidden' 'calling-rights "lobby" rule 1' \
	--device "$DEV_E" --method INVITE --to 09001234
is_true "and what passes" tells processed 'nothing objects' \
	--device "$DEV_E" --method INVITE --to 1234
is_true "and who would be challenged" \
	tells '401 Unauthorized' 'no valid credentials' \
	--device "$DEV_F" --method INVITE --to 1234
unknown() { ! ctl authz test --trunk nobody --method REFER; }
is_true "and that there is no such trunk" unknown

# --- a trunk's method list ---
# by_trunk METHOD NUMBER [HEADER...]: as the peer of the trunk
by_trunk() {
	in_ns pb "$LIB/ask.pl" "$PHONE_B:5060" "$SP_OUT:5062" "$1" carrier \
		"$2" "${@:3}" | tee "$DIR/answer"
}
on() { [ -s "$DIR/answer" ] && ! answered 403; }
refer="Refer-To: <sip:1003@$SP_OUT>"
replaces="Replaces: x;to-tag=a;from-tag=b"
is_true "a trunk's REFER outside of a dialog is refused" refused method-list \
	'trunk: accept-out-of-dialog-refer = no' by_trunk REFER 1001 "$refer"
is_true "so is a NOTIFY that nobody asked for" refused method-list \
	'trunk: accept-unsolicited-notification = no' by_trunk NOTIFY 1001 \
	"Event: message-summary" "Subscription-State: active"
is_true "and an INVITE that replaces a call" refused method-list \
	'trunk: accept-replaces = no' by_trunk INVITE 1001 "$replaces"
is_true "and what a rule denies" refused method-list \
	'trunk: acl "border" rule 1' by_trunk MESSAGE 1001 "X-Odd: 1"
is_true "and a call to where it may not" refused calling-rights \
	'calling-rights "lobby" rule 1' by_trunk INVITE 09001
passes() { by_trunk "$@"; on; }
is_true "a call goes on" passes INVITE 1001
is_true "so does a MESSAGE that no rule denies" passes MESSAGE 1001
is_true "and the accepted subscription to presence" passes SUBSCRIBE 1001 \
	"Event: presence"
is_true "authz test says the same" \
	tells '403 Forbidden' 'trunk: accept-out-of-dialog-refer = no' \
	--trunk carrier --method REFER
is_true "of what passes, too" tells processed 'acl "border" default' \
	--trunk carrier --method MESSAGE

# --- IPsec ---
ipsec_is() { ctl ipsec | grep pstn | finds "$1"; }
is_true "a gateway without IPsec is shown and logged" \
	wait_for 10 ipsec ipsec_is 'no policy demands ESP towards it'
logged() { grep -q "IPsec does not protect gateway=pstn" "$log"; }
is_true "the log says so" logged
policy() { # DIR SRC DST
	in_ns sp ip xfrm policy add dir "$1" src "$2" dst "$3" \
		tmpl proto esp reqid 7 mode transport
}
is_true "a policy towards it" policy out "$SP_OUT/32" "$PHONE_B/32"
is_true "is noticed at once" \
	wait_for 4 ipsec ipsec_is 'no policy demands ESP from it'
is_true "a policy from it" policy in "$PHONE_B/32" "$SP_OUT/32"
is_true "leaves the association missing" wait_for 4 ipsec ipsec_is \
	'no live security association towards it'
flush() { in_ns sp ip xfrm policy flush; }
is_true "when the policies go" flush
is_true "that is noticed, too" \
	wait_for 4 ipsec ipsec_is 'no policy demands ESP towards it'
# A reload brings another gateway, and a trunk that nothing is taken from.
mkdir -p "$DIR/etc/sallyport/conf.d"
more=$DIR/etc/sallyport/conf.d/more.conf
ip -n "$NS-pa" addr add 10.77.0.42/24 dev eth0
cat >"$more" <<CFG
gateway "second" { address = "10.77.0.41" }
trunk "guarded" {
	profile = "carrier"
	listeners = { "trunks" }
	sources = { "10.77.0.42" }
	call-managers = { "cm-trunk" }
	direction = in
	require-ipsec = yes
}
CFG
is_true "a reload brings what IPsec has to protect" ctl reload
watched() { ctl ipsec | finds "$1 .*no policy demands ESP towards it"; }
is_true "a gateway is watched" wait_for 8 ipsec watched second
is_true "and a trunk" wait_for 8 ipsec watched guarded
is_true "as is what was there" wait_for 8 ipsec watched pstn
by_guarded() {
	in_ns pa "$LIB/ask.pl" 10.77.0.42:5060 "$SP_OUT:5062" OPTIONS g 1001
}
held_back() { ! by_guarded; }
is_true "the trunk is held back" held_back
sed -i '/require-ipsec/d' "$more"
is_true "another takes the condition away" ctl reload
is_true "then it is heard" by_guarded
rm "$more"
is_true "and both away" ctl reload
unwatched() { ! ctl ipsec | finds 'second\|guarded'; }
is_true "they are watched no more" unwatched
rules() {
	ctl ipsec rules >"$DIR/rules" && cat "$DIR/rules" &&
		grep -q "ip saddr $PHONE_B udp dport { 2427, 2727 } meta ipsec missing" \
			"$DIR/rules" && in_ns sp nft -c -f "$DIR/rules"
}
is_true "the rules for the packet filter are such" rules
ipsec_rules() { # COMMAND: by sallyportctl, where the rules are to be
	in_ns sp "$BUILD/src/sallyportctl" -s "$DIR/control.sock" ipsec "$1"
}
in_force() { # NUMBER: rules there are
	[ "$(in_ns sp nft list table inet sallyport_ipsec 2>/dev/null |
		grep -c 'ipsec missing')" = "$1" ]
}
# datagram NS ADDRESS NS ADDRESS PORT: from there to there; true when it arrives
datagram() {
	local got
	rm -f "$DIR/datagram"
	in_ns "$3" timeout 3 perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(Proto => "udp", LocalAddr => $ARGV[0],
			LocalPort => $ARGV[1]) or die; $| = 1; print "ready\n";
		$s->recv(my $m, 99); print $m' "$4" "$5" >"$DIR/datagram" &
	got=$!
	wait_for 3 "a listener" grep -q ready "$DIR/datagram"
	in_ns "$1" perl -MIO::Socket::INET -e '
		IO::Socket::INET->new(Proto => "udp", LocalAddr => $ARGV[0],
			PeerAddr => $ARGV[1], PeerPort => $ARGV[2])
			->send("in clear")' "$2" "$4" "$5" 2>/dev/null
	wait "$got"
	grep -q 'in clear' "$DIR/datagram"
}
mgcp() { datagram sp "$SP_OUT" pb "$PHONE_B" "$1"; }
is_true "in clear it speaks with the gateway" mgcp 2427
is_true "the rules are put in force" ipsec_rules install-rules
is_true "all of them" in_force 4
is_true "again" ipsec_rules install-rules
is_true "which leaves as many" in_force 4
held() { ! mgcp 2427; }
is_true "nothing of the signalling passes in clear" held
is_true "other things do" mgcp 2400
is_true "they are taken away" ipsec_rules remove-rules
is_true "all of them" in_force 0
is_true "which may be said twice" ipsec_rules remove-rules
is_true "then it passes" mgcp 2427
no_nft() { ! PATH=/nowhere "$BUILD/src/sallyportctl" -s "$DIR/control.sock" \
	ipsec install-rules; }
is_true "without nft it says so" no_nft

# --- scanners: sipvicious ---
scan() { (cd "$DIR" && in_ns px timeout 60 "$@" >"$DIR/scan" 2>&1); cat "$DIR/scan"; }
# At the trunk's listener a stranger is nobody.
nothing_there() {
	scan svmap -p 5062 "$SP_OUT"
	! grep -q "| $SP_OUT" "$DIR/scan"
}
is_true "svmap finds nobody at the trunk's listener" nothing_there
no_extension() {
	scan svwar -p 5062 -m "$1" -e 1000-1004 --force "$SP_OUT"
	! grep -q '| 100' "$DIR/scan"
}
is_true "svwar neither" no_extension REGISTER
is_true "nor by INVITE" no_extension INVITE
strangers() { [ "$(count stranger | grep -o '[0-9]*$')" -gt 0 ]; }
is_true "status counts the strangers" strangers
# Whoever looks for lines finds no difference between what is there and what
# is not: 2001 is of a phone that must use TLS, 2006 asks for a password. Five
# at a time: more are not answered.
no_lines() {
	scan svwar -m "$1" -e "$2" --force "$SP_OUT"
	! grep -qE '\| (200[0-9]|199[0-9])' "$DIR/scan"
}
is_true "svwar learns no line by REGISTER" no_lines REGISTER 1999-2002
is_true "nor by INVITE" no_lines INVITE 2006-2009
is_true "nor by OPTIONS" no_lines OPTIONS 2006-2008
same() { # what is there and what is not, compared
	local n
	for n in "$USER_F" "$USER_A" 4711; do
		in_ns px "$LIB/ask.pl" "$PHONE_X:5071" "$SP_OUT:5060" REGISTER \
			"$n" "$n" | sed -E 's/(tag|nonce|branch)="?[^;" ]*//g
				s/[0-9]{9,}//g; s/sip:[0-9]+//g' >"$DIR/same.$n"
		grep -q '^SIP/2.0 401 ' "$DIR/same.$n" || return 1
	done
	diff "$DIR/same.$USER_F" "$DIR/same.4711" &&
		diff "$DIR/same.$USER_F" "$DIR/same.$USER_A"
}
is_true "the answers are the same, byte for byte" same
no_password() {
	printf '%s\n' secret test 1234 "$USER_F" >"$DIR/words"
	scan svcrack -u "$USER_F" -d "$DIR/words" "$SP_OUT"
	! grep -q "| $USER_F" "$DIR/scan"
}
is_true "svcrack finds no password" no_password
admitted() { [ -z "$(ctl registrations --line "$USER_F" | sed 1d)" ]; }
is_true "nobody was admitted" admitted
password_is_found() { # the test itself: with the right word it would
	echo test-f-secret >"$DIR/words"
	scan svcrack -u "$USER_F" -d "$DIR/words" "$SP_OUT"
	grep -q "| $USER_F" "$DIR/scan"
}
is_true "though it would find the right one" password_is_found
slowed() {
	local i n=0
	for i in $(seq 60); do
		request_line "$i"
	done | in_ns px perl -e '
		use IO::Socket::INET; local $/ = "\0"; my @t = <STDIN>; my $n = 0;
		my $s = IO::Socket::INET->new(Proto => "udp", LocalAddr => $ARGV[0],
			LocalPort => 5099, PeerAddr => $ARGV[1]) or die;
		$s->send($_) for @t;
		while (1) { my $b = ""; vec($b, fileno($s), 1) = 1;
			last unless select($b, undef, undef, 1);
			$s->recv(my $a, 65535); $n++ } print "$n\n"' \
		"$PHONE_A" "$SP_OUT:5060" >"$DIR/answers"
	cat "$DIR/answers"
	[ "$(cat "$DIR/answers")" -le 31 ] && [ "$(cat "$DIR/answers")" -ge 5 ]
}
request_line() {
	printf 'REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5099;branch=z9hG4bK%s;rport\r\n' \
		"$SP_OUT" "$PHONE_A" "$1"
	printf 'From: <sip:%s@x>;tag=a\r\nTo: <sip:%s@x>\r\nCall-ID: %s\r\nCSeq: 1 REGISTER\r\n' \
		"$((3000 + $1))" "$((3000 + $1))" "$1"
	printf 'Max-Forwards: 70\r\nContact: <sip:x@%s>\r\nContent-Length: 0\r\n\r\n\0' \
		"$PHONE_A"
}
in_ns pa ip addr flush dev eth0
in_ns px ip addr add "$PHONE_A/24" dev eth0
is_true "who asks for sixty lines at once is answered thirty times" slowed
fails() {
	fail2ban-regex "$log" "$TOP/etc/fail2ban/sallyport.filter" >"$DIR/banned"
	grep '^Lines:' "$DIR/banned"
	fail2ban-regex -o ip "$log" "$TOP/etc/fail2ban/sallyport.filter" |
		sort | uniq -c | tee "$DIR/ips"
	grep -q " $PHONE_X$" "$DIR/ips" && grep -q " $PHONE_A$" "$DIR/ips" &&
		[ "$(wc -l <"$DIR/ips")" = 2 ]
}
is_true "fail2ban finds the sources in the log" fails
# The jail as it is shipped, with the lines of the log as of now in place of the
# journal: a ban that is really set, in the packet filter of this namespace.
bans() {
	cp -r /etc/fail2ban "$DIR/f2b" && rm -f "$DIR"/f2b/jail.d/* || return 1
	cp "$TOP/etc/fail2ban/sallyport.filter" "$DIR/f2b/filter.d/sallyport.conf"
	cp "$TOP/etc/fail2ban/sallyport.jail" "$DIR/f2b/jail.d/sallyport.conf"
	printf '[sallyport]\nbackend = polling\nlogpath = %s\n' \
		"$DIR/bans.log" >"$DIR/f2b/jail.d/test.conf"
	printf '[Definition]\ndbfile = None\n' >"$DIR/f2b/fail2ban.local"
	: >"$DIR/bans.log"
	spawn fail2ban sp fail2ban-server -xf -c "$DIR/f2b" -s "$DIR/f2b.sock" \
		-p "$DIR/f2b.pid" --logtarget "$DIR/f2b.log" start
	wait_for 20 "the jail" grep -q "Jail 'sallyport' started" \
		"$DIR/f2b.log" || return 1
	sed "s/^/$(date '+%F %T') /" "$log" >>"$DIR/bans.log"
	wait_for 20 "a ban" banned
}
banned() { in_ns sp nft list ruleset | finds -w "$PHONE_A"; }
is_true "and blocks them by a set of nftables" bans
blocked() { ! datagram px "$PHONE_A" sp "$SP_OUT" 5090; }
is_true "then nothing of the scanner arrives, by UDP either" blocked
is_true "but from others" datagram px "$PHONE_X" sp "$SP_OUT" 5090
needs stop fail2ban
is_true "the daemon still serves" registers
no_crash() { ! grep -qiE 'fatal|sanitizer|assert' "$log"; }
is_true "nothing crashed" no_crash
test_end
