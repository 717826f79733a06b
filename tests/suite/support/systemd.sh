#!/bin/sh
# Executes systemd as process 1 in its own namespaces, with the units from one folder. It uses this machine's /usr.
# All other files are new and vanish with the namespaces. support/systemd.rs starts this script through unshare(1).
# usage: systemd.sh PROGRAM UNITS. PROGRAM becomes /opt/daytime; UNITS contains the folders `own` and `system`.
set -eu
program=$1
units=$2

mount -t tmpfs -o mode=755 none "$units/root"
cd "$units/root"
mkdir dev etc opt proc run sys tmp usr var var/tmp
chmod 1777 tmp var/tmp
ln -s ../run var/run
for folder in bin sbin lib lib32 lib64; do
    if [ -h "/$folder" ]; then cp -P "/$folder" .; fi
done
mount --bind -o ro /usr usr
# Hides this machine's units.
mount --bind -o ro "$units/system" usr/lib/systemd/system
mount -t proc none proc
mount -t sysfs -o ro none sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 none dev
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/hugepages dev/mqueue dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 none run

echo 'root:x:0:0::/:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group
echo 0123456789abcdef0123456789abcdef >etc/machine-id
mkdir -p etc/systemd/system
cp "$units"/own/* etc/systemd/system/
touch opt/daytime
mount --bind -o ro "$program" opt/daytime

mkdir old
pivot_root . old
cd /
umount -l old
rmdir old
for systemd in /usr/lib/systemd/systemd /lib/systemd/systemd; do
    if [ -x "$systemd" ]; then
        exec env -i container=test PATH=/usr/sbin:/usr/bin "$systemd" --system \
            --show-status=false --log-target=journal
    fi
done
