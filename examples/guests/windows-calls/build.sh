#!/bin/bash
# SPDX-License-Identifier: MIT
# build.sh FOLDER: builds guest.elf there, a multiboot kernel. Needs nasm and gcc -m32.
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
