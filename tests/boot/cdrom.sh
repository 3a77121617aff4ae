#!/bin/bash
# SPDX-License-Identifier: MIT
# An El Torito CD boots (ISOLINUX reads kernel and initrd through the firmware and ATAPI), with as much memory as the board takes.
. "$(dirname "$0")/lib.sh"

make_image disk
mkdir -p "$work/iso/isolinux"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/iso/isolinux/" || fail "no ISOLINUX"
MTOOLS_SKIP_CHECK=1 mcopy -i "$work/disk.img@@1M" ::/vmlinuz ::/initrd.img "$work/iso/" || fail "no kernel in the image"
cat >"$work/iso/isolinux/isolinux.cfg" <<'TEXT'
SERIAL 0 115200
DEFAULT linux
LABEL linux
KERNEL /vmlinuz
INITRD /initrd.img
APPEND root=/dev/sda2 console=ttyS0 emu.poweroff=1 emu.run="grep MemTotal /proc/meminfo; echo LIST DONE"
TEXT
genisoimage -quiet -o "$work/cd.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 \
    -boot-info-table "$work/iso" || fail "genisoimage"
boot_list cdrom "$work/disk.img" 300 -m 3584 -snapshot -cdrom cd.iso -boot d
has_text serial "ISOLINUX"
has_text serial "LIST DONE"
kilobytes=$(sed -n 's/^MemTotal: *\([0-9]*\) kB.*/\1/p' "$work/cdrom.serial" | tail -n 1)
[ "${kilobytes:-0}" -gt 800000 ] || fail "the kernel sees only ${kilobytes:-0} kB" # 686 without highmem64G: low and high memory
pass "El Torito CD with 3.5 GiB of memory"
