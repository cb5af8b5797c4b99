#!/bin/bash
# debug-kernel.sh NAME: builds the debug kernel NAME (kasan, kcsan) from
# Debian's linux-source, once for its version and configuration, and prints the
# folder it is in. The folder is outside of the tree: SALLYPORT_KERNELS, or
# /var/cache/sallyport-kernels. JOBS processors, the least urgent work there is.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
NAME=${1:?kasan or kcsan}
KERNELS=${SALLYPORT_KERNELS:-/var/cache/sallyport-kernels}
SOURCE=$(ls /usr/src/linux-source-6.1.tar.xz) || {
	echo "needs the package linux-source-6.1" >&2
	exit 1
}
DEBIAN=$(dpkg-query -W -f='${Version}' linux-source-6.1)
SRC=$KERNELS/linux-source-6.1
OUT=$KERNELS/$NAME

mkdir -p "$OUT"
exec 9>"$KERNELS/lock"
flock 9
if [ "$(cat "$KERNELS/version" 2>/dev/null)" != "$DEBIAN" ]; then
	rm -rf "$SRC"
	tar -C "$KERNELS" -xf "$SOURCE"
	echo "$DEBIAN" >"$KERNELS/version"
fi
exec 9>"$OUT/lock"
flock 9
cat "$HERE/debug.config" "$HERE/$NAME.config" >"$OUT/asked.config"
want=$(cat "$KERNELS/version" "$OUT/asked.config" | sha256sum)
if [ "$(cat "$OUT/built" 2>/dev/null)" != "$want" ]; then
	make=(nice -n 19 make -C "$SRC" O="$OUT" -j"${JOBS:-$(nproc)}")
	# the daemons' builds have flags of their own, which are not for this
	env -u CFLAGS -u LDFLAGS "${make[@]}" \
		KCONFIG_ALLCONFIG="$OUT/asked.config" allnoconfig >"$OUT/log" 2>&1
	# what was asked for and not had is not found out later
	missing=$(grep -E '^CONFIG_[A-Z0-9_]+=[ym]' "$OUT/asked.config" |
		grep -vxFf "$OUT/.config" || true)
	[ -z "$missing" ] || {
		printf 'the kernel does not take:\n%s\n' "$missing" >&2
		exit 1
	}
	"${make[@]}" bzImage modules >>"$OUT/log" 2>&1 || {
		tail -n 20 "$OUT/log" >&2
		exit 1
	}
	echo "$want" >"$OUT/built"
fi
echo "$OUT"
