#!/bin/bash
# IPsec as a condition, with real ESP: a virtual machine whose kernel (Debian's)
# has it, two network namespaces in it, and sallyportd in one. QEMU in software
# emulation, no KVM needed.
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=${TOP:-$(cd "$HERE/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
LIMIT=${LIMIT:-900} # seconds for the whole boot
LIB=$TOP/tests/integration/lib
VM_NAME=ipsec
. "$LIB/packages.sh"
. "$LIB/vm.sh"

fail() { printf 'not ok  %s\n0 passed, 1 failed\n' "$*"; exit 1; }

[ "$(id -u)" = 0 ] || fail "needs root: it installs packages and a root"
# shellcheck disable=SC2086
packages_install $PACKAGES_IPSEC || fail "packages for the virtual machine"
KERNEL=$(ls /boot/vmlinuz-*-amd64 2>/dev/null | sort -V | head -1)
[ -n "$KERNEL" ] || fail "no kernel in /boot"
DIR=$BUILD/tests/ipsec-run
rm -rf "$DIR"
mkdir -p "$DIR"
trap 'rm -rf "$DIR"' EXIT
cat "$TOP/tests/kernel/then.sh" - >"$DIR/then" <<THEN
exec_in_root /usr/bin/env TOP=$TOP BUILD=$BUILD HOME=/root \
	PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/bin/bash $TOP/tests/system/ipsec.sh
THEN
vm_initrd "$DIR" "${KERNEL#/boot/vmlinuz-}" "$DIR/then" ||
	fail "the initial memory disk"
vm_run "$DIR" "$LIMIT" "$KERNEL" ""
vm_sentences "$DIR"
