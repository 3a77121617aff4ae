#!/bin/bash
# SPDX-License-Identifier: MIT
# linux-moved.sh EMU: plugin processes finds a kernel that moved itself (KASLR) above 256 MiB. The place is random: the guest
# boots until it is there.
. "$(dirname "$0")/linux-lib.sh"

make_image disk --kernel 686 --append "quiet no_timer_check" --run \
    'grep "Kernel code" /proc/iomem; while true; do sleep 100; done'
for try in $(seq 15); do
    emu_start_monitor moved -m 640 -os-version Linux -hda "$work/disk.img" -snapshot
    wait_text serial "Kernel code" 300
    start=$(sed -n 's/^.*\b\([0-9a-f]\{8\}\)-[0-9a-f]\{8\} : Kernel code.*/\1/p' "$work/moved.serial")
    [ -n "$start" ] || fail "the guest's kernel does not say where it is"
    if [ $((0x$start)) -gt $((256 << 20)) ]; then
        emu_type 'load_plugin processes'
        emu_type processes
        wait_text monitor " kthreadd" 60
        monitor_quit
        pass "a kernel at 0x$start is found (boot $try)"
    fi
    monitor_quit
done
fail "in $try boots the kernel never moved above 256 MiB"
