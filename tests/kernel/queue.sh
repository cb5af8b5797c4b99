#!/bin/bash
# A part of guest.sh: the relay over packet queues, whose rules are nftables' in
# this kernel.
set -uo pipefail
. "$TOP/tests/kernel/guest-lib.sh"

# a kernel that finds its modules loads them by itself
needed() {
	modprobe -a nfnetlink_queue nf_tables nft_queue && nft list ruleset
}
no_rules() { ! nft list ruleset | grep sallyport_; }
conforms() {
	"$BUILD/tests/unit/media/test_queue" >/tmp/conform 2>&1
	local status=$?
	[ "$status" = 0 ] || cat /tmp/conform
	grep -q '100%: Checks: [1-9]' /tmp/conform && return "$status"
}
is_true "the kernel has packet queues and nftables" needed
is_true "the backend over queues does what every backend must" conforms
is_true "its rules were nftables'" grep -q 'rules by nftables' /tmp/conform
is_true "its rules are gone" no_rules
sentences_end
