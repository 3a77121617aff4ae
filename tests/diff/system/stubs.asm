; SPDX-License-Identifier: MIT
; Entry of the kernel, the way into a program (run_test) and the ways back: interrupt stubs, the double-fault task, the
; low stub of real-address mode. Everything here sits at the start of the image, so that its addresses, which programs may
; see in saved states, do not depend on the compiler.
bits 32
section .text.stubs progbits alloc exec nowrite align=16

KCODE       equ 0x08
KDATA       equ 0x10
STACK_TOP   equ 0x3e0000
FRAME_TOP   equ 0x3e8000
LOW         equ 0x1000

extern kernel_main
global _start, run_test, stubs, df_entry, ctx, kernel_gdtr, kernel_idtr, kernel_idt, low_image, low_image_end
global set_ldtr, set_tr

_start:
    mov esp, STACK_TOP
    call kernel_main
    cli
    hlt

align 8
kernel_gdt:
    dq 0
    dq 0x00cf9b000000ffff ; ring 0 code
    dq 0x00cf93000000ffff ; ring 0 data
    dq 0x00009b000000ffff ; 16-bit code
    dq 0x000093000000ffff ; 16-bit data

align 8
stubs:
%assign n 0
%rep 48
    align 8
    push byte n
    jmp strict near capture
%assign n n + 1
%endrep

align 8
df_entry:
    mov byte [in_kernel], 1
    mov dword [ctx.vec], 0x108
    pop dword [ctx.err]
    jmp finish

capture:
    push ds
    push byte KDATA
    pop ds
    cmp byte [in_kernel], 0
    jne nested
    mov byte [in_kernel], 1
    mov [ctx.eax], eax
    mov [ctx.ecx], ecx
    mov [ctx.edx], edx
    mov [ctx.ebx], ebx
    mov [ctx.ebp], ebp
    mov [ctx.esi], esi
    mov [ctx.edi], edi
    pop eax
    movzx eax, ax
    mov [ctx.ds], eax
    pop eax
    mov [ctx.vec], eax
    push byte 0         ; what lies below the frame is the same whatever a 32-bit push of a selector writes
    push byte 0
    push byte 0
    add esp, 12
    mov eax, es
    movzx eax, ax
    mov [ctx.es], eax
    mov eax, fs
    movzx eax, ax
    mov [ctx.fs], eax
    mov eax, gs
    movzx eax, ax
    mov [ctx.gs], eax
    mov [ctx.fesp], esp
    mov ax, ss
    movzx eax, ax
    mov [ctx.fss], eax
    xor ecx, ecx
    mov eax, [ctx.vec]
    cmp eax, 31
    ja .noerr
    bt dword [error_vectors], eax
    jnc .noerr
    pop ecx
.noerr:
    mov [ctx.err], ecx
    pop dword [ctx.eip]
    pop eax
    movzx eax, ax
    mov [ctx.cs], eax
    pop ebx
    mov [ctx.eflags], ebx
    test ebx, 0x20000
    jnz .outer
    test al, 3
    jz .inner
.outer:
    pop dword [ctx.esp]
    pop eax
    movzx eax, ax
    mov [ctx.ss], eax
    test ebx, 0x20000
    jz finish
    pop eax
    movzx eax, ax
    mov [ctx.es], eax
    pop eax
    movzx eax, ax
    mov [ctx.ds], eax
    pop eax
    movzx eax, ax
    mov [ctx.fs], eax
    pop eax
    movzx eax, ax
    mov [ctx.gs], eax
    jmp finish
.inner:
    mov [ctx.esp], esp
    mov eax, [ctx.fss]
    mov [ctx.ss], eax

finish:
    mov eax, KDATA
    mov ss, eax
    mov esp, [kernel_esp]
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    push byte 2         ; IRET, as POPF leaves VIF and VIP; no nested task: NT first
    popfd
    push byte 2
    push byte KCODE
    push dword .clean
    iretd
.clean:
    mov eax, cr0
    mov [ctx.cr0], eax
    mov eax, 0x11
    mov cr0, eax
    jmp short .flat
