#!/bin/bash
# SPDX-License-Identifier: MIT
# -perfmap and -jitdump name translated code: the map's lines, the dump's header and records, and the code of both.
. "$(dirname "$0")/lib.sh"

[ "${EMU_ACCEL:-}" = lockstep ] || EMU_ACCEL=jit # the interpreter has no code to name
nasm -f elf32 -o "$work/multiboot.o" "$guests/multiboot/multiboot.asm" || fail "nasm"
ld -m elf_i386 -Ttext 0x100000 -o "$work/multiboot.elf" "$work/multiboot.o" || fail "ld"
echo "text of the module" >"$work/module.txt"
map=
trap '[ -z "$map" ] || rm -f "$map"; cleanup' EXIT
emu_start perf -serial "file:$work/perf.serial" -monitor null -kernel multiboot.elf -append "one two" \
    -initrd "module.txt three" -device isa-debug-exit,iobase=0xf4,iosize=0x04 -perfmap -jitdump
map=/tmp/perf-$emu_pid.map
dump=$work/jit-$emu_pid.dump
wait_exit 1 30

[ -s "$map" ] || fail "no $map"
wrong=$(grep -cvE '^[0-9a-f]+ [0-9a-f]+ (emu stubs|guest (user|kernel) [0-9a-f]{8}( exits)?)$' "$map")
[ "$wrong" = 0 ] || fail "$wrong lines of the map have another form: $(grep -vE '^[0-9a-f]+ [0-9a-f]+ (emu|guest) ' "$map" | head -n 1)"
# SeaBIOS runs below 1 MiB, and its loop over the memory is translated.
[ "$(grep -cE 'guest kernel 000[ef][0-9a-f]{4}$' "$map")" -gt 20 ] || fail "the map names too little of the firmware"

[ "$(od -An -tx4 -N16 "$dump" | tr -s ' ')" = " 4a695444 00000001 00000028 0000003e" ] || fail "header of $dump"
# Walks the records by their sizes: as many loads as the map has lines, then one close, then the end.
read -r loads last < <(od -An -v -tu1 -w16 "$dump" | awk '
    function u32(at) { return b[at] + 256 * (b[at + 1] + 256 * (b[at + 2] + 256 * b[at + 3])) }
    { for (i = 1; i <= NF; i++) b[n++] = $i }
    END {
        for (at = 40; at + 16 <= n && u32(at + 4) >= 16; at += u32(at + 4)) {
            last = u32(at)
            loads += last == 0
        }
        print loads + 0, at == n ? last : "broken"
    }')
[ "$last" = 3 ] || fail "the dump does not end with its close record"
[ "$loads" = "$(wc -l <"$map")" ] || fail "$loads loads in the dump, $(wc -l <"$map") lines in the map"
# The last name of the map.
grep -aqF "$(tail -n 1 "$map" | cut -d ' ' -f 3-)" "$dump" || fail "the dump lacks a name of the map"

mkdir "$work/gone"
(cd "$work/gone" && rmdir "$work/gone" && refuses "-jitdump: jit-" -jitdump -S; [ "$refused_wrong" = 0 ]) ||
    fail "a folder that is not there"
pass "$loads pieces of code named"
