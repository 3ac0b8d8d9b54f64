# Loses power at every point of a record, judges, powers off.
mount -t tmpfs -o size=95% tmp /run
# What file systems say of their recovery is not for the console.
echo 1 >/proc/sys/kernel/printk

finish() { say "$1"; reboot -f; }

@MODULES@
try() {
    postern-power-loss replay --file-system @KIND@ "$@" || { echo "--- $*"; dmesg | tail -n 10; finish FAIL; }
}
@TRIES@
finish PASS
