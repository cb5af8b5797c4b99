# A part of guest.sh: what nf_srtp can do beyond what a backend asks of it, with
# packets of every shape, at both of its hooks (features.py). Finds the module
# loaded and leaves it so.

features_net() {
	ip link set lo up && ip netns add gen &&
		ip link add va type veth peer name vb netns gen &&
		ip addr add 10.9.0.1/24 dev va &&
		ip addr add fd00::1/64 dev va nodad && ip link set va up &&
		ip -n gen addr add 10.9.0.2/24 dev vb &&
		ip -n gen addr add fd00::2/64 dev vb nodad &&
		ip -n gen link set vb up
}
features() {
	python3 -B "$TOP/tests/kernel/features.py" "$@"
}
is_true "two namespaces with veth between them" features_net
is_true "everything that features.py tries" features
is_true "the module goes, also after a namespace with flows went" goes
is_true "it loads with its hook behind INPUT" load local_in=1
is_true "and relays there as well" features all_suites keys hand_over
is_true "it goes again" goes
is_true "and comes back" load
# at once, others want the names
ip link del va
ip netns del gen
