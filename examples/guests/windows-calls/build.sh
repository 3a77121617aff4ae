#!/bin/bash
# SPDX-License-Identifier: MIT
# build.sh FOLDER [dll]: builds guest.elf there, a multiboot kernel, and with "dll" its module kernel32.dll. Needs nasm
# and gcc -m32, and mingw-w64 for the DLL.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: $0 FOLDER}
mkdir -p "$out"
cd "$out"
flags="-m32 -march=i686 -mno-sse -O1 -ffreestanding -fno-pic -fno-stack-protector -fno-builtin -fcf-protection=none
    -fno-asynchronous-unwind-tables -fno-strict-aliasing -mno-red-zone -Wall -Wextra -Wno-unused-parameter -Werror"
nasm -f elf32 -o entry.o "$here/entry.asm"
for part in kernel user image; do
    # shellcheck disable=SC2086
    gcc $flags -c -o "$part.o" "$here/$part.c"
done
ld -m elf_i386 -z noexecstack -r -o program.o user.o image.o && mv program.o user.o
ld -m elf_i386 --no-warn-rwx-segments -z noexecstack -T "$here/guest.ld" -o guest.elf entry.o kernel.o user.o

if [ "${2:-}" = dll ]; then
    i686-w64-mingw32-gcc -O1 -fno-optimize-sibling-calls -fno-asynchronous-unwind-tables -Wall -shared -nostdlib -s \
        -Wl,-e,_DllMain@12 -Wl,--image-base,0x10000000 -Wl,--file-alignment,4096 -o kernel32.dll "$here/kernel32.c" \
        "$here/kernel32.def"
fi
