; SPDX-License-Identifier: MIT
; Option ROM: fetches a multiboot kernel, its modules and the prepared information structure, adds the memory map the firmware
; reports, and enters the kernel in protected mode. Multiboot Specification 0.6.96.
; rom_table.sh assembles it and prints the table in fw_cfg_multiboot.c.
%define SECTORS 2
%define PRODUCT "Multiboot loader"
INFO  equ 0x10000                 ; information structure (item 0x16..0x18)
MMAP  equ 0x8000                  ; memory map entries
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
    call load                     ; information
    call load                     ; kernel
    call load                     ; modules
    mov ax, INFO >> 4
    mov fs, ax
    sti
    call memory_map
    int 0x12                      ; KiB below 640 KiB
    movzx eax, ax
    mov [fs:4], eax
    xor cx, cx
    xor dx, dx
    mov ax, 0xe801                ; AX KiB from 1 to 16 MiB, BX 64 KiB units above
    int 0x15
    jc .no_upper
    movzx eax, ax
    movzx ebx, bx
    shl ebx, 6
    add eax, ebx
    mov [fs:8], eax
.no_upper:
    cli
    mov ax, 0x10                  ; entry point
    call read32
    mov ebp, eax
    in al, 0x92                   ; A20 open
    or al, 2
    and al, 0xfe
    out 0x92, al
    xor eax, eax                  ; the descriptor table in linear memory
    mov ax, cs
    shl eax, 4
    lea ecx, [eax + gdt]
    mov [es:0x7c42], ecx
    mov word [es:0x7c40], gdt_end - gdt - 1
    lea ecx, [eax + protected]
    mov [es:0x7c50], ecx
    mov word [es:0x7c54], 8
    o32 lgdt [es:0x7c40]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword far [es:0x7c50]

; entries {20, base, length, type} to MMAP
memory_map:
    xor ebx, ebx
    mov edi, MMAP
.next:
    mov eax, 0xe820
    mov ecx, 20
    mov edx, 0x534d4150
    mov dword [es:di], 20
    push di
    add di, 4
    int 0x15
    pop di
    jc .end
    cmp eax, 0x534d4150
    jne .end
    add di, 24
    test ebx, ebx
    jz .end
    cmp di, MMAP + 24 * 64
    jb .next
.end:
    movzx edi, di
    sub edi, MMAP
    mov [fs:44], edi              ; mmap_length
    mov dword [fs:48], MMAP
    ret

bits 32
protected:
    mov ax, 0x10                  ; flat data
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov ebx, INFO
    mov eax, 0x2badb002
    jmp ebp

align 8
gdt:
    dq 0
    dq 0x00cf9a000000ffff         ; code, flat
    dq 0x00cf92000000ffff         ; data, flat
gdt_end:
table:
    dw 0x16, 0x17, 0x18
    dw 0x07, 0x08, 0x11
    dw 0x0a, 0x0b, 0x12
    times 1024-($-$$) db 0
