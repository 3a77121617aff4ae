#!/bin/bash
# SPDX-License-Identifier: MIT
# debian.sh EMU PART...: runs jobs in a Debian made by debootstrap and, natively, in a chroot of the same root, and compares
# all that they print. A part is the name of a script in debian/, with arguments behind colons: compile, openssl, perl,
# python, python:test_math:test_float, stress:cpu. Its time in the guest and natively is printed.
# The guest's time follows its instructions (-icount), so that a busy host breaks no time limit inside.
# EMU_SAVE names a folder that keeps the logs, EMU_KERNEL another kernel (686-pae), EMU_CPU another CPU.
. "$(dirname "$0")/../boot/lib.sh"
[ $# -gt 0 ] || set -- compile openssl perl python stress:cpu stress:float stress:memory stress:kernel
kernel=${EMU_KERNEL:-686}

debian() {
    "$guests/make-debian.sh" --kernel "$kernel" "$@" 2>"$work/make.log" || {
        cat "$work/make.log" >&2
        fail "no Debian: $(tail -n 1 "$work/make.log")"
    }
}
tree=$(debian --tree) || exit 1
image=$(debian) || exit 1

# The kernel is loaded directly: the boot loaders have tests of their own.
list='mkdir /tmp/job && tar xf /dev/sdb -C /tmp/job && cd /tmp/job && sh ./run.sh /dev/ttyS1'
line="root=/dev/sda2 console=ttyS0,115200 quiet rootdelay=900 init=/sbin/emu-init emu.poweroff=1"
line="$line emu.run64=$(printf '%s' "$list" | base64 -w 0)"

mkdir "$work/job"
cp -R "$source_root"/tests/guests/debian/. "$work/job/"
printf '%s\n' "$@" >"$work/job/parts"
tar -C "$work/job" --owner=0 --group=0 -cf "$work/job.tar" .

# Natively: in name spaces of its own, so that nothing stays mounted and no process is left.
native() {
    local user=
    [ "$(id -u)" = 0 ] || user=--map-root-user
    exec 7>&- 9>&-
    nice -n 5 timeout --foreground -s KILL "$(limit 6000)" env -i PATH="$PATH" \
        unshare $user --mount --pid --net --uts --ipc --fork --kill-child bash -c '
        mount -t tmpfs -o mode=1777 tmpfs "$0/tmp" && mount -t proc proc "$0/proc" &&
        { mount -t sysfs sysfs "$0/sys" || true; } && mkdir -p "$0/dev/shm" "$0/dev/pts" &&
        mount -t tmpfs -o mode=1777 tmpfs "$0/dev/shm" &&
        mount -t devpts -o newinstance,ptmxmode=666 devpts "$0/dev/pts" &&
        hostname guest && mkdir "$0/tmp/job" && tar xf "$1" -C "$0/tmp/job" && ip link set lo up &&
        chroot "$0" /bin/sh -c "cd /tmp/job && exec sh ./run.sh /tmp/native.log"; cat "$0/tmp/native.log" >"$2"' \
        "$tree" "$work/job.tar" "$work/native.log" </dev/null >"$work/native.out" 2>&1
}

: >"$work/debian.serial"
emu_start debian -serial "file:$work/debian.serial" -serial "file:$work/guest.log" -monitor null -m 512 \
    ${EMU_CPU:+-cpu "$EMU_CPU"} -kernel "$(echo "$tree"/boot/vmlinuz-*)" -initrd "$(echo "$tree"/boot/initrd.img-*)" -append "$line" -hda "$image" -hdb "$work/job.tar" -snapshot -no-reboot \
    -icount shift=0 ${EMU_OPTIONS:-}
native &
native_pid=$!
trap 'pkill -KILL -P "$(pgrep -P "$native_pid" | head -n 1)" 2>/dev/null; cleanup' EXIT
wait_exit 0 7000
wait "$native_pid"
[ -s "$work/native.log" ] || fail "the native run gave nothing: $(tail -n 3 "$work/native.out")"
if [ -n "${EMU_SAVE:-}" ]; then
    mkdir -p "$EMU_SAVE"
    cp "$work"/*.log "$work"/native.out "$work"/debian.serial "$EMU_SAVE/"
fi
grep '^PART' "$work/debian.serial" | tr -d '\r' | sed 's/^/guest:  /'
grep '^PART' "$work/native.out" | sed 's/^/native: /'
lines=$(wc -l <"$work/native.log")
for part in "$@"; do
    grep -qF "== $part ended with " "$work/guest.log" || fail "$part did not end in the guest"
done
diff "$work/native.log" "$work/guest.log" >"$work/difference" || {
    head -n 40 "$work/difference" >&2
    fail "the guest's log differs from the native one in $(grep -c '^[<>]' "$work/difference") lines"
}
has_text serial "RUN END status 0"
pass "$* in Debian: $lines lines are those of the native run"
