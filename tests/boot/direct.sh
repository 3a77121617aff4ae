#!/bin/bash
# SPDX-License-Identifier: MIT
# -kernel, -initrd and -append boot without a boot loader, with the command list as plain words; on a Pentium III the
# workload finds no SSE2 and passes with the hash for that.
. "$(dirname "$0")/lib.sh"

make_image disk --kernel 686-pae
MTOOLS_SKIP_CHECK=1 mcopy -i "$work/disk.img@@1M" ::/vmlinuz ::/initrd.img "$work/" || fail "no kernel in the image"
boot_list direct "$work/disk.img" 600 -m 192 -cpu pentium3 -kernel "$work/vmlinuz" -initrd "$work/initrd.img" \
    -append 'root=/dev/sda2 console=ttyS0 emu.poweroff=1 emu.run="cd /; /root/run.sh"'
refuses missing.initrd -kernel "$work/vmlinuz" -initrd missing.initrd
[ "$refused_wrong" = 0 ] || fail "a missing initrd"
has_no_text serial SYSLINUX
has_text serial "part sse2: not on this CPU"
has_text serial "WORKLOAD PASS 176483217339de16"
has_no_text serial FAIL
pass "-kernel -initrd -append on a Pentium III"
