# One life of a machine that is reset in the midst of it.
mount -t tmpfs tmp /run
echo 1 >/proc/sys/kernel/printk

@MODULES@
postern-power-loss life --file-system @KIND@ --device /dev/vda --number "$(cat /life)" --ledger /ledger --omit @OMIT@
dmesg | tail -n 10
reboot -f
