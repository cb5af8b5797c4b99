# The laboratory of nf_srtp: which kernels there are, the module built for one,
# a virtual machine booted with it. Needs $TOP and $BUILD.

LAB=$BUILD/tests/kernel-lab
. "$TOP/tests/integration/lib/packages.sh"
. "$TOP/tests/integration/lib/vm.sh"

# lab_kernel NAME: sets KERNEL (image), VERSION (as uname -r), KDIR (what
# modules are built against). NAME: a series of Debian's (6.1, 6.12), or a debug
# kernel (kasan, kcsan), which is built first if it is not there.
lab_kernel() {
	local dir
	case $1 in
	kasan | kcsan)
		dir=$("$TOP/tests/kernel/debug-kernel.sh" "$1") || return 1
		KERNEL=$dir/arch/x86/boot/bzImage KDIR=$dir
		VERSION=$(cat "$dir/include/config/kernel.release")
		;;
	*)
		for KERNEL in $(find /boot -name "vmlinuz-$1.*-amd64" |
			sort -Vr); do
			VERSION=${KERNEL#/boot/vmlinuz-}
			KDIR=/lib/modules/$VERSION/build
			[ ! -e "$KDIR" ] || return 0
		done
		echo "no kernel $1 with its headers" >&2
		return 1
		;;
	esac
}

# lab_make FOLDER: the modules whose sources are there, for the kernel of
# lab_kernel
lab_make() {
	env -u CFLAGS -u LDFLAGS -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		make -C "$KDIR" M="$1" modules 2>&1
}

# lab_broken DIR: nf_srtp.ko in DIR/broken, which finds one bit in the vectors
# of its tests to be wrong
lab_broken() {
	local vector=c61e7a93744f39ee10734afe3ff7a087
	rm -rf "$1/broken"
	cp -r "${KMOD:-$TOP/kmod}/." "$1/broken/" &&
		grep -q "$vector" "$1/broken/selftest/selftest.c" &&
		sed -i "s/$vector/${vector%7}6/" "$1/broken/selftest/selftest.c" &&
		lab_make "$1/broken" >"$1/broken.log"
}

# lab_module DIR: nf_srtp.ko (of $TOP/kmod, or KMOD) in DIR/kmod, without a
# warning; what the compiler said is in DIR/module.log
lab_module() {
	mkdir -p "$1/kmod"
	cp -rpu "${KMOD:-$TOP/kmod}/." "$1/kmod/"
	lab_make "$1/kmod" >"$1/module.log" || return 1
	! grep -iE '(^|[^a-z])warning: ' "$1/module.log" |
		grep -v 'the compiler differs'
}

# lab_boot DIR SECONDS SCRIPT [ARGUMENT...]: run SCRIPT with bash in a virtual
# machine with that kernel, its output in DIR/console. It finds MODULE (path of
# nf_srtp.ko), TOP, BUILD, DIR (read-only), and leaves nothing behind.
lab_boot() {
	local dir=$1 limit=$2
	shift 2
	mkdir -p "$dir"
	{
		cat "$TOP/tests/kernel/then.sh"
		printf 'exec_in_root env HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin MODULE=%q' \
			"$dir/kmod/nf_srtp.ko"
		# shellcheck disable=SC2086
		printf ' %q' ${LAB_ENV:-} /bin/bash "$@"
		printf '\n'
	} >"$dir/then.sh"
	vm_initrd "$dir" "$VERSION" "$dir/then.sh" || return 1
	# q35: the other machine's firmware tells the kernel of interrupts in a
	# loop, for which KASAN takes longer than the kernel waits. Nor is the
	# kernel to look whether its timer ticks while it counts to a number: on
	# a busy machine it does not.
	# shellcheck disable=SC2086
	vm_run "$dir" "$limit" "$KERNEL" "no_timer_check ${LAB_APPEND:-}" \
		-machine q35 \
		${LAB_QEMU:-}
}