.flat:
    mov eax, cr2
    mov [ctx.cr2], eax
    mov eax, cr3
    mov [ctx.cr3], eax
    mov eax, cr4
    mov [ctx.cr4], eax
    xor eax, eax
    mov cr4, eax
    sgdt [ctx.gdtr]
    sidt [ctx.idtr]
    lgdt [kernel_gdtr]
    lidt [kernel_idtr]
    mov eax, dr6        ; with DR7.GD set #DB comes and goes here
    mov [ctx.dr6], eax
    mov eax, dr7
    mov [ctx.dr7], eax
    mov eax, 0x400
    mov dr7, eax
    mov eax, 0xffff0ff0
    mov dr6, eax
    str ax
    movzx eax, ax
    mov [ctx.tr], eax
    sldt ax
    movzx eax, ax
    mov [ctx.ldtr], eax
    pop edi
    pop esi
    pop ebp
    pop ebx
    ret

; A fault while the kernel works. A general-detect #DB is let pass; anything else ends the program.
nested:
    cmp byte [esp + 4], 1
    jne .abort
    add esp, 8
    iretd
.abort:
    mov eax, [esp + 4]
    or eax, 0x200
    mov [ctx.vec], eax
    mov dword [ctx.err], 0
    jmp finish

; run_test(): starts or resumes what cx describes, comes back when it raised something.
run_test:
    push ebx
    push ebp
    push esi
    push edi
    mov [kernel_esp], esp
    test dword [ctx.cr0], 1
    jz run_real
    lgdt [ctx.gdtr]
    lidt [ctx.idtr]
    mov eax, [ctx.cr4]
    mov cr4, eax
    mov eax, [ctx.cr3]
    mov cr3, eax
    mov eax, [ctx.cr2]
    mov cr2, eax
    mov eax, [ctx.dr6]
    mov dr6, eax
    mov eax, [ctx.dr7]
    mov dr7, eax
    mov eax, [ctx.cr0]
    mov cr0, eax
    jmp short .paged
.paged:
    test dword [ctx.eflags], 0x20000
    jnz .v86
    test byte [ctx.cs], 3
    jnz .outer
    mov ss, [ctx.ss]
    mov esp, [ctx.esp]
    jmp short .frame
.v86:
    mov esp, FRAME_TOP
    push dword [ctx.gs]
    push dword [ctx.fs]
    push dword [ctx.ds]
    push dword [ctx.es]
    push dword [ctx.ss]
    push dword [ctx.esp]
    jmp short .frame
.outer:
    mov esp, FRAME_TOP
    push dword [ctx.ss]
    push dword [ctx.esp]
.frame:
    push dword [ctx.eflags]
    push dword [ctx.cs]
    push dword [ctx.eip]
    test dword [ctx.eflags], 0x20000
    jnz .loaded
    mov es, [ctx.es]
    mov fs, [ctx.fs]
    mov gs, [ctx.gs]
.loaded:
    mov ecx, [ctx.ecx]
    mov edx, [ctx.edx]
    mov ebx, [ctx.ebx]
    mov ebp, [ctx.ebp]
    mov esi, [ctx.esi]
    mov edi, [ctx.edi]
    mov eax, [ctx.eax]
    mov byte [in_kernel], 0
    test dword [ctx.eflags], 0x20000
    jnz .go
    mov ds, [ctx.ds]
.go:
    iretd

; To real-address mode through the low stub.
run_real:
    cld
    mov esi, low_image
    mov edi, LOW
    mov ecx, (low_image_end - low_image) / 4
    rep movsd
    mov esi, ctx
    mov edi, LOW + (low_context - low_image)
    mov ecx, ctx_size / 4
    rep movsd
    mov eax, [ctx.cr2]
    mov cr2, eax
    mov eax, [ctx.cr3]
    mov cr3, eax
    mov eax, [ctx.dr6]
    mov dr6, eax
    mov eax, [ctx.cr4]
    mov cr4, eax
    mov byte [in_kernel], 0
    mov ax, 0x20        ; kernel GDT: 16-bit data with a 64 KiB limit
    test byte [ctx.unreal], 1
    jz .limit
    mov ax, KDATA
.limit:
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ax, 0x20
    mov ss, ax
    jmp 0x18:LOW + (low_leave - low_image)

align 4
low_image:
bits 16
%define AT(label) (LOW + (label - low_image))
%define OFF(field) (LOW + (low_context - low_image) + (ctx. %+ field - ctx))
low_leave:
    mov eax, [cs:OFF(dr7)]
    mov edx, [cs:OFF(cr0)]
    mov cr0, edx
    jmp 0:AT(low_real)
