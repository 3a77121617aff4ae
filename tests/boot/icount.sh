#!/bin/bash
# SPDX-License-Identifier: MIT
# Two runs of one boot with -icount are the same run: the serial console with the kernel's time stamps, the
# disk, all of memory and the count of instructions agree when the guest has powered off.
. "$(dirname "$0")/lib.sh"

make_image disk
set_run "$work/disk.img" 'dmesg | sha256sum; cat /proc/interrupts; date'
for run in one two; do
    cp --sparse=always "$work/disk.img" "$work/$run.img"
    emu_start_monitor $run -m 128 -hda "$work/$run.img" -icount shift=1 -rtc base=2024-05-06T07:08:09 -no-shutdown
    wait_text serial "reboot: Power down" 600
    sleep 1
    emu_type 'info status'
    wait_text monitor "paused" 30
    emu_type 'info registers'
    is_qemu || emu_type 'info icount'
    emu_type "pmemsave 0 $((128 << 20)) $run.mem"
    monitor_quit
    grep -vE '\.(img|mem)' "$work/$run.out" >"$work/$run.state"
done
[ "$(stat -c %s "$work/one.mem")" = $((128 << 20)) ] || fail "pmemsave saved no memory"
cmp "$work/one.serial" "$work/two.serial" || fail "the serial consoles differ"
cmp "$work/one.state" "$work/two.state" || fail "registers or instruction counts differ"
cmp "$work/one.mem" "$work/two.mem" || fail "memory differs"
cmp "$work/one.img" "$work/two.img" || fail "the disks differ"
is_qemu || grep -qE 'instructions' "$work/one.state" || fail "info icount prints no count of instructions"
pass "two runs with -icount agree in console, registers, memory and disk: $(hash_of "$work/one.mem" | cut -c 1-16)"
