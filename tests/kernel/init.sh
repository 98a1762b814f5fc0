#!/bin/sh
# The first process of the machine: what a distribution and systemd would have done, then the laws.
# `xtask/src/kernel.rs` says what is where; one line of JSON a law goes to the serial console.

export PATH=/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec >/dev/ttyS0 2>&1 </dev/null
# Whatever hangs in here, the machine goes.
(sleep "$(cat /guest/patience)" && echo "the machine was given up" && poweroff -f) &
ip link set lo up
chmod 1777 /tmp

. /guest/laws.sh

delegated_group
start_platform
for law in $(cat /guest/laws); do
    judge "$law"
done
sync
poweroff -f