low_real:
    mov dr7, eax
    o32 lidt [cs:OFF(idtr)]
    mov ss, [cs:OFF(ss)]
    mov esp, [cs:OFF(esp)]
    mov ds, [cs:OFF(ds)]
    mov es, [cs:OFF(es)]
    mov fs, [cs:OFF(fs)]
    mov gs, [cs:OFF(gs)]
    push dword [cs:OFF(eflags)]
    push dword [cs:OFF(cs)]
    push dword [cs:OFF(eip)]
    mov ecx, [cs:OFF(ecx)]
    mov edx, [cs:OFF(edx)]
    mov ebx, [cs:OFF(ebx)]
    mov ebp, [cs:OFF(ebp)]
    mov esi, [cs:OFF(esi)]
    mov edi, [cs:OFF(edi)]
    mov eax, [cs:OFF(eax)]
    iretd

    times 0x100 - ($ - low_image) nop
%assign n 0
%rep 48                 ; at LOW + 0x100, one each 16 bytes
    mov byte [cs:OFF(vec)], n
    jmp strict near low_common
    times 7 nop
%assign n n + 1
%endrep

low_common:
    mov [cs:OFF(eax)], eax
    mov [cs:OFF(ecx)], ecx
    mov [cs:OFF(edx)], edx
    mov [cs:OFF(ebx)], ebx
    mov [cs:OFF(ebp)], ebp
    mov [cs:OFF(esi)], esi
    mov [cs:OFF(edi)], edi
    mov [cs:OFF(ds)], ds
    mov [cs:OFF(es)], es
    mov [cs:OFF(fs)], fs
    mov [cs:OFF(gs)], gs
    pop word [cs:OFF(eip)]
    pop word [cs:OFF(cs)]
    pop word [cs:OFF(eflags)]
    mov [cs:OFF(esp)], esp
    mov [cs:OFF(ss)], ss
    mov eax, cr0
    mov [cs:OFF(cr0)], eax
    o32 lgdt [cs:AT(low_gdtr)]
    mov eax, 0x11
    mov cr0, eax
    jmp dword KCODE:low_back
align 4
low_gdtr:
    dw 5 * 8 - 1
    dd kernel_gdt
align 4
low_context: times 256 db 0
align 4
low_image_end:
bits 32
low_back:
    mov eax, KDATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov byte [in_kernel], 1
    cld
    mov esi, LOW + (low_context - low_image)
    mov edi, ctx
    mov ecx, (ctx.cr2 - ctx) / 4
    rep movsd
    mov dword [ctx.err], 0
    mov esp, [kernel_esp]
    mov eax, KDATA
    push byte 2
    popfd
    push byte 2
    push byte KCODE
    push dword .clean
    iretd
.clean:
    mov fs, eax
    mov gs, eax
    jmp finish.flat

; void set_ldtr(uint32_t selector), void set_tr(uint32_t selector): with the program's GDT.
set_ldtr:
    lgdt [ctx.gdtr]
    lldt [esp + 4]
    lgdt [kernel_gdtr]
    ret
set_tr:
    lgdt [ctx.gdtr]
    ltr [esp + 4]
    lgdt [kernel_gdtr]
    ret

section .rodata
align 4
error_vectors: dd (1 << 8) | (0x1f << 10) | (1 << 17)

section .data
align 8
kernel_gdtr:
    dw 5 * 8 - 1
    dd kernel_gdt
align 4
kernel_idtr:
    dw 48 * 8 - 1
    dd kernel_idt
align 4
in_kernel: dd 1
kernel_esp: dd 0
ctx:                     ; struct context of kernel.h
.vec: dd 0
.err: dd 0
.eip: dd 0
.cs: dd 0
.eflags: dd 0
.esp: dd 0
.ss: dd 0
.eax: dd 0
.ecx: dd 0
.edx: dd 0
.ebx: dd 0
.ebp: dd 0
.esi: dd 0
.edi: dd 0
.ds: dd 0
.es: dd 0
.fs: dd 0
.gs: dd 0
.cr0: dd 0
.cr2: dd 0
.cr3: dd 0
.cr4: dd 0
.dr6: dd 0
.dr7: dd 0
.tr: dd 0
.ldtr: dd 0
.fesp: dd 0
.fss: dd 0
.gdtr: dd 0, 0
.idtr: dd 0, 0
.unreal: dd 0
ctx_size equ $ - ctx

section .bss
align 8
kernel_idt: resb 48 * 8
