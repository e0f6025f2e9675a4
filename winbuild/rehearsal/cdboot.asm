; First stage of the rehearsal CD (El Torito, no emulation, 2048 bytes, loaded at 0:7c00).
;
; Does what the Windows CD's first stage is known for: if the first hard disk holds a boot
; record with an active partition, it asks for a key, and boots the disk when none comes.
; Otherwise, or with a key, it boots the CD: the El Torito image of GRUB that follows this
; stage in the same boot file gets a boot information table of its own and is started.

        bits    16
        cpu     386
        org     0x600                   ; where it moves to: 7c00 is for the next stage

NEXT    equ     0x7c00
SECTOR  equ     2048
DOTS    equ     5                       ; one each second
SECOND  equ     18                      ; ticks of the BIOS clock
TICKS   equ     0x46c

        jmp     near move
        times   8-($-$$) db 0
pvd:    dd      0                       ; boot information table, filled in with the ISO
lba:    dd      0                       ; of the boot file
length: dd      0                       ; of the boot file, in bytes
        times   64-($-$$) db 0

move:   cli
        xor     ax, ax
        mov     ss, ax
        mov     sp, NEXT
        mov     ds, ax
        mov     es, ax
        sti
        cld
        mov     si, NEXT
        mov     di, 0x600
        mov     cx, SECTOR / 2
        rep     movsw
        jmp     0:main

main:   mov     [drive], dl
        call    load_mbr
        jc      boot_cd
        cmp     word [NEXT + 510], 0xaa55
        jne     boot_cd
        mov     si, NEXT + 446
        mov     cx, 4
active: test    byte [si], 0x80
        jnz     ask
        add     si, 16
        loop    active
        jmp     boot_cd

ask:    mov     si, prompt
        call    print
        mov     cx, DOTS
dot:    mov     al, '.'
        call    put
        mov     bx, [TICKS]
poll:   mov     ah, 1
        int     0x16                    ; a key?
        jnz     pressed
        hlt
        mov     ax, [TICKS]
        sub     ax, bx
        cmp     ax, SECOND
        jb      poll
        loop    dot
        mov     si, newline
        call    print
        call    load_mbr
        jc      failed
        mov     dx, 0x80
        jmp     0:NEXT

pressed:
        xor     ax, ax
        int     0x16                    ; take it
        mov     si, newline
        call    print

boot_cd:
        mov     eax, [lba]
        inc     eax                     ; this stage is one sector long
        mov     [packet_lba], eax
        mov     ah, 0x42
        mov     dl, [drive]
        mov     si, packet
        int     0x13
        jc      failed
        mov     eax, [pvd]
        mov     [NEXT + 8], eax
        mov     eax, [packet_lba]
        mov     [NEXT + 12], eax
        mov     eax, [length]
        sub     eax, SECTOR
        mov     [NEXT + 16], eax
        mov     dl, [drive]
        jmp     0:NEXT

failed: mov     si, error
        call    print
stop:   hlt
        jmp     stop

load_mbr:                               ; carry: there is no disk
        mov     ax, 0x0201
        mov     cx, 1
        mov     dx, 0x80
        mov     bx, NEXT
        int     0x13
        ret

print:  lodsb
        test    al, al
        jz      done
        call    put
        jmp     print
put:    pusha
        mov     ah, 0x0e
        mov     bx, 7
        int     0x10
        popa
done:   ret

packet: db      16, 0
        dw      1                       ; sectors of 2048 bytes
        dw      NEXT, 0
packet_lba:
        dd      0, 0
drive:  db      0
prompt: db      "Press any key to boot from CD or DVD", 0
newline:
        db      13, 10, 0
error:  db      13, 10, "winbuild rehearsal: the boot medium cannot be read.", 13, 10, 0

        times   SECTOR-($-$$) db 0
