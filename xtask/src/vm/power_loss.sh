#!/bin/busybox sh
# First process of the emulated machine: loses power at every point of a record, judges, powers off.
# Lines for the outside begin with POSTERN-VM.

/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin
/bin/busybox --install -s /usr/bin
export PATH=/bin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o size=95% tmp /run
# What file systems say of their recovery is not for the console.
echo 1 >/proc/sys/kernel/printk

# The firmware leaves its last line open.
echo
say() { echo "POSTERN-VM: $*"; }
finish() { say "$1"; reboot -f; }

@MODULES@
try() {
    postern-power-loss --file-system @KIND@ "$@" || { echo "--- $*"; dmesg | tail -n 10; finish FAIL; }
}
@TRIES@
finish PASS
