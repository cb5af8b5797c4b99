# A virtual machine (QEMU in software emulation, no KVM needed) with a kernel of
# Debian's, or one built for the purpose, whose root is this machine's, shared
# read-only under a layer of memory. Needs $TOP and the packages PACKAGES_VM.

VM_LIB=$TOP/tests/integration/lib

# vm_initrd DIR VERSION THEN: DIR/initrd.img, whose first program (vm-init.sh)
# loads what VERSION needs (modules of /lib/modules; none of a kernel that has
# all built in) and mounts the root, then goes on with the script THEN
vm_initrd() {
	local dir=$1 version=$2 then=$3 m f
	rm -rf "$dir/initrd"
	mkdir -p "$dir/initrd"/{bin,m,proc,sys,dev,host,rw,new}
	cp "$(command -v busybox)" "$dir/initrd/bin/busybox"
	: >"$dir/initrd/modules.sh"
	if [ -d "/lib/modules/$version" ]; then
		for m in virtio_pci 9pnet_virtio 9p overlay; do
			modprobe -S "$version" --show-depends "$m" || return 1
		done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' \
			>"$dir/modules"
		while read -r f; do
			cp "$f" "$dir/initrd/m/"
			printf 'insmod /m/%s\n' "${f##*/}"
		done <"$dir/modules" >"$dir/initrd/modules.sh"
	fi
	printf 'export TOP=%q BUILD=%q DIR=%q\n' "$TOP" "$BUILD" "$dir" \
		>"$dir/initrd/where.sh"
	cp "$then" "$dir/initrd/then.sh"
	install -m 755 "$VM_LIB/vm-init.sh" "$dir/initrd/init"
	(cd "$dir/initrd" && find . | cpio -o -H newc --quiet | gzip -1) \
		>"$dir/initrd.img"
}

# vm_run DIR SECONDS KERNEL APPEND [QEMU-ARGUMENT...]: boot DIR/initrd.img; the
# serial line ends up in DIR/console. VM_ACCEL: other emulation.
vm_run() {
	local dir=$1 limit=$2 kernel=$3 append=$4
	shift 4
	# Never /dev/kvm, which may be there and not work.
	# shellcheck disable=SC2086
	timeout -k 10 "$limit" qemu-system-x86_64 \
		${VM_ACCEL:--accel tcg,thread=multi -smp 2} -cpu max \
		-m "${VM_MEMORY:-1024}" -nodefaults -display none \
		-serial stdio -no-reboot \
		-kernel "$kernel" -initrd "$dir/initrd.img" \
		-append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off net.ifnames=0 $append" \
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
		"$@" </dev/null >"$dir/console" 2>&1
}

# vm_sentences DIR: what the guest said, and its sum, from DIR/console; kept in
# SAVE_LOGS. Fails unless something passed and nothing failed: a guest that died
# is a failure.
vm_sentences() {
	local dir=$1
	tr -d '\r' <"$dir/console" |
		grep -aE '^(ok|not ok|        |[0-9]+ passed)' ||
		tail -n 30 "$dir/console"
	if [ -n "${SAVE_LOGS:-}" ]; then
		mkdir -p "$SAVE_LOGS"
		cp "$dir/console" "$SAVE_LOGS/console${VM_NAME:+-$VM_NAME}"
	fi
	tr -d '\r' <"$dir/console" |
		grep -qaE '^[1-9][0-9]* passed, 0 failed$' && return 0
	grep -qaE '^[0-9]+ passed, ' "$dir/console" || {
		tail -n 30 "$dir/console"
		echo "0 passed, 1 failed"
	}
	return 1
}
