#!/bin/bash
# Inside of the virtual machine: the module is loaded, goes, and comes again,
# and the kernel has nothing to complain of.
set -uo pipefail
. "$TOP/tests/kernel/guest-lib.sh"

is_true "the kernel $(uname -r) has what the module uses" modules
is_true "nf_srtp loads, its own tests pass" load
is_true "it goes when nobody uses it" rmmod nf_srtp
is_true "and comes again" load
clean_kernel
sentences_end
