#!/bin/sh
# The first program of the rehearsal guest (busybox): gets at the root file system, which the boot
# loader has put into memory as /root.img, and goes on there.
PATH=/bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
for module in /modules/*.ko; do
    insmod "$module"
done
if ! mount -t squashfs -o ro,loop /root.img /newroot; then
    echo "rehearsal: the root file system cannot be mounted" > /dev/ttyS0
    sleep 86400
fi
mount -o move /dev /newroot/dev
mount -o move /proc /newroot/proc
mount -o move /sys /newroot/sys
mount -t tmpfs none /newroot/run
cp -r /guest /newroot/run/guest
exec switch_root /newroot /sbin/rehearsal
