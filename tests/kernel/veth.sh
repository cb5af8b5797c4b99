# Sourced in the guest: the relay here, its parties in the namespace "gen", two
# veth pairs between them. What the parties send is cut at 1280 bytes.
#
#     here   va 10.9.0.1 fd09::1 ---- vb 10.9.0.2 fd09::2   gen
#            vc 10.9.1.1         ---- vd 10.9.1.2
veth_up() {
	local q="dev"
	ip netns add gen &&
		ip link add va type veth peer name vb netns gen &&
		ip link add vc type veth peer name vd netns gen &&
		ip addr add 10.9.0.1/24 $q va &&
		ip addr add fd09::1/64 $q va nodad &&
		ip addr add 10.9.1.1/24 $q vc &&
		ip link set va up && ip link set vc up &&
		ip -n gen addr add 10.9.0.2/24 $q vb &&
		ip -n gen addr add fd09::2/64 $q vb nodad &&
		ip -n gen addr add 10.9.1.2/24 $q vd &&
		ip -n gen link set lo up &&
		ip -n gen link set vb up && ip -n gen link set vd up || return 1
	# packets for 10.9.0.2 that come by the other pair are taken too
	sysctl -qw net.ipv4.conf.all.rp_filter=0
	ip netns exec gen sysctl -qw net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.vd.rp_filter=0
	ip -n gen route replace 10.9.0.1/32 dev vb src 10.9.0.2 mtu 1280 &&
		ip -n gen -6 route replace fd09::1/128 dev vb mtu 1280
}
veth_there() { [ -e /run/netns/gen ] || veth_up; }
# for the conformance suite: its parties are there
veth_env() {
	export CONFORM_NETNS=/run/netns/gen CONFORM_PARTY="10.9.0.2 fd09::2" \
		CONFORM_RELAY="10.9.0.1 fd09::1"
}
veth_forget() { unset CONFORM_NETNS CONFORM_PARTY CONFORM_RELAY; }
