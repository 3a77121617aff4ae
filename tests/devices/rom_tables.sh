#!/bin/sh
# SPDX-License-Identifier: MIT
# rom_tables.sh ROOT: the option ROM bytes in the C sources are those that the assembler sources give.
set -eu
cd "$1/src/devices"
check() {
    table=$(./rom_table.sh "$1.asm")
    bytes=$(echo "$table" | sed '$d' | tr -d ' \n')
    sum=$(echo "$table" | tail -n 1)
    source=$(sed -n "/^static const uint8_t $1\[\]/,/^};/p" "$2" | sed '1d;$d' | tr -d ' \n')
    [ "$bytes" = "$source" ] || { echo "$2: the table is not what $1.asm gives; run rom_table.sh"; exit 1; }
    grep -q "_ROM_CHECKSUM *${sum}u" "$2" || { echo "$2: the checksum is $sum"; exit 1; }
}
check linux_rom fw_cfg_linux.c
check multiboot_rom fw_cfg_multiboot.c
echo "option ROM tables are current"
