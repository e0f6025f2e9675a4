#!/bin/sh
# Process 1 of the rehearsal guest: loads the drivers beside everything else and runs the guest
# program. When that ends, nothing more happens: so does a Windows that hangs.
PATH=/usr/bin:/usr/sbin
export PATH
trap '' INT HUP TERM

load() {
    for group in "$@"; do
        while read -r module; do
            insmod "/modules/$module" 2> /dev/null || echo "rehearsal: no module $module"
        done < "/modules/$group.list"
    done
}

echo 0 > /proc/sys/kernel/ctrl-alt-del  # the guest program decides what these keys do
mount -t tmpfs none /tmp
mount -t tmpfs none /mnt
[ -e /dev/fb0 ] || load framebuffer > /dev/ttyS0
(
    load needed useful
    : > /run/modules-loaded
) > /dev/ttyS0 &
cd /run/guest || exit
PYTHONPATH=/run/guest:/usr/lib/python3/dist-packages PYTHONUTF8=1 \
    python3 -S -B -c 'from winbuild.rehearsal.guest.main import main; main()' \
    > /dev/ttyS0 2>&1 < /dev/null
echo "rehearsal: the guest program ended with status $?" > /dev/ttyS0
while :; do
    sleep 3600
done
