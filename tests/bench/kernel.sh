#!/bin/bash
# make bench-kernel: what a relayed packet costs, in instructions, by nf_srtp,
# by rtpengine's kernel module, and by relays in user space: kernel-guest.sh in a
# virtual machine whose clock counts instructions, so that it repeats.
# kernel.sh RESULTS [FIGURES]: RESULTS is written in the form of bench-results.json.
# FIGURES: what the machine said before, to be judged again.
# STEPS=1: instead, in which functions the instructions of a packet in nf_srtp's
# hook are (SUITE: another than AES_CM_128_HMAC_SHA1_80).
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=${TOP:-$(cd "$HERE/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
RESULTS=${1:?where to write the results}
LIMIT=${LIMIT:-2400} # seconds for the machine
KERNEL_SERIES=${KERNEL_SERIES:-6.1}
. "$TOP/tests/kernel/lab.sh"
LAB=$BUILD/tests/bench-kernel-lab
DIR=$LAB/$KERNEL_SERIES

fail() { echo "bench-kernel: $*" >&2; exit 1; }

# peer DIR: rtpengine's module for the kernel of lab_kernel, and its extension
# of iptables, from Debian's packages, unpacked and not installed: DKMS would
# build for the kernel that runs here.
peer() {
	local dir=$1/peer src
	[ ! -e "$dir/xt_RTPENGINE.ko" ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	(
		cd "$dir"
		# as root, whose downloads are read by _apt
		apt-get -qq -o APT::Sandbox::User=root download \
			rtpengine-kernel-dkms rtpengine-iptables
		for deb in *.deb; do dpkg -x "$deb" .; done
	) || return 1
	src=$(ls -d "$dir"/usr/src/rtpengine-*)
	env -u CFLAGS -u LDFLAGS -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		make -C "$KDIR" M="$src" RTPENGINE_VERSION="${src##*-}" \
		modules >"$dir/log" 2>&1 || {
		tail -n 20 "$dir/log"
		return 1
	}
	cp "$src/xt_RTPENGINE.ko" "$dir/"
}

# meter DIR: the module that reads the counter around a hook
meter() {
	mkdir -p "$1/meter"
	cp -pu "$HERE/meter/"* "$1/meter/"
	env -u CFLAGS -u LDFLAGS -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		make -C "$KDIR" M="$1/meter" modules >"$1/meter.log" 2>&1 || {
		tail -n 20 "$1/meter.log"
		return 1
	}
}

# what of the kernel runs while nf_meter watches, by a plugin of the emulator's
steps() {
	gcc -std=gnu17 -O2 -fPIC -shared -o "$DIR/steps.so" \
		"$HERE/steps/steps.c" || fail "no plugin"
	rm -f "$DIR/counts" "$DIR/symbols"
	LAB_APPEND=nokaslr LAB_QEMU="-plugin $DIR/steps.so,out=$DIR/counts
		-device virtio-serial-pci -chardev file,id=c,path=$DIR/symbols
		-device virtserialport,chardev=c" \
		LAB_ENV="PARTS=steps CALLS=20 PACKETS=50 ${SUITE:+SUITE=$SUITE}" \
		boot || true
	python3 -B "$HERE/kernel-steps.py" "$DIR/kmod/nf_srtp.ko" \
		"$DIR/counts" <"$DIR/symbols" || fail "no counts"
}
# one processor, an instruction a nanosecond
boot() {
	VM_ACCEL="-accel tcg,thread=single -smp 1 -icount shift=0" \
		VM_MEMORY=1536 \
		lab_boot "$DIR" "$LIMIT" "$HERE/kernel-guest.sh"
}

if [ $# -lt 2 ]; then
	[ "$(id -u)" = 0 ] || fail "needs root: it installs packages, shares a root"
	# shellcheck disable=SC2086
	packages_install $PACKAGES_KERNEL $PACKAGES_BENCH_KERNEL
	lab_kernel "$KERNEL_SERIES" || fail "no kernel $KERNEL_SERIES"
	mkdir -p "$DIR"
	lab_module "$DIR" || { cat "$DIR/module.log"; fail "no nf_srtp"; }
	meter "$DIR" || fail "no nf_meter"
	if [ -n "${STEPS:-}" ]; then
		steps
		exit
	fi
	peer "$DIR" || fail "no xt_RTPENGINE"
	rm -f "$RESULTS"
	boot || true
	set -- "$RESULTS" "$DIR/console"
fi
tr -d '\r' <"$2" | python3 -B "$HERE/kernel-rows.py" "$RESULTS" || {
	tr -d '\r' <"$2" | grep -av '^figure' | tail -n 30
	fail "a goal was missed, or a figure is missing"
}
