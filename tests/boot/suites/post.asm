; SPDX-License-Identifier: MIT
; A ROM as test386.asm is one: 64 KiB in the firmware's place, real mode from the reset vector on, POST codes to port 0x80 and
; 0x190, text to the debug console, the end through isa-debug-exit.
; nasm -f bin post.asm
bits 16
org 0
start:
    mov al, 0x01
    out 0x80, al
    mov dx, 0x190
    out dx, al
    mov dx, 0xe9
    in al, dx
    cmp al, 0xe9
    jne .silent
    mov si, text
.next:
    cs lodsb
    test al, al
    jz .silent
    out dx, al
    jmp .next
.silent:
    mov al, 0xff
    mov dx, 0x190
    out dx, al
    mov al, 0x2a
    out 0xf4, al
.halt:
    hlt
    jmp .halt
text: db "ROM SAYS HELLO", 10, 0
    times 0xfff0 - ($ - $$) db 0xff
    jmp 0xf000:start
    times 0x10000 - ($ - $$) db 0xff
