# The virtual machine of the laboratory goes on here (lib/vm-init.sh): a bare
# root with what a program expects of one, and the script of the test.
cd /new || exec poweroff -f
rm -rf .dockerenv run/.containerenv
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devtmpfs dev
mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts
for dir in dev/shm run var/tmp; do
	mount -t tmpfs tmpfs $dir
done
chmod 1777 tmp var/tmp dev/shm
mkdir -p run/netns
ln -s /proc/self/fd dev/fd
mount -t debugfs debugfs sys/kernel/debug 2>/dev/null
ip link set lo up

exec_in_root() {
	chroot /new "$@" </dev/null
	poweroff -f
}
