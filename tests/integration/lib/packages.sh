# Debian packages, installed only when missing and without starting a service.

PACKAGES_BUILD="autoconf automake make gcc libc6-dev pkg-config check
 libgnutls28-dev nettle-dev libosip2-dev libsrtp2-dev libconfuse-dev
 libsqlite3-dev libjansson-dev libseccomp-dev libcap-ng-dev libsystemd-dev
 libc-ares-dev libnetfilter-queue-dev libmnl-dev"
PACKAGES_PHONES="gnutls-bin iproute2 procps tcpdump kamailio baresip-core
 linphone-cli kamailio-tls-modules tshark"
PACKAGES_TEST="iptables nftables dnsmasq-base clang llvm libclang-rt-14-dev xz-utils stunnel4 sip-tester
 openssl softhsm2 systemd sipvicious fail2ban"
# the peers of make bench
PACKAGES_BENCH="iptables nftables iproute2 procps util-linux kamailio kamailio-tls-modules
 rtpengine-daemon"
# for make check-matrix only
PACKAGES_MATRIX="debootstrap qemu-user-static gcc-i686-linux-gnu
 gcc-s390x-linux-gnu valgrind"
# a virtual machine with Debian's kernel
PACKAGES_VM="qemu-system-x86 linux-image-amd64 busybox-static cpio kmod"
# ... for tests/system
PACKAGES_SYSTEM="$PACKAGES_VM gnutls-bin nftables systemd iproute2 procps"
# ... and for its test of IPsec
PACKAGES_IPSEC="$PACKAGES_VM nftables iproute2 charon-systemd strongswan-swanctl
 libstrongswan-standard-plugins"
# ... for tests/kernel, and the newer kernel of the same Debian
PACKAGES_KERNEL="$PACKAGES_VM linux-headers-amd64 gcc make iproute2 procps
 python3 nftables gnutls-bin kamailio baresip-core stunnel4 sip-tester tcpdump"
PACKAGES_KERNEL_NEWER="linux-image-6.12-amd64 linux-headers-6.12-amd64"
# ... and the peers of make bench-kernel (its module for the kernel is unpacked)
PACKAGES_BENCH_KERNEL="rtpengine-daemon iptables nftables"
# ... and what looks at the module before it is loaded
PACKAGES_KMOD="sparse dkms linux-source-6.1 perl xz-utils"
# ... and what its debug kernels are built from
PACKAGES_KERNEL_DEBUG="linux-source-6.1 flex bison bc libelf-dev xz-utils"

packages_missing() {
	local p
	for p in "$@"; do
		dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null |
			grep -qx installed || printf '%s ' "$p"
	done
}

# packages_install PACKAGE...: what is missing of these
packages_install() {
	local missing
	missing=$(packages_missing "$@")
	[ -n "$missing" ] || return 0
	[ "$(id -u)" = 0 ] || {
		echo "needs root to install: $missing" >&2
		return 1
	}
	echo "installing: $missing"
	# shellcheck disable=SC2086
	packages_quietly $missing
}

# In a subshell, so that its trap takes policy-rc.d away whatever happens: exit
# status 101 tells dpkg's scripts to start nothing. One that is there already
# is put back afterwards.
packages_quietly() (
	policy=/usr/sbin/policy-rc.d
	saved=$policy.sallyport-saved
	restore() {
		rm -f "$policy"
		[ ! -e "$saved" ] || mv "$saved" "$policy"
	}
	[ -e "$saved" ] || [ ! -e "$policy" ] || mv "$policy" "$saved"
	trap restore EXIT
	trap 'exit 130' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	export DEBIAN_FRONTEND=noninteractive
	get="apt-get -qq -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0"
	if ! $get install --no-install-recommends "$@" >/dev/null 2>&1; then
		echo "(the package lists are old: apt-get update first)"
		$get update
		$get install --no-install-recommends "$@" >/dev/null
	fi
	# installed for a test, not to run at the next boot
	for unit in kamailio rtpengine-daemon stunnel4; do
		case " $* " in
		*" $unit "*) systemctl disable --quiet "$unit" 2>/dev/null || true ;;
		esac
	done
)
