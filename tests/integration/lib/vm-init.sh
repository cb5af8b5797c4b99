#!/bin/busybox sh
# First program of a virtual machine: this machine's root, read-only, under a
# layer of memory, in /new; then the script of the test.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
. /modules.sh
. /where.sh
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 \
	host /host || exec poweroff -f
mount -t tmpfs tmpfs /rw
mkdir /rw/upper /rw/work
mount -t overlay overlay \
	-o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work /new ||
	exec poweroff -f
. /then.sh
