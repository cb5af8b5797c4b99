# The virtual machine of the system test goes on here (lib/vm-init.sh): systemd,
# with nothing to start but the test.
cd /new || exec poweroff -f
# The host's own services are not ours to start, and it may be a container, which
# this is not; fstab is of other disks. systemd-tmpfiles-setup would walk through
# all that lies in its /tmp; the test calls systemd-tmpfiles for what is ours.
rm -rf etc/systemd/system etc/fstab etc/machine-id .dockerenv run/.containerenv
mkdir -p etc/systemd/system
: >etc/fstab
printf '%032d\n' 1 >etc/machine-id
for unit in systemd-udevd.service systemd-udevd-control.socket \
	systemd-udevd-kernel.socket systemd-udev-trigger.service \
	systemd-firstboot.service systemd-repart.service systemd-binfmt.service \
	proc-sys-fs-binfmt_misc.automount systemd-pstore.service \
	systemd-random-seed.service systemd-update-utmp.service \
	systemd-machine-id-commit.service systemd-sysusers.service \
	systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service \
	kmod-static-nodes.service \
	systemd-modules-load.service systemd-pcrphase-sysinit.service \
	systemd-pcrphase.service systemd-timesyncd.service \
	systemd-journal-flush.service systemd-sysctl.service \
	systemd-remount-fs.service systemd-ask-password-console.path \
	systemd-ask-password-wall.path dev-hugepages.mount dev-mqueue.mount \
	sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
	sys-fs-fuse-connections.mount run-rpc_pipefs.mount; do
	ln -s /dev/null "etc/systemd/system/$unit"
done
cat >etc/systemd/system/sallyport-test.target <<UNIT
[Unit]
Description=The test of Sallyport
Wants=sallyport-test.service
AllowIsolate=yes
UNIT
cat >etc/systemd/system/sallyport-test.service <<UNIT
[Unit]
Description=The sentences of the test
DefaultDependencies=no
After=systemd-journald.socket
[Service]
Type=oneshot
Environment=TOP=$TOP BUILD=$BUILD DIR=$DIR HOME=/root
ExecStart=/bin/bash $TOP/tests/system/guest.sh
ExecStopPost=/bin/systemctl poweroff --force --force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TimeoutStartSec=infinity
UNIT
mkdir -p var/log/journal.none
cp -a ".$DIR/dest/." .
cd /
exec switch_root /new /lib/systemd/systemd --unit=sallyport-test.target
