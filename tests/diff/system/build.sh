#!/bin/bash
# SPDX-License-Identifier: MIT
# build.sh OUTPUT: assembles and links the test kernel into a 128 KiB firmware image. Needs nasm and gcc -m32.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
output=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-m32 -march=i486 -mgeneral-regs-only -O2 -std=gnu17 -Wall -Wextra -ffreestanding -fno-pic -fno-pie
    -fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-tree-loop-distribute-patterns
    -Wno-array-bounds -Wno-missing-field-initializers"
nasm -f elf32 "$here/stubs.asm" -o "$work/stubs.o"
for part in kernel setup setup_paging generate generate_system; do
    # shellcheck disable=SC2086
    ${CC:-gcc} $flags -c "$here/$part.c" -o "$work/$part.o"
done
ld -m elf_i386 -z noexecstack --no-warn-rwx-segments -T "$here/kernel.ld" -o "$work/kernel.elf" "$work"/{stubs,kernel,setup,setup_paging,generate,generate_system}.o \
    "$(${CC:-gcc} -m32 -print-libgcc-file-name)"
objcopy -O binary "$work/kernel.elf" "$work/kernel.bin"
nasm -f bin -DKERNEL_BIN="'$work/kernel.bin'" "$here/rom.asm" -o "$output"
[ -z "${KEEP_ELF:-}" ] || cp "$work/kernel.elf" "$KEEP_ELF"
