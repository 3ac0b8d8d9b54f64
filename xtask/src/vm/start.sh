#!/bin/busybox sh
# How every emulated machine starts. Its own script follows; lines for the outside begin with POSTERN-VM.

/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin
/bin/busybox --install -s /usr/bin
export PATH=/bin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
# The firmware leaves its last line open.
echo
say() { echo "POSTERN-VM: $*"; }

