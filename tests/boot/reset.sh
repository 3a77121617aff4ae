#!/bin/bash
# SPDX-License-Identifier: MIT
# A reset asked for by the guest boots it again; with -no-reboot the emulator ends instead, also on a triple fault.
. "$(dirname "$0")/lib.sh"

make_image disk
set_run "$work/disk.img" 'echo ROUND; [ -e /root/seen ] || { touch /root/seen; sync; echo b >/proc/sysrq-trigger; sleep 100; }'
boot_list reset "$work/disk.img" 600 -m 128
[ "$(grep -cF 'ROUND' "$work/reset.serial")" -ge 2 ] || fail "the guest did not boot again after its reset"

# A boot sector that loads an empty IDT in real mode and raises an interrupt: the second fault has no handler either.
# lidt [0x7c10]; int3; at 0x7c10 six zero bytes
printf '\x0f\x01\x1e\x10\x7c\xcc' >"$work/boot.bin"
truncate -s 510 "$work/boot.bin"
printf '\x55\xaa' >>"$work/boot.bin"
truncate -s 1M "$work/boot.bin"
emu_start triple -serial null -monitor null -m 32 -hda "$work/boot.bin" -no-reboot
wait_exit 0 60
emu_start_monitor loop -m 32 -hda "$work/boot.bin"
sleep 3
emu_type 'info status'
wait_text monitor "running" 20
monitor_quit
pass "resets boot again; -no-reboot ends the emulator"
