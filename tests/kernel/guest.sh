#!/bin/bash
# guest.sh [-s SECONDS] [-r SEED] [PART...]: inside of the virtual machine. The
# module is loaded, goes, and comes again; then the PARTs, one after the other
# (refuses, features, loopback, veth, queue, call, stress; without any, all but
# refuses and call): a module whose tests fail does not load; what it can do; what every media backend must do, on the loopback and
# between namespaces with attacks, and the relay over packet queues; a whole
# call; SECONDS of two processors at odds over its flows. And the kernel has
# nothing to complain of.
set -uo pipefail
. "$TOP/tests/kernel/guest-lib.sh"
. "$TOP/tests/kernel/veth.sh"
stress_s=120 seed=$(date +%s)
while getopts s:r: o; do
	case $o in
	s) stress_s=$OPTARG ;;
	r) seed=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- features loopback veth queue stress
# an emulated processor, maybe one of many
export CK_TIMEOUT_MULTIPLIER=20

# conforms CASES: the suite, with at least so many cases
conforms() {
	"$BUILD/tests/unit/media/test_kernel" >/tmp/conform 2>&1 &&
		[ "$(sed -n 's/^100%: Checks: \([0-9]*\),.*/\1/p' /tmp/conform)" \
			-ge "$1" ] || { cat /tmp/conform; return 1; }
}
# as if a cipher were wrong: no namespace, family or memory of it is left
refuses() {
	! insmod "$DIR/broken/nf_srtp.ko" 2>/tmp/refused
	cat /tmp/refused
	grep -q 'Invalid parameters' /tmp/refused && dmesg | tail -n 3 |
		grep 'nf_srtp: test failed: ' && ! grep nf_srtp /proc/modules
}
part_refuses() {
	is_true "the module is away" goes
	is_true "one whose own tests fail refuses to load, and says which" refuses
	is_true "and the right one loads after it" load
}
part_features() { . "$TOP/tests/kernel/features.sh"; }
part_loopback() {
	is_true "the backend over it does what every backend must" conforms 41
}
part_veth() {
	is_true "two namespaces with veth between them" veth_there
	veth_env
	is_true "it does so between them, and withstands attacks" conforms 54
	veth_forget
}
part_queue() { script "$TOP/tests/kernel/queue.sh"; }
part_call() { script "$TOP/tests/kernel/call.sh"; }
part_stress() {
	is_true "there are namespaces to talk between" veth_there
	is_true "$stress_s s of changes under traffic, seed $seed" \
		"$BUILD/tests/kernel/stress" "$stress_s" "$seed"
	printf '        %s\n' "${it_said##*$'\n'}"
}

is_true "the kernel $(uname -r) has what the module uses" modules
is_true "nf_srtp loads, its own tests pass" load
is_true "it goes when nobody uses it" rmmod nf_srtp
is_true "and comes again" load
for part in "$@"; do
	"part_$part"
	printf '        (%s: until second %d)\n' "$part" $SECONDS
done
is_true "no flow is left: it goes" goes
clean_kernel
sentences_end
