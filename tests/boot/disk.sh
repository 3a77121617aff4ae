#!/bin/bash
# SPDX-License-Identifier: MIT
# disk.sh EMU KERNEL LOADER: the disk boots through firmware and boot loader, runs the workload and powers off with
# exit code 0; a second boot reaches a shell on the serial console, which sees what the first one wrote.
. "$(dirname "$0")/lib.sh"
kernel=${1:-686} loader=${2:-syslinux}

make_image disk --kernel "$kernel" --loader "$loader"
set_run "$work/disk.img" '/root/run.sh'
boot_list first "$work/disk.img" 600 -m 256
has_text serial "-$kernel "
has_text serial "WORKLOAD PASS "
has_text serial "SCRIPT PASS "
has_no_text serial FAIL
has_no_text serial "SECOND BOOT"
case $loader in
grub) has_text serial "GRUB" ;;
*) has_text serial "SYSLINUX" ;;
esac
[ -z "$(grep -aE 'Oops|BUG:|Call Trace|I/O error|EXT4-fs error' "$work/first.serial")" ] ||
    fail "the kernel complained: $(grep -aE 'Oops|BUG:|Call Trace|I/O error|EXT4-fs error' "$work/first.serial" | head -n 1)"

set_run "$work/disk.img"
emu_start_serial second -m 256 -hda "$work/disk.img"
wait_text serial "GUEST READY" 300
wait_text serial "guest#" 60
emu_type 'expr 1200 + 34; /root/run.sh'
wait_text serial 1234 60
wait_text serial "SECOND BOOT SEES FILE" 120
wait_text serial "SCRIPT PASS" 300
emu_type 'poweroff'
wait_exit 0 120
has_text serial "GUEST DOWN"
has_no_text serial FAIL
pass "$kernel from $loader: workload, power-off, second boot"
