#!/bin/bash
# In the virtual machine of make bench-kernel: one relay after the other, each
# with the same packets (kernel.c). What it prints is read by kernel-rows.py.
set -uo pipefail
. "$TOP/tests/kernel/guest-lib.sh"
CALLS=${CALLS:-20}
TURNS=${TURNS:-3}
PACKETS=${PACKETS:-50} # of each flow, in a turn
CM=AES_CM_128_HMAC_SHA1_80
GCM=AEAD_AES_128_GCM
ulimit -n 20000

say() { printf '%s %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"; }
bench() { say "bench $*"; "$BUILD/tests/bench/kernel" "$@"; }
meter() { say "meter $*"; echo "$1" >/proc/nf_meter; }
# figures of the meter under a name
read_meter() { sed "s/^/figure meter $1 /" /proc/nf_meter; }

topology() {
	ip netns add gen &&
		ip link add va type veth peer name vb netns gen &&
		ip addr add 10.9.0.1/24 dev va && ip link set va up &&
		ip -n gen addr add 10.9.0.2/24 dev vb &&
		ip -n gen link set lo up && ip -n gen link set vb up || return 1
	# nobody has to ask for them while something is measured
	ip neigh replace 10.9.0.2 nud permanent dev va lladdr \
		"$(ip netns exec gen cat /sys/class/net/vb/address)" &&
		ip -n gen neigh replace 10.9.0.1 nud permanent dev vb lladdr \
			"$(cat /sys/class/net/va/address)" &&
		sysctl -qw net.ipv6.conf.all.disable_ipv6=1 &&
		ip netns exec gen sysctl -qw net.ipv6.conf.all.disable_ipv6=1
}

# what is there for packets of others: nothing, an empty hook
others() {
	read_meter none
	meter empty
	read_meter empty
	meter full
}

in_user_space() {
	local suite
	for suite in $CM $GCM; do
		bench sink $suite "$CALLS" "$TURNS" "$PACKETS"
		bench rtpengine $suite "$CALLS" "$TURNS" "$PACKETS"
		bench socket $suite "$CALLS" "$TURNS" "$PACKETS"
		bench queue $suite "$CALLS" "$TURNS" "$PACKETS"
	done
}

by_peer() {
	local suite
	# elsewhere the kernel would load by itself what its AES-GCM is made
	# of, which here it does not find
	modprobe -a ip_tables iptable_filter ghash_generic || return 1
	insmod "$DIR/peer/xt_RTPENGINE.ko" || return 1
	XTABLES_LIBDIR=$(dirname "$(find "$DIR/peer/usr" \
		-name libxt_RTPENGINE.so)"):/usr/lib/x86_64-linux-gnu/xtables \
		iptables-legacy -I INPUT -p udp -j RTPENGINE --id 0 || return 1
	for suite in $CM $GCM; do
		bench xt_RTPENGINE $suite "$CALLS" "$TURNS" "$PACKETS"
	done
	for suite in $CM $GCM; do
		meter watch
		bench xt_RTPENGINE $suite "$CALLS" 1 "$PACKETS"
		read_meter peer-$suite
		meter forget
	done
	iptables-legacy -F INPUT
	echo "del 0" >/proc/rtpengine/control
	modprobe -r iptable_filter ip_tables 2>/dev/null
	rmmod xt_RTPENGINE
}

by_us() {
	local suite
	load || return 1
	for suite in $CM $GCM; do
		bench nf_srtp $suite "$CALLS" "$TURNS" "$PACKETS"
	done
	# hooks are there as long as there has been a flow
	bench raw $CM 5 "$TURNS" 200
	read_meter ours
	meter empty
	read_meter both
	meter full
	for suite in $CM $GCM; do
		meter watch
		bench raw $suite "$CALLS" 1 "$PACKETS"
		read_meter hook-$suite
		meter forget
	done
	bench raw $CM 5000 1 1
	for suite in $CM $GCM; do
		bench memory $suite 2000 1 1
	done
	rmmod nf_srtp
}

# STEPS=1 in kernel.sh: packets for the plugin, and what addresses mean
steps() {
	local i
	load || return 1
	# hooks are there as long as there has been a flow
	bench raw "${SUITE:-$CM}" 1 1 1
	meter watch
	bench raw "${SUITE:-$CM}" "$CALLS" 1 "$PACKETS"
	meter forget
	# the serial line would take minutes for all these names
	modprobe virtio_console
	{
		for i in /sys/module/nf_srtp/sections/.text*; do
			echo "section ${i##*/} $(cat "$i")"
		done
		awk '$2 ~ /[tTwW]/ { print "symbol", $1, $3, $4 }' /proc/kallsyms
	} >"$(ls /dev/vport*)"
	rmmod nf_srtp
}

modules
modprobe -a nfnetlink_queue nf_tables nft_queue x_tables
topology || say "no topology"
insmod "$DIR/meter/nf_meter.ko" || say "no meter"
say "tsc $(dmesg | grep -o 'tsc: .*MHz.*' | tail -n 1)"
for part in $(tr , " " <<<"${PARTS:-others,by_us,by_peer,in_user_space}"); do
	"$part" || say "$part failed"
done
no_complaints && say "the kernel has nothing to complain of"
say "end"
