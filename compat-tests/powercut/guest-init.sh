#!/bin/sh
# The first process of the guest. The kernel's command line says where things are: GUEST_NODE, GUEST_REPOSITORY, GUEST_ADDRESS.
# The root directory is the host's, read-only; what is to outlive a power cut is on the block device.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs mnt /mnt
mkdir /mnt/disk
mount -t ext4 /dev/ubda /mnt/disk || echo "guest: the disk cannot be mounted"
ip link set lo up
ip address add "$GUEST_ADDRESS/24" dev vec0
ip link set vec0 up
export HOME=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin
export O3_ROOT_ACCESS_KEY=powercut-access-key O3_ROOT_SECRET_KEY=powercut-secret-key-0123456789abcdef
cd /tmp || exit 1
"$GUEST_NODE" "$GUEST_REPOSITORY/compat-tests/powercut/witness.ts" /mnt/disk &
"$GUEST_NODE" "$GUEST_REPOSITORY/cli/bin/o3.mjs" cluster start --om 3 --scm 3 --datanodes 1 \
  --data /mnt/disk/cluster --host "$GUEST_ADDRESS" --s3-port 9000 --set om.segment=4MiB --set scm.containerSize=64MiB
echo "guest: the cluster ended by itself"
# Without the first process the kernel would panic, and what is on the console would be lost.
while :; do sleep 60; done
