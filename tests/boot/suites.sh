#!/bin/bash
# SPDX-License-Identifier: MIT
# What test suites for PCs want of an emulator (docs/peers-suites.md): pc-testdev, isa-debug-exit, isa-debugcon, a ROM in the
# firmware's place, POST codes in the log. All but the last also pass with qemu-system-i386 in emu's place.
. "$(dirname "$0")/lib.sh"

nasm -f elf32 -o "$work/testdev.o" "$here/suites/testdev.asm" || fail "nasm"
ld -m elf_i386 -Ttext 0x400000 -o "$work/testdev.elf" "$work/testdev.o" || fail "ld"
nasm -f bin -o "$work/post.rom" "$here/suites/post.asm" || fail "nasm"

# The command line of kvm-unit-tests.
"$emu" -device '?' 2>&1 | grep -qF 'name "pc-testdev"' || fail "-device ? does not name pc-testdev"
emu_start testdev --no-reboot -nodefaults -device pc-testdev -device isa-debug-exit,iobase=0xf4,iosize=0x4 \
    -vnc none -serial "file:$work/testdev.serial" -smp 1 -cpu max -kernel testdev.elf
wait_exit 1 30 # (0 << 1) | 1
has_text serial "TESTDEV PASS"

post=(-d post -D post.log -device isa-post,iobase=0x190)
is_qemu && post=()
emu_start rom -bios post.rom -serial null -monitor null -debugcon "file:$work/rom.serial" \
    -device isa-debug-exit,iobase=0xf4,iosize=0x4 "${post[@]}"
wait_exit 85 20 # (0x2a << 1) | 1
[ "$(cat "$work/rom.serial")" = "ROM SAYS HELLO" ] || fail "the debug console got '$(cat "$work/rom.serial")'"
is_qemu || [ "$(tr '\n' ' ' <"$work/post.log")" = "post: 01 post 190: 01 post 190: ff " ] || fail "POST codes: $(cat "$work/post.log")"

# Elsewhere, and absent unless it is wanted.
emu_start elsewhere -bios post.rom -serial null -monitor null -debugcon "file:$work/elsewhere.serial" \
    -global isa-debugcon.iobase=0x402 -device isa-debug-exit,iobase=0xf4,iosize=0x4
wait_exit 85 20
[ ! -s "$work/elsewhere.serial" ] || fail "the debug console is at 0xe9 although it shall be at 0x402"
pass "pc-testdev, ROM, debug console, POST codes"
