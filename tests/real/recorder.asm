; A Windows program for tests: appends its command line to C:\calls.log and ends with
; EXIT_CODE (nasm -f bin -D EXIT_CODE=n). A PE32+ file written out by hand, so that no
; cross compiler is needed.

bits 64
default rel
%define BASE 0x140000000
%define ALIGN_BYTES 0x200
%define RVA(x) ((x) - start_of_file + SECTION_RVA - SECTION_OFFSET)
%define SECTION_OFFSET 0x200
%define SECTION_RVA 0x1000
%define SECTION_BYTES 0x400

%define FILE_APPEND_DATA 4
%define FILE_SHARE_READ_WRITE 3
%define OPEN_ALWAYS 4

start_of_file:
    db "MZ"
    times 0x3c - ($ - $$) db 0
    dd pe_header - start_of_file
pe_header:
    db "PE", 0, 0
    dw 0x8664, 1                        ; machine, number of sections
    dd 0, 0, 0                          ; time, symbols
    dw section_table - optional_header, 0x22
optional_header:
    dw 0x20b                            ; PE32+
    db 0, 0
    dd SECTION_BYTES, 0, 0
    dd RVA(entry), SECTION_RVA
    dq BASE
    dd 0x1000, ALIGN_BYTES
    dw 5, 2, 0, 0, 5, 2                 ; system, image and subsystem versions
    dd 0, 0x2000, ALIGN_BYTES, 0        ; reserved, sizes of image and headers, checksum
    dw 3, 0                             ; console program
    dq 0x100000, 0x1000, 0x100000, 0x1000
    dd 0, 16                            ; loader flags, number of directories
    dd 0, 0                             ; exports
    dd RVA(imports), imports_end - imports
    times 14 dq 0
section_table:
    db ".all", 0, 0, 0, 0
    dd SECTION_BYTES, SECTION_RVA, SECTION_BYTES, SECTION_OFFSET
    dd 0, 0, 0
    dd 0xe0000060                       ; code and data, read, write, execute
    times SECTION_OFFSET - ($ - $$) db 0

entry:
    sub rsp, 0x58
    lea rcx, [log_name]
    mov edx, FILE_APPEND_DATA
    mov r8d, FILE_SHARE_READ_WRITE
    xor r9d, r9d
    mov qword [rsp + 0x20], OPEN_ALWAYS
    mov qword [rsp + 0x28], 0
    mov qword [rsp + 0x30], 0
    call [CreateFileA]
    mov rbx, rax
    call [GetCommandLineA]
    mov rdi, rax
    mov rdx, rax
    xor eax, eax
    mov rcx, -1
    repne scasb
    not rcx
    dec rcx
    mov r8, rcx
    call write
    lea rdx, [line_end]
    mov r8d, 2
    call write
    mov ecx, EXIT_CODE
    call [ExitProcess]

write:                                  ; rdx: text, r8: bytes
    sub rsp, 0x38
    mov rcx, rbx
    lea r9, [written]
    mov qword [rsp + 0x20], 0
    call [WriteFile]
    add rsp, 0x38
    ret

log_name db "C:\calls.log", 0
line_end db 13, 10
written  dd 0

    align 8
imports:
    dd RVA(lookup), 0, 0, RVA(library), RVA(lookup)
    times 5 dd 0
library db "KERNEL32.dll", 0
    align 8
lookup:
CreateFileA     dq RVA(name_create)
GetCommandLineA dq RVA(name_command)
WriteFile       dq RVA(name_write)
ExitProcess     dq RVA(name_exit)
                dq 0
name_create  db 0, 0, "CreateFileA", 0
name_command db 0, 0, "GetCommandLineA", 0
name_write   db 0, 0, "WriteFile", 0
name_exit    db 0, 0, "ExitProcess", 0
imports_end:
    times SECTION_OFFSET + SECTION_BYTES - ($ - $$) db 0
