#!/bin/bash
# guest.sh [SECONDS [SEED]]: inside of the virtual machine. The module is loaded,
# goes, and comes again; the backend over it does what every backend must, on the
# loopback and between namespaces, and withstands attacks; two processors are at
# odds over its flows for SECONDS; and the kernel has nothing to complain of.
set -uo pipefail
. "$TOP/tests/kernel/guest-lib.sh"
. "$TOP/tests/kernel/veth.sh"
SECONDS_OF_STRESS=${1:-120}
SEED=${2:-$(date +%s)}
# an emulated processor, maybe one of many
export CK_TIMEOUT_MULTIPLIER=20

# conforms CASES: the suite, with at least so many cases
conforms() {
	"$BUILD/tests/unit/media/test_kernel" >/tmp/conform 2>&1 &&
		[ "$(sed -n 's/^100%: Checks: \([0-9]*\),.*/\1/p' /tmp/conform)" \
			-ge "$1" ] || { cat /tmp/conform; return 1; }
}

is_true "the kernel $(uname -r) has what the module uses" modules
is_true "nf_srtp loads, its own tests pass" load
is_true "it goes when nobody uses it" rmmod nf_srtp
is_true "and comes again" load
. "$TOP/tests/kernel/features.sh"
is_true "the backend over it does what every backend must" conforms 40
is_true "two namespaces with veth between them" veth_up
veth_env
is_true "it does so between them, and withstands attacks" conforms 53
is_true "$SECONDS_OF_STRESS s of changes under traffic, seed $SEED" \
	"$BUILD/tests/kernel/stress" "$SECONDS_OF_STRESS" "$SEED"
is_true "no flow is left: it goes" rmmod nf_srtp
clean_kernel
sentences_end
