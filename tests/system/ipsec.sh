#!/bin/bash
# Inside the virtual machine:
#
#   ns sp: sallyportd 192.0.2.1 --- 192.0.2.2 ns peer: the trunk
#   10.0.0.1 on lo, the call manager's side
#
# The trunk has require-ipsec = yes; ESP comes and goes: with keys by hand, where
# a sentence is about one state or policy, and by strongSwan's IKE at both ends.
set -uo pipefail
. "$TOP/tests/integration/lib/sentences.sh"
US=192.0.2.1 THEM=192.0.2.2
D=/tmp/ipsec
mkdir -p $D/state $D/etc
# The kernel cannot ask for modules here: its helper is not in this root.
for m in esp4 xfrm_user xfrm_algo af_key authenc echainiv seqiv gcm ctr cbc \
	ghash-generic aes_generic sha256_generic sha512_generic hmac \
	jitterentropy_rng drbg ansi_cprng veth nfnetlink nf_tables; do
	modprobe $m 2>/dev/null
done

within() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { "$@"; return 1; }
		sleep 0.5
	done
}
for n in sp peer; do
	ip netns add $n
	ip -n $n link set lo up
done
ip -n sp link add eth0 type veth peer name eth0 netns peer
ip -n sp addr add $US/24 dev eth0
ip -n peer addr add $THEM/24 dev eth0
ip -n sp addr add 10.0.0.1/32 dev lo
ip -n sp addr add 10.0.0.2/32 dev lo
ip -n sp link set eth0 up
ip -n peer link set eth0 up

chmod 777 $D/state
chown nobody:nogroup $D/state
chmod 700 $D/state
cat >$D/etc/sallyport.conf <<CFG
user = "nobody"
group = "nogroup"
sandbox = enforce
state-directory = "$D/state"
control-socket = "$D/control.sock"
workers = 1
listener "trunks" {
	address = "udp:$US:5060"
	serves = trunks
}
call-manager "cm" {
	address = "udp:10.0.0.2:5060"
	local-address = "10.0.0.1:5070"
	serves = trunks
}
media {
	outside-address = "$US"
	inside-address = "10.0.0.1"
}
trunk-profile "plain" { security-mode = nonsecure }
trunk "carrier" {
	profile = "plain"
	listeners = { "trunks" }
	peers = { "udp:$THEM:5060" }
	require-ipsec = yes
}
gateway "pstn" { address = "$THEM" protocol = mgcp }
CFG
ip netns exec sp "$BUILD/src/sallyportd" -c $D/etc/sallyport.conf \
	>$D/log 2>&1 </dev/null &
ctl() { "$BUILD/src/sallyportctl" -s $D/control.sock "$@"; }
serves() { ctl status; }
is_true "sallyportd starts" within 60 serves || { cat $D/log; }

# key N: 20 bytes for AES-GCM
key() { printf '0x%040x' "$1"; }
# states and policies that a key exchange would make, in namespace $1
one_end() {
	local n=$1 us=$2 them=$3
	ip -n $n xfrm state add src $US dst $THEM proto esp spi 0x1001 reqid 7 \
		mode transport aead 'rfc4106(gcm(aes))' "$(key 1001)" 128 &&
		ip -n $n xfrm state add src $THEM dst $US proto esp spi 0x1002 \
			reqid 7 mode transport aead 'rfc4106(gcm(aes))' \
			"$(key 1002)" 128 &&
		ip -n $n xfrm policy add dir out src $us dst $them priority 100 \
			tmpl proto esp reqid 7 mode transport &&
		ip -n $n xfrm policy add dir in src $them dst $us priority 100 \
			tmpl proto esp reqid 7 mode transport
}
up() { one_end sp $US $THEM && one_end peer $THEM $US; }
down() {
	local n
	for n in sp peer; do
		ip -n $n xfrm policy flush
		ip -n $n xfrm state flush
	done
}

# The peer asks for what its method list does not accept: it is told so where
# it is heard at all.
answers() {
	ip netns exec peer "$TOP/tests/integration/lib/ask.pl" $THEM:5060 \
		$US:5060 REFER peer 1001 "Refer-To: <sip:1@$US>" |
		grep -q '^SIP/2.0 403'
}
silent() { ! answers; }
says() { ctl ipsec | grep "$1" | finds "$2"; }
held() { ctl --json status | tr -d '\n' | finds '"addresses": 1,'; }

is_true "without a policy the trunk is not protected" \
	within 30 says carrier 'no policy demands ESP towards it'
is_true "nothing is taken from it, nothing answered" silent
is_true "status says so" held
is_true "a tunnel is set up" up
is_true "the trunk is protected" within 20 says carrier protected
is_true "the gateway, too" within 5 says pstn protected
is_true "the trunk is served" within 10 answers
encrypted() { ip -n sp -s xfrm state | finds 'proto esp' &&
	[ "$(ip -n sp -s xfrm state | awk '/bytes/ { n += $1 } END { print n }')" -gt 500 ]; }
