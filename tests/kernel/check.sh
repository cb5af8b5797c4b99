#!/bin/bash
# make check-kernel: nf_srtp in a virtual machine with each kernel of Debian's
# (KERNELS), side by side: what guest.sh says of it. Each has the parts that it
# is the right one for; two processors are at odds for STRESS_S seconds in one
# of them, so that the others' tests share the time with that.
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=${TOP:-$(cd "$HERE/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
LIMIT=${LIMIT:-2400} # seconds for a machine that has stopped somewhere
STRESS_S=${STRESS_S:-120}
alone= # 6.1 is the only one
KERNELS=${KERNELS:-6.1 6.12}
. "$HERE/lab.sh"

fail() { printf 'not ok  %s\n0 passed, 1 failed\n' "$*"; exit 1; }

[ "$(id -u)" = 0 ] || fail "needs root: it installs packages and shares a root"
# shellcheck disable=SC2086
case " $KERNELS " in
*" kasan "* | *" kcsan "*)
	packages_install $PACKAGES_KERNEL $PACKAGES_KERNEL_DEBUG ||
		fail "packages for the debug kernels"
	;;
*)
	packages_install $PACKAGES_KERNEL || fail "packages for the laboratory"
	;;
esac
# shellcheck disable=SC2086
case " $KERNELS " in
*" 6.12 "*)
	packages_install $PACKAGES_KERNEL_NEWER || {
		echo "skipped: 6.12, which apt does not reach here"
		KERNELS=${KERNELS//6.12/}
		alone=1
	}
	;;
esac

# what guest.sh is asked for in the machine NAME
parts() {
	case $1 in
	kasan | kcsan) echo "-s $STRESS_S features veth stress" ;;
	6.1)
		echo "-s $([ -n "$alone" ] && echo "$STRESS_S" || echo 15)" \
			"refuses features loopback veth call stress"
		;;
	*) echo "-s $STRESS_S features loopback veth queue stress" ;;
	esac
}
# Each in a process of its own; their output is shown one after the other.
machine() {
	local name=$1 dir=$LAB/$1
	lab_kernel "$name" || { echo "0 passed, 1 failed"; return 1; }
	if ! lab_module "$dir"; then
		echo "not ok  the module builds for $VERSION without a warning"
		cat "$dir/module.log"
		echo "0 passed, 1 failed"
		return 1
	fi
	echo "ok      the module builds for $VERSION without a warning"
	# one machine is enough for what it is for
	rm -rf "$dir/broken"
	[ "$name" != 6.1 ] || lab_broken "$dir" || cat "$dir/broken.log"
	# shellcheck disable=SC2046
	lab_boot "$dir" "$LIMIT" "$HERE/guest.sh" $(parts "$name")
	VM_NAME=$name vm_sentences "$dir" || return 1
	case $name in
	kasan | kcsan)
		echo "for the record in doc/kernel.md:"
		"$HERE/record.sh" row "$VERSION" "$(sum_of "$dir") passed"
		;;
	esac
}
sum_of() {
	tr -d '\r' <"$1/console" | sed -n 's/^\([0-9]*\) passed, 0 failed$/\1/p'
}
rm -rf "$LAB"/*/console
mkdir -p "$LAB"
status=0
for name in $KERNELS; do
	machine "$name" >"$LAB/$name.out" 2>&1 &
done
for job in $(jobs -p); do
	wait "$job" || status=1
done
for name in $KERNELS; do
	printf '== %s\n' "$name"
	cat "$LAB/$name.out"
done
exit $status
