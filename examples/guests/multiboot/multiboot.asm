; SPDX-License-Identifier: MIT
; The smallest multiboot kernel: checks what the loader promised, prints the command line and the first module on the first
; serial port and the debug console, and ends emu through isa-debug-exit with 0 (good) or 1 (bad).
; nasm -f elf32 multiboot.asm && ld -m elf_i386 -Ttext 0x100000 -o multiboot.elf multiboot.o
bits 32
MAGIC equ 0x1badb002
FLAGS equ 3                       ; page-aligned modules, memory information
section .text align=4
    dd MAGIC, FLAGS, -(MAGIC + FLAGS)
global _start
_start:
    mov esp, stack_top
    cmp eax, 0x2badb002
    jne bad
    mov ebp, ebx
    mov eax, [ebp]                ; flags: memory, command line, modules, memory map
    and eax, 1 | 4 | 8 | 64
    cmp eax, 1 | 4 | 8 | 64
    jne bad
    cmp dword [ebp + 4], 600      ; mem_lower, KiB
    jb bad
    cmp dword [ebp + 8], 1024     ; mem_upper, KiB
    jb bad
    cmp dword [bss_word], 0       ; .bss is clear
    jne bad
    mov esi, [ebp + 16]
    call print
    call newline
    cmp dword [ebp + 20], 1       ; one module
    jne bad
    mov edi, [ebp + 24]
    mov esi, [edi + 8]            ; its string
    call print
    call newline
    mov ecx, [edi + 4]
    mov esi, [edi]
    sub ecx, esi
.module:
    lodsb
    call putc
    loop .module
    mov ecx, [ebp + 44]           ; the memory map must name RAM at 1 MiB
    mov esi, [ebp + 48]
.map:
    cmp dword [esi + 20], 1
    jne .next
    cmp dword [esi + 4], 0x100000
    je good
.next:
    mov eax, [esi]
    add eax, 4
    add esi, eax
    sub ecx, eax
    ja .map
bad:
    mov esi, bad_text
    call print
    mov al, 1
    jmp leave_emu
good:
    mov esi, good_text
    call print
    xor eax, eax
leave_emu:
    out 0xf4, al
.halt:
    hlt
    jmp .halt

newline:
    mov al, 10
putc:
    push edx
    push eax
    mov dx, 0x3fd
.wait:
    in al, dx
    test al, 0x20
    jz .wait
    pop eax
    mov dx, 0x3f8
    out dx, al
    mov dx, 0xe9
    out dx, al
    pop edx
    ret
print:
    lodsb
    test al, al
    jz .done
    call putc
    jmp print
.done:
    ret
section .rodata
bad_text:  db "MULTIBOOT FAIL", 10, 0
good_text: db "MULTIBOOT PASS", 10, 0
section .bss
bss_word: resd 1
    resb 4096
stack_top:
