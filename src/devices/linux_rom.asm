; SPDX-License-Identifier: MIT
; Option ROM with a bootstrap entry vector: loads a Linux kernel through the fw_cfg DMA port and enters its setup code.
; Assembled with nasm -f bin; the bytes, with both checksums patched, are the table in fw_cfg_linux.c.
bits 16
org 0
    db 0x55, 0xaa, 1              ; 512 bytes
    jmp short init
    times 0x18-($-$$) db 0
    dw 0                          ; no PCI structure
    dw pnp
    align 16
pnp:
    db "$PnP", 1, 2               ; revision, length / 16
    dw 0                          ; next
    db 0
    db 0                          ; checksum: patched
    dd 0
    dw maker
    dw product
    db 0, 0, 0                    ; type
    db 0xe4                       ; indicators
    dw 0                          ; BCV
    dw 0                          ; disconnect
    dw start                      ; BEV
    dw 0
    dw 0
maker: db "emu", 0
product: db "Linux loader", 0
init:
    mov ax, 0x20                  ; a boot device is attached
    retf

; reads item BX (address key, size key, data key follow) : SI -> three words
; request block at 0000:7c00
load:
    mov di, 0x7c00
    lodsw                         ; address key
    call read32
    mov ebp, eax
    lodsw                         ; size key
    call read32
    mov ecx, eax
    lodsw                         ; data key
    test ecx, ecx
    jz .done
    mov edx, ebp
    call dma
.done:
    ret

; AX = key -> EAX = its 32-bit value
read32:
    mov ecx, 4
    mov edx, 0x7c20
    call dma
    mov eax, [es:0x7c20]
    ret

; AX = key, ECX = length, EDX = address
dma:
    push edx
    xchg al, ah
    and eax, 0xffff
    or eax, 0x0a000000            ; big-endian: key, then select + read
    mov [es:di], eax
    bswap ecx
    mov [es:di+4], ecx
    mov dword [es:di+8], 0
    bswap edx
    mov [es:di+12], edx
    mov dx, 0x518
    mov eax, 0x007c0000           ; 0x00007c00, big-endian
    out dx, eax
.wait:
    mov eax, [es:di]
    and eax, 0xfeffffff
    jnz .wait
    pop edx
    ret

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
