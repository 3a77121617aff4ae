; SPDX-License-Identifier: MIT
; Option ROM: loads a Linux kernel and enters its setup code.
; rom_table.sh assembles it and prints the table in fw_cfg_linux.c.
%define SECTORS 1
%define PRODUCT "Linux loader"
%include "kernel_rom.inc"

start:
    cli
    cld
    xor ax, ax
    mov ss, ax
    mov sp, 0x7c00
    mov es, ax
    mov ax, cs
    mov ds, ax
    mov si, table
    call load                     ; setup
    mov [es:0x7c30], ebp
    call load                     ; command line
    call load                     ; kernel
    call load                     ; initrd
    mov eax, [es:0x7c30]
    shr eax, 4
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov sp, 0xfff0
    add ax, 0x20
    push ax
    push word 0
    xor eax, eax
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    retf
table:
    dw 0x16, 0x17, 0x18
    dw 0x13, 0x14, 0x15
    dw 0x07, 0x08, 0x11
    dw 0x0a, 0x0b, 0x12
    times 512-($-$$) db 0
