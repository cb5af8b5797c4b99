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

# the first program: modules, the shared root, then systemd
initrd() {
	local m f
	mkdir -p "$DIR/initrd"/{bin,m,proc,sys,dev,host,rw,new}
	cp "$(command -v busybox)" "$DIR/initrd/bin/busybox"
	for m in virtio_pci 9pnet_virtio 9p overlay; do
		modprobe -S "$VERSION" --show-depends "$m" || return 1
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$DIR/modules"
	while read -r f; do
		cp "$f" "$DIR/initrd/m/"
		printf 'insmod /m/%s\n' "${f##*/}"
	done <"$DIR/modules" >"$DIR/initrd/modules.sh"
	printf 'TOP=%s\nBUILD=%s\nDIR=%s\n' "$TOP" "$BUILD" "$DIR" \
		>"$DIR/initrd/where.sh"
	install -m 755 "$HERE/init.sh" "$DIR/initrd/init"
	(cd "$DIR/initrd" && find . | cpio -o -H newc --quiet) >"$DIR/initrd.img"
}
initrd || fail "the initial memory disk"

# Software emulation: never /dev/kvm, which may be there and not work.
timeout -k 10 "$LIMIT" qemu-system-x86_64 -accel tcg,thread=multi -cpu max \
	-m 1024 -smp 2 -nodefaults -display none -serial stdio -no-reboot \
	-kernel "$KERNEL" -initrd "$DIR/initrd.img" \
	-append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off systemd.unit=sallyport-test.target systemd.show_status=0 systemd.firstboot=off net.ifnames=0" \
	-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
	</dev/null >"$DIR/console" 2>&1
tr -d '\r' <"$DIR/console" | grep -aE '^(ok|not ok|        |[0-9]+ passed)' ||
	tail -n 30 "$DIR/console"
if [ -n "${SAVE_LOGS:-}" ]; then
	mkdir -p "$SAVE_LOGS"
	cp "$DIR/console" "$SAVE_LOGS/console"
fi
tr -d '\r' <"$DIR/console" | grep -qaE '^[1-9][0-9]* passed, 0 failed$' ||
	{ grep -qa ' passed, ' "$DIR/console" || echo "0 passed, 1 failed"; exit 1; }
