; SPDX-License-Identifier: MIT
; Entry points of the test guest: multiboot start, SYSENTER, INT 2Eh, INT 80h (print), timer, page fault; and the way
; back to user code. Selectors as Windows has them: 08 and 10 kernel, 1B and 23 user, 30 kernel FS, 3B the TEB.
bits 32
MAGIC equ 0x1badb002
FLAGS equ 3
section .multiboot align=4
    dd MAGIC, FLAGS, -(MAGIC + FLAGS)

section .text
global _start, sysenter_entry, int2e_entry, print_entry, timer_entry, fault_entry, double_entry, switch_stack, first_return
extern kernel_main, kernel_call, kernel_print, kernel_timer, kernel_fault, kernel_bad, fast_call_ret

_start:
    mov esp, boot_stack_top
    push ebx
    push eax
    call kernel_main
.halt:
    hlt
    jmp .halt

; What every entry leaves on the kernel stack, from its top: SS, ESP, EFLAGS, CS, EIP, kind, FS, PUSHAD.
%macro enter_kernel 1
    push dword %1
    push fs
    pushad
    mov ax, 0x30
    mov fs, ax
    cld
    push esp
%endmacro

sysenter_entry:
    push dword 0x23
    push edx                      ; the user's stack pointer
    push dword 0x3202             ; IOPL 3, IF
    push dword 0x1b
    push dword fast_call_ret
    enter_kernel 1
    call kernel_call
    jmp leave

int2e_entry:
    enter_kernel 0
    call kernel_call
    jmp leave
print_entry:
    enter_kernel 0
    call kernel_print
    jmp leave
timer_entry:
    enter_kernel 0
    call kernel_timer
    jmp leave
double_entry:
    enter_kernel 0
    call kernel_bad
fault_entry:                      ; the error code stands where the kind does
    push fs
    pushad
    mov ax, 0x30
    mov fs, ax
    cld
    push esp
    call kernel_fault
    mov dword [esp + 4 + 36], 0
leave:
    add esp, 4
    popad
    pop fs
    cmp dword [esp], 1
    jne .iret
    add esp, 4
    pop edx
    add esp, 8
    pop ecx
    sti
    sysexit
.iret:
    add esp, 4
    iretd

; void switch_stack(uint32_t *save, uint32_t load)
switch_stack:
    mov eax, [esp + 4]
    mov edx, [esp + 8]
    push ebp
    push ebx
    push esi
    push edi
    mov [eax], esp
    mov esp, edx
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret
first_return:                     ; a new thread's first way out: its frame stands on its stack
    push esp
    jmp leave

section .user_text progbits alloc exec nowrite align=16
global nt_sysenter, nt_int2e, print, user_start, callback_entry
extern user_main, user_callback
user_start:
    push eax                      ; index of the thread
    call user_main
    ud2
; NTSTATUS nt_sysenter(uint32_t number, ...): two words stand in front of the arguments, as in Windows.
nt_sysenter:
    mov eax, [esp + 4]
    mov edx, esp
    sysenter
    nop
fast_call_ret:
    ret
global fast_call_ret
nt_int2e:
    mov eax, [esp + 4]
    lea edx, [esp + 8]
    int 0x2e
    ret
print:
    mov eax, [esp + 4]
    int 0x80
    ret
callback_entry:
    call user_callback
    ud2

section .bss
    resb 8192
boot_stack_top:
