# Makes the lab, runs Postern in it, judges, powers off.
mount -t tmpfs tmp /run
mkdir -p /run/netns
mount -t bpf bpf /sys/fs/bpf

finish() { say "$1"; sync; reboot -f; }
fail() {
    echo "--- $1"
    [ -f /run/postern.log ] && cat /run/postern.log
    dmesg | tail -n 20
    finish FAIL
}
client() { nsenter --net=/run/netns/postern-client "$@"; }
gateway() { nsenter --net=/run/netns/postern-gw "$@"; }
server() { nsenter --net=/run/netns/postern-server "$@"; }

@MODULES@
set -e
trap '[ $? = 0 ] || fail "the lab could not be made"' EXIT
@LAB@
set +e
trap - EXIT

# Without its neighbours known, the gateway's first packet would be the stack's to forward.
for address in 10.77.1.2 10.77.2.2 fd77:1::2 fd77:2::2; do
    gateway ping -c 1 -W 2 $address >/dev/null || fail "no answer from $address"
done

# From here on the stack forwards nothing: what arrives was forwarded by the program.
gateway nft -f - <<RULES || fail "nft"
table inet proof {
    chain forward { type filter hook forward priority 0; policy drop; counter; }
}
RULES
# XDP sees no checksum that is still to be computed.
client ethtool -K pcl0 tx off >/dev/null
server ethtool -K psv0 tx off >/dev/null

stacked() { gateway nft list chain inet proof forward | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }

# Forwards between these interfaces by this hook.
try_hook() {
    hook=$1
    shift
    before=$(stacked)
    : >/run/postern.log
    gateway postern run --config /postern.toml --hook $hook $(printf -- '--interface %s ' "$@") >>/run/postern.log 2>&1 &
    daemon=$!
    tries=0
    until grep -q '^postern: ready' /run/postern.log; do
        kill -0 $daemon 2>/dev/null || fail "$hook: postern ended"
        tries=$((tries + 1))
        [ $tries -lt 200 ] || fail "$hook: postern was not ready within 100 s"
        sleep 0.5
    done
    gateway postern stat >/run/stat || fail "$hook: postern stat"
    for interface in "$@"; do
        grep -q "^ *$interface .* $hook .* attached" /run/stat || { cat /run/stat; fail "$hook: $interface is not attached"; }
    done
    for address in 10.77.2.2 fd77:2::2; do
        echo "over $address by $hook" >/run/expected
        server nc -l -p 7777 -w 20 >/run/received </dev/null &
        listener=$!
        sleep 1
        client nc -w 5 $address 7777 </run/expected
        wait $listener
        cmp /run/expected /run/received || fail "$hook: nothing came through to $address"
    done
    [ "$(stacked)" = "$before" ] || fail "$hook: the stack was asked to forward packets"
    gateway postern stat >/run/stat-after || fail "$hook: postern stat"
    gateway postern stop || fail "$hook: postern stop"
    wait $daemon
    [ -e /sys/fs/bpf/postern ] && fail "$hook: pins were left behind"
    client nc -w 1 10.77.2.2 7777 </run/expected 2>/dev/null && fail "$hook: the program is still attached"
}
# A kernel that lacks something: one sentence, and nothing is left half attached.
rmmod sch_ingress || fail "sch_ingress is no module, or in use"
gateway postern run --config /postern.toml --hook tc >/run/postern.log 2>&1
code=$?
[ $code = 71 ] || fail "without sch_ingress: postern ended with $code"
[ "$(grep -c '^postern: ' /run/postern.log)" = 1 ] || fail "without sch_ingress: not one sentence"
grep -q '^postern: .*pgw[01].*sch_ingress' /run/postern.log || fail "without sch_ingress: not said what is missing"
[ -e /sys/fs/bpf/postern ] && fail "without sch_ingress: pins were left behind"
sed -n 's/^postern: /POSTERN-VM: note without sch_ingress it says: /p' /run/postern.log
insmod /modules/sch_ingress.ko || fail "sch_ingress is gone"

try_hook tc pgw0 pgw1
try_hook xdp pgw0 pgw1

# The same client comes in by a VLAN now, whose device is a gateway interface itself.
vlan() {
    "$1" /bin/ip link add link $2 name $2.7 type vlan id 7 || fail "no VLAN on $2"
    "$1" /bin/ip address add 10.77.7.$3/24 dev $2.7
    "$1" /bin/ip address add fd77:7::$3/64 dev $2.7 nodad
    "$1" /bin/ip link set $2.7 up
}
vlan gateway pgw0 1
vlan client pcl0 2
client /bin/ip route add 10.77.2.2/32 via 10.77.7.1
client /bin/ip route add fd77:2::2/128 via fd77:7::1
for address in 10.77.7.2 fd77:7::2; do
    gateway ping -c 1 -W 2 $address >/dev/null || fail "no answer from $address"
done
try_hook tc pgw0 pgw0.7 pgw1
grep -q '^ *stack  *tagged ' /run/stat-after || { cat /run/stat-after; fail "no tagged frame was seen by pgw0"; }
say "note attached to pgw0 and pgw1, forwarded TCP over IPv4 and IPv6 past the stack with TC and with XDP, and from a VLAN's device with TC; stopped"
finish PASS
