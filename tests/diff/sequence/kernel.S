// SPDX-License-Identifier: MIT
// The guest's kernel: what happens on exceptions, interrupts and calls of services. It makes sure
// that arithmetic flags in frames on a program's own stack are not kept: a translator may leave
// flags that nobody will read undefined.
#include "layout.h"

#define FRAME_MASK ~0x9d5 // arithmetic flags and TF

        .intel_syntax noprefix
        .section .rodata
        .code32
        .globl sequence_kernel, sequence_kernel_end
sequence_kernel:

// Exceptions. The frame gets an error code in any case.
        .macro exception number, code, to=fault
        .org sequence_kernel + \number * EXCEPTION_STUB
        .if \code == 0
        push 0
        .endif
        jmp \to
        .endm
        exception 0, 0
        exception 1, 0
        exception 2, 0, interrupted
        exception 3, 0, trapped
        exception 4, 0, trapped
        exception 5, 0
        exception 6, 0
        exception 7, 0, unavailable
        exception 8, 1
        exception 9, 0
        exception 10, 1
        exception 11, 1
        exception 12, 1
        exception 13, 1
        exception 14, 1, page_fault
        exception 15, 0
        exception 16, 0, math
        exception 17, 1
        exception 18, 0
        exception 19, 0
        exception 20, 0

        .org sequence_kernel + STUB_DEVICE
        push 0
        jmp interrupted

        .org sequence_kernel + STUB_GATE
        retf

        .org sequence_kernel + STUB_SYSENTER
        sysexit

        .org sequence_kernel + STUB_DF
1:      hlt
        jmp 1b

        .org sequence_kernel + STUB_COMMON
// Stack: DS, EAX, error code, EIP, CS, EFLAGS (, ESP, SS). In ROM or on a device it cannot be believed, though
// a part of the frame may be in memory: that is the program's end.
#define PROBE 0x5a5a5a5a
        .macro enter
        push eax
        push ds
        mov eax, SEL_DATA0
        mov ds, eax
        push PROBE
        pop eax
        cmp eax, PROBE
        jne end
        .endm
#define EIP_   [esp + 12]
#define CS_    [esp + 16]
#define FLAGS_ [esp + 20]
#define ESP_   [esp + 24]

// With CR0.EM the next exception comes here, and its end is the program's: this frame is cleaned before.
math:   and dword ptr [esp + 12], FRAME_MASK
        fnclex
        // falls through

// Faults go on where the program said; after too many of them it ends.
fault:  enter
        and dword ptr FLAGS_, FRAME_MASK
        sub dword ptr [VAR_FAULTS], 1
        jbe end
        mov eax, CS_
        xor eax, [VAR_CS]
        test al, 3
        jnz end
        mov eax, [VAR_CS]
        mov CS_, eax
        mov eax, [SCRATCH_RESUME]
        mov EIP_, eax
        mov eax, [VAR_DS]
        mov [esp], eax
        mov es, eax
        test byte ptr CS_, 3
        jz 1f
        cmp dword ptr [VAR_ESP], 0
        je 1f
        mov eax, [VAR_ESP]
        mov ESP_, eax
1:      pop ds
        pop eax
        lea esp, [esp + 4]
        iretd
end:    and dword ptr FLAGS_, FRAME_MASK
1:      hlt
        jmp 1b

// INT3, INTO: the program goes on behind them.
trapped:
        enter
        jmp leave

interrupted:
        enter
        inc dword ptr [VAR_INTERRUPTS]
        jmp leave

unavailable:
        enter
        clts
        sub dword ptr [VAR_FAULTS], 1
        jbe end
        jmp leave

// A page that is mapped only when it is touched: the instruction starts again.
page_fault:
        enter
        test byte ptr [esp + 8], 1
        jnz 1f
        mov eax, cr2
        shr eax, 12
        sub eax, DATA >> 12
        cmp eax, DATA_PAGES
        jae 1f
        add eax, DATA >> 12
        test dword ptr [TABLE_A + eax * 4], 0x200
        jz 1f
        sub dword ptr [VAR_FAULTS], 1
        jbe end
        or dword ptr [TABLE_A + eax * 4], 1
        or dword ptr [TABLE_B + eax * 4], 1
        jmp leave
