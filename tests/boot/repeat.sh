#!/bin/bash
# SPDX-License-Identifier: MIT
# repeat.sh EMU KERNEL RUNS: so many boots with -icount and the self-checking workload are one and the same run: console with
# the kernel's time stamps, registers, count of instructions, all of memory and the disk agree when the guest has powered off.
. "$(dirname "$0")/lib.sh"
kernel=${1:-686} runs=${2:-10}

make_image disk --kernel "$kernel"
set_run "$work/disk.img" '/root/run.sh; dmesg | sha256sum; cat /proc/interrupts; date'
for run in $(seq "$runs"); do
    cp --sparse=always "$work/disk.img" "$work/now.img"
    emu_start_monitor now -m 128 -hda "$work/now.img" -icount shift=1 -rtc base=2024-05-06T07:08:09 -no-shutdown
    wait_text serial "reboot: Power down" 600
    has_text serial "WORKLOAD PASS "
    has_no_text serial FAIL
    sleep 1
    emu_type 'info status'
    wait_text monitor "paused" 60
    emu_type 'info registers'
    emu_type 'info icount'
    emu_type "pmemsave 0 $((128 << 20)) now.mem"
    monitor_quit
    [ "$(stat -c %s "$work/now.mem")" = $((128 << 20)) ] || fail "pmemsave saved no memory"
    grep -q 'instructions' "$work/now.out" || fail "info icount prints no count of instructions"
    {
        echo "console $(hash_of "$work/now.serial")"
        echo "state $(grep -vE '\.(img|mem)' "$work/now.out" | sha256sum | cut -c 1-64)"
        echo "memory $(hash_of "$work/now.mem")"
        echo "disk $(hash_of "$work/now.img")"
    } >"$work/hashes"
    [ "$run" != 1 ] || cp "$work/hashes" "$work/first"
    cmp -s "$work/first" "$work/hashes" ||
        fail "run $run differs from the first in: $(diff "$work/first" "$work/hashes" | sed -n 's/^> \([a-z]*\) .*/\1/p' | xargs)"
done
pass "$runs runs of $kernel agree: $(grep -o 'instructions.*' "$work/now.out" | head -n 1), memory $(sed -n 's/^memory \(.\{16\}\).*/\1/p' "$work/first")"
