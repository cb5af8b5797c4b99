#!/bin/bash
# The installed package under systemd: one boot of a virtual machine (QEMU in
# software emulation, no KVM needed) whose kernel is Debian's and whose root is
# this machine's, shared read-only under a layer of memory. systemd is its first
# process and runs guest.sh, whose sentences come out of the serial line.
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=${TOP:-$(cd "$HERE/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
LIMIT=${LIMIT:-900} # seconds for the whole boot
LIB=$TOP/tests/integration/lib
. "$LIB/packages.sh"
. "$LIB/certs.sh"
. "$LIB/vm.sh"

fail() { printf 'not ok  %s\n0 passed, 1 failed\n' "$*"; exit 1; }

[ "$(id -u)" = 0 ] || fail "needs root: it installs packages and a root"
# shellcheck disable=SC2086
packages_install $PACKAGES_SYSTEM || fail "packages for the virtual machine"
KERNEL=$(ls /boot/vmlinuz-*-amd64 2>/dev/null | sort -V | tail -1)
[ -n "$KERNEL" ] || fail "no kernel in /boot"
VERSION=${KERNEL#/boot/vmlinuz-}

DIR=$BUILD/tests/system-run
rm -rf "$DIR"
mkdir -p "$DIR/initrd" "$DIR/dest"
trap 'rm -rf "$DIR"' EXIT

# what a package would install, and the keys an operator makes
make -C "$BUILD" -s install DESTDIR="$DIR/dest" >"$DIR/install" 2>&1 ||
	{ tail "$DIR/install"; fail "make install"; }
cert_ca ca || fail "certificates"
cert server ca sallyport.test "ip_address = 192.0.2.1" || fail "certificates"

vm_initrd "$DIR" "$VERSION" "$HERE/init.sh" || fail "the initial memory disk"
vm_run "$DIR" "$LIMIT" "$KERNEL" \
	"systemd.unit=sallyport-test.target systemd.show_status=0 systemd.firstboot=off"
vm_sentences "$DIR"