1:      pop ds
        pop eax
        jmp fault

// Back with the flags of the frame. On a program's own stack they must not stay: it is left
// without IRET, and the places are cleared.
leave:  test byte ptr CS_, 3
        jnz 2f
        cmp word ptr CS_, SEL_CODE0
        jne 1f
        test dword ptr FLAGS_, 0x100
        jnz 1f
        push FLAGS_
        popfd
        mov dword ptr [esp - 4], 0
        mov dword ptr FLAGS_, 0
        pop ds
        pop eax
        lea esp, [esp + 4]
        ret 8
1:      and dword ptr FLAGS_, FRAME_MASK
2:      pop ds
        pop eax
        lea esp, [esp + 4]
        iretd

// Services.
        .macro service number
        .org sequence_kernel + STUB_SERVICES + \number * SERVICE_STUB
        push eax
        push ds
        mov eax, SEL_DATA0
        mov ds, eax
        .endm
        .macro done
        pop ds
        pop eax
        iretd
        .endm
#define ENTRY(table, page) [table + ((DATA >> 12) + page) * 4]
#define LINEAR(page) [DATA + (page) * 0x1000]

        service 0
        done
        service 1 // another page directory
        mov eax, cr3
        xor eax, (FRAME_DIR_A ^ FRAME_DIR_B) * 0x1000
        mov cr3, eax
        done
        service 2 // writable or not
        xor dword ptr ENTRY(TABLE_A, PAGE_TOGGLED), 2
        xor dword ptr ENTRY(TABLE_B, PAGE_TOGGLED), 2
        invlpg LINEAR(PAGE_TOGGLED)
        done
        service 3 // two pages change places
        push ebx
        mov eax, ENTRY(TABLE_A, PAGE_SWAPPED)
        mov ebx, ENTRY(TABLE_A, PAGE_SWAPPED + 1)
        mov ENTRY(TABLE_A, PAGE_SWAPPED), ebx
        mov ENTRY(TABLE_A, PAGE_SWAPPED + 1), eax
        mov ENTRY(TABLE_B, PAGE_SWAPPED), ebx
        mov ENTRY(TABLE_B, PAGE_SWAPPED + 1), eax
        invlpg LINEAR(PAGE_SWAPPED)
        invlpg LINEAR(PAGE_SWAPPED + 1)
        pop ebx
        done
        service 4 // the other version of a code page
        push ebx
        mov ebx, [VAR_REMAP]
        mov eax, ebx
        shr eax, 12
        xor dword ptr [TABLE_A + eax * 4], (FRAME_CODE ^ FRAME_OTHER) * 0x1000
        xor dword ptr [TABLE_B + eax * 4], (FRAME_CODE ^ FRAME_OTHER) * 0x1000
        invlpg [ebx]
        pop ebx
        done
        service 5 // present or not
        xor dword ptr ENTRY(TABLE_A, PAGE_PRESENT), 1
        xor dword ptr ENTRY(TABLE_B, PAGE_PRESENT), 1
        invlpg LINEAR(PAGE_PRESENT)
        done
        service 6 // the FPU is taken away
        mov eax, cr0
        or eax, 8
        mov cr0, eax
        done
        service 7 // for the user or not
        xor dword ptr ENTRY(TABLE_A, PAGE_USER), 4
        xor dword ptr ENTRY(TABLE_B, PAGE_USER), 4
        mov eax, cr3
        mov cr3, eax
        done
        service 8 // CR0.WP
        mov eax, cr0
        xor eax, 0x10000
        mov cr0, eax
        done
        service 9 // changes the code
        push ebx
        mov ebx, [VAR_PATCH]
        mov eax, [VAR_PATCH_XOR]
        xor byte ptr [ebx], al
        pop ebx
        done
        service 10 // interrupts for a while
        sti
        nop
        cli
        done
        service 11 // CR4.PGE: flushes global pages as well
        mov eax, cr4
        xor eax, 0x80
        mov cr4, eax
        done
sequence_kernel_end:
        .section .note.GNU-stack, "", @progbits
