#!/bin/bash
# SPDX-License-Identifier: MIT
# A multiboot ELF kernel gets its command line, module, memory map and clear .bss, and ends emu through isa-debug-exit.
. "$(dirname "$0")/lib.sh"

nasm -f elf32 -o "$work/multiboot.o" "$guests/multiboot/multiboot.asm" || fail "nasm"
ld -m elf_i386 -Ttext 0x100000 -o "$work/multiboot.elf" "$work/multiboot.o" || fail "ld"
echo "text of the module" >"$work/module.txt"
# ELF headers loaded below 1 MiB, over the firmware, must not matter.
emu_start multiboot -serial "file:$work/multiboot.serial" -monitor null -kernel multiboot.elf -append "one two" \
    -initrd "module.txt three" -device isa-debug-exit,iobase=0xf4,iosize=0x04
wait_exit 1 30 # (0 << 1) | 1
has_text serial "multiboot.elf one two"
has_text serial "module.txt three"
has_text serial "text of the module"
has_text serial "MULTIBOOT PASS"
head -c 4200 "$work/multiboot.elf" >"$work/cut.elf"
refused_wrong=0
refuses cut.elf -kernel "$work/cut.elf"
[ "$refused_wrong" = 0 ] || fail "a truncated kernel"
pass "multiboot kernel with a module"
