#!/bin/bash
# make check-kmod: what is true of nf_srtp before it is loaded anywhere. sparse
# and checkpatch have nothing to say, DKMS builds, installs and removes it, and
# modinfo and sallyportctl tell about it what is so; it builds for older and
# newer series of Debian's, where their suites are reached.
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=${TOP:-$(cd "$HERE/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
SERIES=${SERIES-bullseye trixie} # SERIES= for none
. "$HERE/lab.sh"
. "$TOP/tests/integration/lib/sentences.sh"
LAB=$BUILD/tests/kmod-lab
SOURCE=$TOP/kmod

# the kernel's makefiles want none of ours
kmake() { env -u CFLAGS -u LDFLAGS -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make "$@"; }
# said FILE: no warning in it
said() { ! grep -iE '(^|[^a-z])(warning|error): ' "$1" | grep -v 'the compiler differs'; }
fresh() { rm -rf "$1" && mkdir -p "$1" && cp -r "$SOURCE/." "$1/"; }

packages() {
	# shellcheck disable=SC2086
	packages_install $PACKAGES_KERNEL $PACKAGES_KMOD
}

sparse_says_nothing() {
	fresh "$LAB/sparse" &&
		kmake -C "$KDIR" M="$LAB/sparse" C=2 CF=-D__CHECK_ENDIAN__ \
			modules >"$LAB/sparse.log" 2>&1 &&
		grep -q '^  CHECK ' "$LAB/sparse.log" && said "$LAB/sparse.log"
}

# the script and its tables, once for a version of the package
checkpatch() {
	local d=$LAB/checkpatch tar
	tar=$(ls /usr/src/linux-source-6.1.tar.xz) || return 1
	if [ "$d/checkpatch.pl" -ot "$tar" ]; then
		rm -rf "$d"
		mkdir -p "$d"
		tar -C "$d" --strip-components=2 -xf "$tar" \
			linux-source-6.1/scripts/{checkpatch.pl,spelling.txt,const_structs.checkpatch} ||
			return 1
		touch "$d/checkpatch.pl"
	fi
	find "$SOURCE" -name '*.[ch]' -print0 | xargs -0 \
		perl "$d/checkpatch.pl" --no-tree --no-summary --terse -f
}

# --- DKMS, with a machine of its own below $LAB/root -----------------------------

root=$LAB/root
dkms_() {
	env -u CFLAGS -u LDFLAGS -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		dkms "$@" --dkmstree "$root/var/lib/dkms" \
		--sourcetree "$root/usr/src" \
		--installtree "$root/lib/modules" 2>&1
}
release() { dkms_ "$1" -m nf_srtp -v "$version" -k "$VERSION"; }
machine() {
	rm -rf "$root"
	mkdir -p "$root"/{proc,var/lib/dkms,usr/src} \
		"$root/lib/modules/$VERSION" &&
		: >"$root/proc/modules" &&
		ln -s "$(realpath "$KDIR")" "$root/lib/modules/$VERSION/build" &&
		kmake -C "$BUILD" install-dkms DESTDIR="$root"
}
module() { find "$root/lib/modules/$VERSION" -name 'nf_srtp.ko*'; }
is_installed() { [ "$(module)" = "$root/lib/modules/$VERSION/updates/dkms/nf_srtp.ko" ]; }
modinfo_tells() {
	local m want
	m=$(modinfo "$(module)") || return 1
	echo "$m"
	for want in "version: *$version" 'license: *GPL' \
		'description: *Relay for RTP and SRTP' \
		"vermagic: *$VERSION " 'parm: *local_in:' \
		'alias: *net-pf-16-proto-16-family-nf_srtp'; do
		grep -qE "^$want" <<<"$m" || { echo "missing: $want"; return 1; }
	done
}
# says SENTENCE [RELEASE]: what sallyportctl says of that machine
says() {
	local got
	got=$("$BUILD/tests/kernel/why" "$root" "${2:-$VERSION}") || return 1
	echo "$got"
	[ "$got" = "$1" ]
}
is_gone() { [ -z "$(module)" ] && [ ! -e "$root/var/lib/dkms/nf_srtp" ]; }

# DKMS makes itself a key to sign with, which was not there before
had_key=
[ ! -e /var/lib/dkms/mok.key ] || had_key=1
key_goes() { [ -n "$had_key" ] || rm -f /var/lib/dkms/mok.key /var/lib/dkms/mok.pub; }

dkms_part() {
	is_true "its sources are put where DKMS looks for them" machine
	is_true "DKMS takes them" dkms_ add -m nf_srtp -v "$version"
	is_true "sallyportctl: it is not built" \
		says "it is not built for kernel $VERSION: dkms status"
	is_true "sallyportctl: the headers are missing" \
		says "it could not be built: the headers of kernel 9.9.9 are missing (linux-headers-9.9.9)" 9.9.9
	is_true "DKMS builds it for $VERSION" release build
	is_true "and installs it" release install
	is_true "where modules are looked for" is_installed
	is_true "modinfo tells what it is" modinfo_tells
	is_true "sallyportctl: it is only not loaded" \
		says "module nf_srtp is not loaded: modprobe nf_srtp"
	mkdir -p "$root/lib/modules/9.9.9/build"
	is_true "sallyportctl: it is for another kernel" \
		says "wrong kernel: it is built for $VERSION, and 9.9.9 is running" 9.9.9
	mkdir -p "$root/sys/kernel/security"
	echo 'none [integrity] confidentiality' \
		>"$root/sys/kernel/security/lockdown"
	is_true "sallyportctl: Secure Boot" \
		says "module nf_srtp is not loaded: Secure Boot takes only signed modules (mokutil --import the key that DKMS signs with, then modprobe nf_srtp)"
	is_true "DKMS removes it" dkms_ remove nf_srtp/"$version" --all
	is_true "and nothing of it is left" is_gone
	key_goes
}

# --- other series -------------------------------------------------------------

# apt_ SUITE COMMAND...: apt of another suite, in folders of its own
apt_() {
	local suite=$1 d=$LAB/apt/$1 cmd=$2
	shift 2
	mkdir -p "$d"/{lists/partial,cache/archives/partial}
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" \
		>"$d/sources.list"
	"$cmd" -o Dir::Etc::sourcelist="$d/sources.list" \
		-o Dir::Etc::sourceparts=- -o Dir::State::lists="$d/lists" \
		-o Dir::State::status=/dev/null -o Dir::Cache="$d/cache" \
		-o APT::Sandbox::User=root -o Acquire::Retries=0 \
		-o Acquire::http::Timeout=10 "$@"
}
# headers SUITE: unpacks the newest headers there, sets VERSION, KDIR
headers() {
	local suite=$1 d=$LAB/apt/$1 kbuild
	VERSION=$(apt_ "$suite" apt-cache search '^linux-headers-[0-9].*-amd64$' |
		sed -n 's/^linux-headers-\([0-9][^ ]*-amd64\) .*/\1/p' |
		grep -vE -- '-(cloud|rt)-' | sort -V | tail -n 1)
	[ -n "$VERSION" ] || return 1
	KDIR=$d/$VERSION/usr/src/linux-headers-$VERSION
	[ ! -e "$d/$VERSION/done" ] || return 0
	kbuild=$(apt_ "$suite" apt-cache depends "linux-headers-$VERSION" |
		sed -n 's/.*Depends: \(linux-kbuild-.*\)/\1/p')
	rm -rf "${d:?}/$VERSION"
	mkdir -p "$d/$VERSION"
	(
		cd "$d/$VERSION" && apt_ "$suite" apt-get -qq download \
			"linux-headers-$VERSION" "$kbuild" \
			"linux-headers-${VERSION%-amd64}-common" &&
			for deb in *.deb; do dpkg -x "$deb" . || exit 1; done
	) || return 1
	# one path in it is not relative
	sed -i "s|/usr/src/|$d/$VERSION/usr/src/|" "$KDIR/Makefile"
	touch "$d/$VERSION/done"
}
builds() {
	fresh "$LAB/other-$1" &&
		kmake -C "$KDIR" M="$LAB/other-$1" CC="${CC_KERNEL:-gcc}" modules \
			>"$LAB/other-$1.log" 2>&1 ||
		{ tail -n 20 "$LAB/other-$1.log"; return 1; }
	[ -e "$LAB/other-$1/nf_srtp.ko" ] && said "$LAB/other-$1.log"
}
# has_compiler: the series' own may be newer than ours and not to be had
has_compiler() {
	local want
	want=$(sed -n 's/.*gcc-\([0-9]*\)$/\1/p' "$KDIR/.kernelvariables")
	CC_KERNEL=gcc
	[ "${want:-0}" -gt "$(gcc -dumpversion)" ] || return 0
	CC_KERNEL=gcc-$want
	command -v "$CC_KERNEL" >/dev/null
}
other_series() {
	local suite
	for suite in $SERIES; do
		if ! apt_ "$suite" apt-get -qq update >"$LAB/apt.log" 2>&1 ||
			! headers "$suite" >>"$LAB/apt.log" 2>&1; then
			echo "skipped: the kernel of $suite, which apt does not reach here"
		elif ! has_compiler; then
			echo "skipped: $VERSION of $suite, whose compiler $CC_KERNEL is not here"
		else
			is_true "it builds for $VERSION ($suite)" builds "$VERSION"
		fi
	done
}

mkdir -p "$LAB"
is_true "root, and the packages" packages
lab_kernel 6.1 || exit 1
is_true "sparse has nothing to say" sparse_says_nothing
is_true "checkpatch has nothing to say" checkpatch
# of the package: sentences are said in processes of their own
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$SOURCE/dkms.conf")
dkms_part
other_series
sentences_end