is_true "what went over the wire went through ESP" encrypted
noted() { grep -q 'IPsec protects trunk=carrier' $D/log; }
is_true "the log says so" noted
is_true "the tunnel is torn down" down
gone() { says carrier 'no '; }
is_true "that is noticed" within 10 gone
is_true "the trunk is held back again" within 5 silent
is_true "a tunnel once more" up
is_true "and it is served again" within 20 answers
flushed() { ip -n sp xfrm state flush; }
is_true "the associations alone go away" flushed
is_true "that is noticed: the policies are there, the keys are not" \
	within 10 says carrier 'no live security association'
is_true "the trunk is held back" silent
bypass() {
	ip -n sp xfrm policy add dir out src $US dst $THEM proto udp \
		dport 5060 priority 1
}
down
is_true "a tunnel again" up
is_true "and it is protected" within 20 says carrier protected
is_true "a policy before it lets SIP pass in clear" bypass
is_true "that is noticed" within 10 says carrier 'no policy demands ESP'
is_true "the trunk is held back" silent

# ---- strongSwan ----
# charon NS US THEM: an IKE daemon in that namespace, with a connection "carrier"
charon() {
	mkdir -p $D/$1
	cat >$D/$1/strongswan.conf <<CFG
charon-systemd {
	load_modular = yes
	plugins {
		include /etc/strongswan.d/charon/*.conf
		vici { socket = unix://$D/$1/vici }
	}
	journal { default = -1 }
	filelog {
		log {
			path = $D/$1/charon.log
			default = 1
			flush_line = yes
		}
	}
}
swanctl { load = aes sha2 hmac random nonce openssl pem pkcs1 x509 }
CFG
	cat >$D/$1/swanctl.conf <<CFG
connections {
	carrier {
		version = 2
		local_addrs = $2
		remote_addrs = $3
		proposals = aes128-sha256-modp2048
		local { auth = psk }
		remote { auth = psk }
		children {
			sip {
				mode = transport
				esp_proposals = aes128gcm16
			}
		}
	}
}
secrets { ike { secret = "both ends know it" } }
CFG
	STRONGSWAN_CONF=$D/$1/strongswan.conf ip netns exec "$1" \
		/usr/sbin/charon-systemd >$D/$1/out 2>&1 </dev/null &
}
# swan NS COMMAND [ARGUMENT...]: swanctl at that daemon
swan() {
	local n=$1 what=$2
	shift 2
	STRONGSWAN_CONF=$D/$n/strongswan.conf swanctl "--$what" "$@" \
		--uri "unix://$D/$n/vici"
}
loaded() { swan "$1" load-all --file $D/"$1"/swanctl.conf; }
ike_up() {
	charon sp $US $THEM
	charon peer $THEM $US
	within 60 loaded sp && within 60 loaded peer &&
		swan sp initiate --child sip --timeout 60
}
down
is_true "without keys the trunk is held back once more" within 10 silent
is_true "strongSwan agrees on keys with the peer's" ike_up || {
	tail -30 $D/sp/charon.log $D/sp/out $D/peer/charon.log
}
is_true "the trunk is protected by what IKE set up" \
	within 20 says carrier protected
is_true "and served" within 10 answers
is_true "over ESP" encrypted
rekeyed() {
	local before after
	before=$(grep -c 'IPsec does not protect trunk=carrier' $D/log)
	swan sp rekey --child sip || return 1
	within 30 grep -q 'established with SPIs.*\|rekeyed CHILD_SA' \
		$D/sp/charon.log && sleep 7 && answers || return 1
	after=$(grep -c 'IPsec does not protect trunk=carrier' $D/log)
	[ "$before" = "$after" ]
}
is_true "it is protected all the time while keys are changed" rekeyed
ike_down() { swan sp terminate --child sip --timeout 30; }
is_true "the peers end it" ike_down
is_true "that is noticed" within 10 gone
is_true "the trunk is held back" within 5 silent
for n in sp peer; do
	for p in $(ip netns pids $n); do
		[ "$(cat /proc/"$p"/comm)" != charon-systemd ] || kill "$p"
	done
done
loads_rules() {
	ip -n sp xfrm policy flush
	ip netns exec sp "$BUILD/src/sallyportctl" -s $D/control.sock \
		ipsec install-rules
}
is_true "the rules for the gateway are taken by this kernel" loads_rules
no_leak() { ! grep -qiE 'fatal|sanitizer' $D/log; }
is_true "nothing crashed" no_leak
[ $failed = 0 ] || { tail -20 $D/log; dmesg | tail -5; } | sed 's/^/        /'
sentences_end
