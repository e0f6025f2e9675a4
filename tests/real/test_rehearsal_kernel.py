"""The unpacker that stands before the rehearsal guest's kernel, run by a real machine."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest

from winbuild.host import Host
from winbuild.rehearsal.fast_kernel import (
    LOAD_ADDRESS,
    CannotRepack,
    MemoryImage,
    memory_image,
    repack,
)

pytestmark = pytest.mark.real

ADDRESS = 0x1000000
ZEROS = 3000
# Sums up the data behind it and looks for anything but zeros behind that; then says through
# QEMU's debug port whether all is as it was packed.
CODE = """
        bits    64
        mov     ebx, 0x10
        mov     rsi, DATA
        mov     ecx, DATA_BYTES
        xor     eax, eax
next:   rol     eax, 5
        movzx   edx, byte [rsi]
        add     eax, edx
        inc     rsi
        loop    next
        cmp     eax, SUM
        jne     bad
        mov     ecx, ZERO_BYTES
zero:   cmp     byte [rsi], 0
        jne     bad
        inc     rsi
        loop    zero
        jmp     tell
bad:    mov     ebx, 0x20
tell:   mov     eax, ebx
        out     0xf4, al
        hlt
        times   256-($-$$) db 0
"""

# What stands in a kernel's setup sector at offset 0x268, which QEMU loads at 0x10000 and enters
# in real mode: goes on in protected mode at 1 MiB, as the 32-bit boot protocol describes.
SETUP = """
        bits    16
        org     0x268
        cli
        mov     ax, 0x1000
        mov     ds, ax
        o32 lgdt [table]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     ax, 0x18
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        jmp     dword 0x10:0x100000
table:  dw      31
        dd      0x10000 + gdt
gdt:    dq      0, 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
"""


def patterns(seed: int) -> bytes:
    """Literal and repeated pieces of every period and length that LZ4 tells apart."""
    chance = random.Random(seed)
    pieces = []
    for period in [*range(1, 40), 63, 64, 65, 300, 66000]:
        for length in (4, 15, 16, 17, 19, 270, 5000):
            unit = chance.randbytes(period)
            pieces.append((unit * (length // period + 2))[: period + length])
            pieces.append(chance.randbytes(chance.choice((0, 1, 14, 15, 16, 17, 254, 300))))
    pieces.append(bytes(9 << 20) + b"the end")  # more than one block of 8 MiB
    return b"".join(pieces)


def checksum(content: bytes) -> int:
    total = 0
    for byte in content:
        total = ((total << 5 | total >> 27) + byte) & 0xFFFFFFFF
    return total


def elf_kernel(content: bytes) -> bytes:
    """An ELF file of one segment, at `ADDRESS`, with `ZEROS` bytes more in memory."""
    kind = struct.pack("<16sHHI", b"\x7fELF\x02\x01\x01", 2, 62, 1)
    head = kind + struct.pack("<QQQIHHHHHH", ADDRESS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 120, 0, ADDRESS, len(content), len(content) + ZEROS, 8)
    return head + segment + content


def bz_image(payload: bytes, setup: bytes = b"") -> bytes:
    """As much of a kernel's setup header as a boot loader reads, with `payload` behind it."""
    header = bytearray(1024)
    header[0x1F1] = 1
    struct.pack_into("<H", header, 0x1FE, 0xAA55)
    header[0x200:0x202] = b"\xeb\x66"
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", header, 0x206, 0x20F)
    header[0x211] = 1  # loaded high
    struct.pack_into("<II", header, 0x214, 0x100000, 0)
    struct.pack_into("<I", header, 0x22C, 0x7FFFFFFF)
    struct.pack_into("<I", header, 0x238, 255)
    struct.pack_into("<II", header, 0x248, 0, len(payload))
    header[0x268 : 0x268 + len(setup)] = setup
    return bytes(header) + payload


def assembled(source: str, folder: Path, **values: int) -> bytes:
    (folder / "code.asm").write_text(source)
    argv = ["nasm", "-f", "bin", *(f"-D{name}={value}" for name, value in values.items())]
    subprocess.run([*argv, "-o", folder / "code.bin", folder / "code.asm"], check=True)
    return (folder / "code.bin").read_bytes()


def gzipped(content: bytes) -> bytes:
    import gzip

    return gzip.compress(content, 1) + len(content).to_bytes(4, "little")


def test_everything_is_unpacked_as_it_was(tmp_path: Path) -> None:
    data = patterns(1)
    program = assembled(
        CODE,
        tmp_path,
        DATA=ADDRESS + 256,
        DATA_BYTES=len(data),
        ZERO_BYTES=ZEROS,
        SUM=checksum(data),
    )
    packed = gzipped(elf_kernel(program + data))
    kernel = repack(Host(), bz_image(packed, assembled(SETUP, tmp_path)), tmp_path)
    (tmp_path / "kernel").write_bytes(kernel)

    argv = ["qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-display", "none", "-no-reboot"]
    argv += ["-device", "isa-debug-exit,iobase=0xf4", "-nic", "none"]
    argv += ["-kernel", str(tmp_path / "kernel")]
    done = subprocess.run(argv, timeout=60, check=False)
    assert done.returncode == 0x10 * 2 + 1, "QEMU ends with twice the value written, plus one"


def test_segments_come_to_lie_at_their_addresses() -> None:
    image = memory_image(elf_kernel(b"\x90" * 100 + bytes(50)))
    assert image == MemoryImage(ADDRESS, ADDRESS, b"\x90" * 100, 50 + ZEROS)


@pytest.mark.parametrize(
    ("kernel", "why"),
    [
        (bytes(4096), "no 64-bit bzImage"),
        (bz_image(b"\xde\xad\xbe\xef" * 10), "unknown way"),
        (bz_image(gzipped(b"no kernel at all")), "no 64-bit ELF"),
        (bz_image(gzipped(b"x" * 100)[:-4] + bytes(4)), "the size that it states"),
    ],
)
def test_a_kernel_that_is_not_understood_is_left_alone(
    tmp_path: Path, kernel: bytes, why: str
) -> None:
    with pytest.raises(CannotRepack, match=why):
        repack(Host(), kernel, tmp_path)


def test_a_kernel_that_would_overwrite_its_unpacker(tmp_path: Path) -> None:
    large = elf_kernel(b"\x90")
    size = LOAD_ADDRESS - ADDRESS + 1
    large = large[: 64 + 40] + struct.pack("<Q", size) + large[64 + 48 :]
    with pytest.raises(CannotRepack, match="too large"):
        repack(Host(), bz_image(gzipped(large)), tmp_path)
