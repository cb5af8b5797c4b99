#!/bin/bash
# make check-matrix: what a release must pass beyond ./run-tests. A build of
# its own for each row, make check in it:
#
#   i386      32-bit, run by this machine's own processor, or under qemu-user
#             where its kernel runs 64-bit programs only
#   s390x     big-endian, under qemu-user
#   tsan      ThreadSanitizer
#   valgrind  memcheck over every test program
#   fuzz      libFuzzer, 60 s for each target
#
# usage: run.sh [ROW...]     as root (packages, debootstrap); all rows: one to
#                            two hours
#
# Packages of a foreign architecture are unpacked below the cache directory
# (SALLYPORT_CACHE, default /var/cache/sallyport-matrix) and are used as a
# root for compiler and emulator; the machine itself stays as it is.
set -uo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
CACHE=${SALLYPORT_CACHE:-/var/cache/sallyport-matrix}
WORK=$TOP/build-matrix
SOURCE=$TOP
LIB=$TOP/tests/integration/lib
. "$LIB/packages.sh"
cd "$TOP" || exit 1

FOREIGN="libc6-dev libgcc-12-dev linux-libc-dev check libgnutls28-dev
 nettle-dev libosip2-dev libsrtp2-dev libconfuse-dev libsqlite3-dev
 libjansson-dev libseccomp-dev libcap-ng-dev libsystemd-dev
 libnetfilter-queue-dev libmnl-dev libc-ares-dev"
ROWS=${*:-i386 s390x tsan valgrind fuzz}

say() {
	printf '%s\n' "$*"
}

# sysroot ARCH: unpack what FOREIGN needs, once for each such list
sysroot() {
	local arch=$1 dir=$CACHE/$1 mirror suite list
	[ "$(cat "$dir/complete" 2>/dev/null)" = "$FOREIGN" ] && return 0
	rm -rf "$dir"
	mkdir -p "$dir/root"
	# where this machine gets its own packages from
	read -r mirror suite < <(apt-get indextargets --format \
		'$(SITE) $(CODENAME) $(CREATED_BY)' |
		awk '$2 ~ /^[a-z]+$/ && $3 == "Packages" { print $1, $2; exit }')
	list=$(echo $FOREIGN | tr ' ' ',')
	debootstrap --arch="$arch" --foreign --variant=minbase \
		--include="$list" "$suite" "$dir/debs" "$mirror" || return 1
	for f in "$dir"/debs/var/cache/apt/archives/*.deb; do
		dpkg -x "$f" "$dir/root" || return 1
	done
	rm -rf "$dir/debs"
	# a link that names an absolute file means one below the root
	find "$dir/root" -xtype l -lname '/*' | while read -r l; do
		ln -sfn "$dir/root$(readlink "$l")" "$l"
	done
	printf '%s\n' "$FOREIGN" >"$dir/complete"
}

# configure_in DIR ARGUMENT...: a build directory made anew
configure_in() {
	local dir=$WORK/$1
	shift
	rm -rf "$dir"
	mkdir -p "$dir"
	(cd "$dir" && "$SOURCE/configure" -q "$@")
}

check_in() {
	local dir=$WORK/$1
	shift
	make -C "$dir" -s -j"$(nproc)" all &&
		make -C "$dir/tests" -k -j"$(nproc)" check "$@"
}

# foreign ARCH TRIPLET COMPILER LINKER-FLAGS: configure with what sysroot
# unpacked
foreign() {
	local arch=$1 triplet=$2 compiler=$3 root=$CACHE/$1/root lib
	sysroot "$arch" || return 1
	lib=$root/usr/lib/$triplet
	PKG_CONFIG_LIBDIR=$lib/pkgconfig:$root/usr/share/pkgconfig \
		PKG_CONFIG_SYSROOT_DIR=$root \
		configure_in "$arch" --enable-werror --host="$triplet" \
		CC="$compiler --sysroot=$root" \
		LDFLAGS="-L$lib -Wl,-rpath-link,$lib -Wl,-rpath-link,$root/lib/$triplet $4"
}

# emulated ARCH: make check in it under qemu-user
emulated() {
	CK_TIMEOUT_MULTIPLIER=100 EMULATION_LACKS="exec seccomp descriptors options xfrm" \
		check_in "$1" LOG_COMPILER="$TOP/tests/matrix/emulate qemu-$1-static -L $CACHE/$1/root"
}

row_i386() {
	local root=$CACHE/i386/root
	local lib=$root/usr/lib/i386-linux-gnu:$root/lib/i386-linux-gnu
	foreign i386 i386-linux-gnu i686-linux-gnu-gcc \
		"-Wl,--dynamic-linker=$root/lib/i386-linux-gnu/ld-linux.so.2 -Wl,--disable-new-dtags,-rpath,$lib" ||
		return 1
	if "$root/lib/i386-linux-gnu/ld-linux.so.2" --version >/dev/null 2>&1; then
		EMULATION_LACKS=xfrm check_in i386
	else
		emulated i386
	fi
}
row_s390x() {
	foreign s390x s390x-linux-gnu s390x-linux-gnu-gcc "" &&
		emulated s390x
}
row_tsan() {
	configure_in tsan CC=clang --enable-tsan && check_in tsan
}
row_valgrind() {
	configure_in valgrind --enable-werror --disable-hardening CFLAGS="-g -O1" &&
		CK_TIMEOUT_MULTIPLIER=100 EMULATION_LACKS="exec seccomp descriptors" \
			check_in valgrind LOG_COMPILER="$TOP/tests/matrix/emulate valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite"
}
row_fuzz() {
	configure_in fuzz CC=clang --enable-fuzzing &&
		make -C "$WORK/fuzz" -s -j"$(nproc)" all &&
		make -C "$WORK/fuzz" -k -j"$(nproc)" fuzz \
			FUZZ_SECONDS="${FUZZ_SECONDS:-60}"
}

# row NAME: run it, one line with the outcome
row() {
	local log=$WORK/$1.log start=$SECONDS mark=ok status=0
	"row_$1" >"$log" 2>&1 </dev/null || status=$?
	[ "$status" = 0 ] || mark=FAILED
	printf '%-10s %-6s (%d s)\n' "$1" "$mark" $((SECONDS - start))
	if [ "$status" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		grep -aE '^(FAIL|ERROR|SKIP)|: error:|[^ ]+:[0-9]+:[EF]:|SUMMARY:' \
			"$log" | head -40
		say "see $log"
	fi
}

for r in $ROWS; do
	declare -F "row_$r" >/dev/null || {
		say "unknown row: $r" >&2
		exit 2
	}
done
passed=0 failed=0
mkdir -p "$WORK"
# shellcheck disable=SC2086
packages_install $PACKAGES_BUILD $PACKAGES_TEST $PACKAGES_MATRIX || exit 1
[ -x configure ] || autoreconf -fi >"$WORK/autoreconf.log" 2>&1 || exit 1
# What was configured where it lies serves no second build: from a copy then.
if [ -e config.status ]; then
	SOURCE=$WORK/source
	make -s distdir distdir=build-matrix/source >"$WORK/copy.log" 2>&1 || {
		say "no copy of the source: see $WORK/copy.log" >&2
		exit 1
	}
fi
for r in $ROWS; do
	row "$r"
done
say "$passed passed, $failed failed"
[ "$failed" = 0 ]
