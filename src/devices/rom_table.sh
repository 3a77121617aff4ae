#!/bin/sh
# SPDX-License-Identifier: MIT
# rom_table.sh FILE.asm: assembles an option ROM, sets the checksum of its PnP header, and prints its bytes as the rows of a C
# table (trailing zeros left out) and, as the last line, the byte that makes the whole ROM's sum zero.
set -eu
dir=$(dirname "$1")
out=$(mktemp)
trap 'rm -f "$out"' EXIT
nasm -f bin -i "$dir/" -o "$out" "$1"
od -An -v -tu1 -w1 "$out" | awk '
    { b[NR - 1] = $1 + 0 }
    END {
        for (p = 0; p < NR; p++)
            if (b[p] == 36 && b[p + 1] == 80 && b[p + 2] == 110 && b[p + 3] == 80)
                break
        for (i = p; i < p + 32; i++)
            sum += b[i]
        b[p + 9] = (256 - sum % 256) % 256
        for (last = NR - 1; b[last] == 0; last--)
            ;
        for (i = 0; i <= last; i++) {
            all += b[i]
            line = line sprintf("%s0x%02x,", line == "" ? "    " : " ", b[i])
            if (i % 16 == 15 || i == last) {
                print line
                line = ""
            }
        }
        printf "0x%02x\n", (256 - all % 256) % 256
    }'
