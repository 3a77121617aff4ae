; SPDX-License-Identifier: MIT
; A multiboot kernel as kvm-unit-tests builds them: checks each function of pc-testdev, interrupts by the 8259s and by the
; I/O APIC included, reports on the first serial port, and ends through isa-debug-exit.
; nasm -f elf32 testdev.asm && ld -m elf_i386 -Ttext 0x400000 -o testdev.elf testdev.o
bits 32
MAGIC equ 0x1badb002
LAPIC equ 0xfee00000
IOAPIC equ 0xfec00000
IOMEM equ 0xff000000
section .text align=4
    dd MAGIC, 0, -MAGIC
global _start
_start:
    mov esp, stack_top
    lgdt [gdt_pointer]
    jmp 8:.flat
.flat:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax

    mov esi, text_data
    mov dx, 0xe0                  ; the dword, and its bytes
    mov eax, 0x12345678
    out dx, eax
    mov dx, 0xea
    in al, dx
    cmp al, 0x34
    jne fail
    mov al, 0xaa
    out dx, al
    mov dx, 0xe0
    in eax, dx
    cmp eax, 0x12aa5678
    jne fail
    mov dx, 0xe4
    mov eax, stack_top
    out dx, eax

    mov esi, text_memory
    mov edi, IOMEM                ; memory-mapped bytes, also by string instructions
    mov ecx, 256
.fill:
    mov [edi + ecx - 1], cl
    loop .fill
    mov esi, IOMEM + 3
    mov edi, IOMEM + 0x8000
    mov ecx, 16
    rep movsd
    mov esi, text_memory
    cmp dword [IOMEM + 0x8004], 0x0b0a0908
    jne fail
    cmp word [IOMEM + 0x8001], 0x0605
    jne fail

    mov esi, text_pic             ; IRQ 5 through the 8259
    mov eax, handler_pic
    mov ebx, 0x25
    call set_gate
    mov eax, handler_apic
    mov ebx, 0x40
    call set_gate
    lidt [idt_pointer]
    mov al, 0x11
    out 0x20, al
    out 0xa0, al
    mov al, 0x20
    out 0x21, al
    mov al, 0x28
    out 0xa1, al
    mov al, 4
    out 0x21, al
    mov al, 2
    out 0xa1, al
    mov al, 1
    out 0x21, al
    out 0xa1, al
    mov al, 0xff
    out 0xa1, al
    mov al, 0xdf
    out 0x21, al
    sti
    mov dx, 0x2005
    mov al, 1
    out dx, al
    call wait_count
    mov al, 0xff
    out 0x21, al
    cmp dword [count_pic], 1
    jne fail

    mov esi, text_apic            ; pin 10 of the I/O APIC, edge
    mov dword [LAPIC + 0xf0], 0x1ff
    mov dword [IOAPIC], 0x10 + 2 * 10 + 1
    mov eax, [LAPIC + 0x20]
    and eax, 0xff000000
    mov [IOAPIC + 0x10], eax
    mov dword [IOAPIC], 0x10 + 2 * 10
    mov dword [IOAPIC + 0x10], 0x40
    mov dx, 0x200a
    mov al, 1
    out dx, al
    mov al, 0
    out dx, al
    call wait_count
    cmp dword [count_apic], 1
    jne fail

    mov esi, text_pass
    call print
    xor eax, eax
    jmp leave_emu
fail:
    call print
    mov esi, text_fail
    call print
    mov al, 1
leave_emu:
    out 0xf4, al
.halt:
    hlt
    jmp .halt

wait_count:                       ; some time for an interrupt
    mov ecx, 100000
.again:
    mov eax, [count_pic]
    add eax, [count_apic]
    loop .again
    ret
handler_pic:
    pushad
    inc dword [count_pic]
    mov dx, 0x2005
    mov al, 0
    out dx, al
    mov al, 0x20
    out 0x20, al
    popad
    iret
handler_apic:
    inc dword [count_apic]
    mov dword [LAPIC + 0xb0], 0
    iret
set_gate:                         ; vector EBX to EAX
    mov [idt + ebx * 8], ax
    mov word [idt + ebx * 8 + 2], 8
    mov word [idt + ebx * 8 + 4], 0x8e00
    shr eax, 16
    mov [idt + ebx * 8 + 6], ax
    ret
print:
    lodsb
    test al, al
    jz .done
    push eax
    mov dx, 0x3fd
.wait:
    in al, dx
    test al, 0x20
    jz .wait
    pop eax
    mov dx, 0x3f8
    out dx, al
    jmp print
.done:
    ret
section .data
align 8
gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer: dw $ - gdt - 1
    dd gdt
idt_pointer: dw 256 * 8 - 1
    dd idt
text_data:   db "ports ", 0
text_memory: db "memory ", 0
text_pic:    db "8259 ", 0
text_apic:   db "I/O APIC ", 0
text_fail:   db "TESTDEV FAIL", 10, 0
text_pass:   db "TESTDEV PASS", 10, 0
section .bss
alignb 8
idt: resq 256
count_pic: resd 1
count_apic: resd 1
    resb 4096
stack_top:
