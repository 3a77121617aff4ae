; SPDX-License-Identifier: MIT
; The 128 KiB firmware image: parameters (patched in by the driver) in the lower half, the kernel and the reset code in the
; upper half. The CPU starts at its end, in real-address mode; the code copies the kernel to 2 MiB and jumps there.
KERNEL equ 0x200000
BASE   equ 0xfffe0000

    org 0
params:
    db "EMUDIFF1"
    times 0x10000 - ($ - $$) db 0
kernel:
    incbin KERNEL_BIN
kernel_end:
    times 0x1fe00 - ($ - $$) db 0xff

bits 16
start16:
    cli
    o32 lgdt [cs:gdtr - 0x10000]
    mov eax, 0x11
    mov cr0, eax
    jmp dword 8:BASE + start32
bits 32
start32:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    in al, 0x92         ; A20
    or al, 2
    and al, 0xfe
    out 0x92, al
    cld
    mov esi, BASE + kernel
    mov edi, KERNEL
    mov ecx, (kernel_end - kernel + 3) / 4
    rep movsd
    mov eax, KERNEL
    jmp eax
align 8
gdt:
    dq 0
    dq 0x00cf9b000000ffff
    dq 0x00cf93000000ffff
gdtr:
    dw 23
    dd BASE + gdt
    times 0x1fff0 - ($ - $$) db 0xff
bits 16
    jmp start16
    times 0x20000 - ($ - $$) db 0xff
