; Stands before the kernel of the rehearsal guest in place of the kernel's own unpacker, whose
; XZ takes four seconds under emulation: this one unpacks LZ4 blocks in a fraction of a second.
;
; Entered by the boot loader as Linux' 32-bit boot protocol says (Documentation/arch/x86/boot):
; flat segments, no paging, esi = boot parameters. Leaves as its 64-bit protocol wants it:
; the first 4 GiB mapped to themselves, code segment 0x10, data 0x18, rsi = boot parameters.
; It may lie anywhere above the place that the kernel unpacks to.
;
; Set by the builder: DEST, where the kernel's memory image goes; BSS_BYTES, zeros behind it;
; ENTRY, the kernel's 64-bit entry; PAYLOAD_BYTES, what the builder appends behind this code:
; blocks of 4 bytes of size and so many bytes of LZ4 data, then a size of 0.

        bits    32
        org     0

PAGE    equ     0x1000

start:  cli
        cld
        call    here
here:   pop     ebp
        sub     ebp, here - start       ; where we are
        lea     esp, [ebp + stack_end]
        push    ebp
        push    esi                     ; the boot parameters
        mov     eax, cr0
        and     eax, ~4                 ; no emulation of the floating point unit
        or      eax, 2
        mov     cr0, eax
        mov     eax, cr4
        or      eax, 0x200              ; SSE: 16 bytes at once
        mov     cr4, eax
        lea     esi, [ebp + payload]
        mov     edi, DEST

; esi reads, edi writes, ebx is the end of the block's data. Copies run over by up to 15 bytes:
; what follows is written later. (String instructions would be far slower under emulation.)
block:  lodsd
        test    eax, eax
        jz      unpacked
        lea     ebx, [esi + eax]
token:  movzx   edx, byte [esi]         ; literals in the upper half, match in the lower
        inc     esi
        mov     ecx, edx
        shr     ecx, 4
        cmp     ecx, 15
        je      many_literals
literals:
        lea     ebp, [edi + ecx]
        lea     ecx, [esi + ecx]
literal:
        movdqu  xmm0, [esi]
        movdqu  [edi], xmm0
        add     esi, 16
        add     edi, 16
        cmp     edi, ebp
        jb      literal
        mov     edi, ebp
        mov     esi, ecx
        cmp     esi, ebx
        jae     block                   ; a block ends with literals
        movzx   eax, word [esi]         ; how far back the match begins
        add     esi, 2
        and     edx, 15
        cmp     edx, 15
        je      long_match
match:  lea     ebp, [edi + edx + 4]    ; where it ends
        mov     edx, edi
        sub     edx, eax
        cmp     eax, 16
        jb      near_match
match_16:
        movdqu  xmm0, [edx]
        movdqu  [edi], xmm0
        add     edx, 16
        add     edi, 16
        cmp     edi, ebp
        jb      match_16
        mov     edi, ebp
        jmp     token

near_match:
        cmp     eax, 8
        jae     match_8
        cmp     eax, 1
        je      run
match_1:
        mov     al, [edx]
        mov     [edi], al
        inc     edx
        inc     edi
        cmp     edi, ebp
        jb      match_1
        jmp     token
match_8:
        movq    xmm0, [edx]
        movq    [edi], xmm0
        add     edx, 8
        add     edi, 8
        cmp     edi, ebp
        jb      match_8
        mov     edi, ebp
        jmp     token
run:    movzx   eax, byte [edx]         ; one byte over and over
        imul    eax, eax, 0x01010101
        movd    xmm0, eax
        pshufd  xmm0, xmm0, 0
run_16: movdqu  [edi], xmm0
        add     edi, 16
        cmp     edi, ebp
        jb      run_16
        mov     edi, ebp
        jmp     token

many_literals:
        movzx   eax, byte [esi]
        inc     esi
        add     ecx, eax
        cmp     eax, 255
        je      many_literals
        jmp     literals
long_match:
        movzx   ecx, byte [esi]
        inc     esi
        add     edx, ecx
        cmp     ecx, 255
        je      long_match
        jmp     match

unpacked:
        mov     ecx, (BSS_BYTES + 3) / 4
        xor     eax, eax
        rep     stosd
        mov     ebp, [esp + 4]

        ; Page tables behind the payload: one of the 4th level, one of the 3rd, four of the 2nd.
        lea     edi, [ebp + payload + PAYLOAD_BYTES + PAGE - 1]
        and     edi, -PAGE
        mov     ebx, edi
        mov     ecx, 6 * PAGE / 4
        rep     stosd
        lea     eax, [ebx + PAGE + 3]   ; present, writable
        mov     [ebx], eax
        lea     eax, [ebx + 2 * PAGE + 3]
        lea     edi, [ebx + PAGE]
        mov     ecx, 4
third:  mov     [edi], eax
        add     eax, PAGE
        add     edi, 8
        loop    third
        lea     edi, [ebx + 2 * PAGE]
        mov     eax, 0x83               ; present, writable, a page of 2 MiB
        mov     ecx, 2048
second: mov     [edi], eax
        add     eax, 0x200000
        add     edi, 8
        loop    second

        lea     eax, [ebp + gdt]
        mov     [ebp + gdt_pointer + 2], eax
        lgdt    [ebp + gdt_pointer]
        mov     eax, cr4
        or      eax, 0x20               ; PAE
        mov     cr4, eax
        mov     cr3, ebx
        mov     ecx, 0xc0000080         ; EFER
        rdmsr
        or      eax, 0x100              ; long mode
        wrmsr
        pop     esi
        lea     eax, [ebp + long_mode]
        push    0x10
        push    eax
        mov     eax, cr0
        or      eax, 0x80000001         ; paging, protected mode
        mov     cr0, eax
        retf

        bits    64
long_mode:
        mov     eax, 0x18
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esi, esi                ; the upper half has to be zero
        mov     eax, ENTRY
        jmp     rax

        align   8
gdt:    dq      0, 0
        dq      0x00af9a000000ffff      ; 0x10: code, 64-bit
        dq      0x00cf92000000ffff      ; 0x18: data
gdt_pointer:
        dw      $ - gdt - 1
        dd      0
        align   8
        times   256 db 0
stack_end:
        align   16
payload:
