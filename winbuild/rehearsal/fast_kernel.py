"""Packs a Linux kernel anew so that it starts quickly under emulation.

The distribution's kernel is compressed for size (XZ, Zstandard), and unpacking it takes longest
of all that happens at a boot. It is unpacked here once, and packed by LZ4 behind an unpacker of
our own. Layouts: Linux' Documentation/arch/x86/boot and the ELF specification.
"""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from winbuild.host import Host

TOOL_TIMEOUT_S = 120.0
UNPACKER = Path(__file__).with_name("unpacker.asm")
LZ4_LEGACY_MAGIC = bytes.fromhex("02214c18")
# Above what a kernel of up to 80 MiB unpacks to at 16 MiB, below the end of 256 MiB.
LOAD_ADDRESS = 0x6000000
ROOM_BEHIND_BYTES = 64 << 10  # for page tables
HEADER_MAGIC = b"HdrS"
PROTOCOL_2_12 = 0x20C


class CannotRepack(Exception):
    """The kernel is not as expected; it has to be used as it is."""


@dataclass(frozen=True)
class MemoryImage:
    """A kernel as it lies in memory before its first instruction."""

    address: int
    entry: int
    content: bytes
    zeros: int


def repack(host: Host, kernel: bytes, work: Path) -> bytes:
    """The same kernel, quick to start. Raises CannotRepack; `work` is for temporary files."""
    setup_bytes = (kernel[0x1F1] + 1) * 512
    version = struct.unpack_from("<H", kernel, 0x206)[0]
    if kernel[0x202:0x206] != HEADER_MAGIC or version < PROTOCOL_2_12:
        raise CannotRepack("no 64-bit bzImage")
    offset, length = struct.unpack_from("<II", kernel, 0x248)
    packed = kernel[setup_bytes + offset :][:length]
    image = memory_image(_unpack(host, packed))
    if image.address + len(image.content) + image.zeros > LOAD_ADDRESS:
        raise CannotRepack("the kernel is too large")
    blocks = _lz4_blocks(host, image.content, work)
    program = _unpacker(host, image, len(blocks), work) + blocks
    return _with_header(kernel[:setup_bytes], program)


def memory_image(elf: bytes) -> MemoryImage:
    """The loadable segments of an ELF kernel, side by side at their physical addresses."""
    if elf[:5] != b"\x7fELF\x02":
        raise CannotRepack("the kernel is no 64-bit ELF file")
    entry, table = struct.unpack_from("<QQ", elf, 24)
    count = struct.unpack_from("<H", elf, 56)[0]
    segments = []
    for number in range(count):
        kind, _, offset, _, physical, in_file, in_memory, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, table + 56 * number
        )
        if kind == 1:  # PT_LOAD
            segments.append((physical, elf[offset : offset + in_file], in_memory))
    if not segments:
        raise CannotRepack("the kernel has nothing to load")
    start = min(physical for physical, _, _ in segments)
    end = max(physical + in_memory for physical, _, in_memory in segments)
    content = bytearray(end - start)
    for physical, piece, _ in segments:
        content[physical - start : physical - start + len(piece)] = piece
    used = len(content.rstrip(b"\0"))
    return MemoryImage(start, entry, bytes(content[:used]), len(content) - used)


def _unpack(host: Host, packed: bytes) -> bytes:
    """Undo the kernel's own compression. (Its format's end is followed by the size.)"""

    def zstd(data: bytes) -> bytes:
        argv = ["zstd", "-dcq", "--no-check", "-M2048MB"]
        # The size that follows is no frame: zstd says so after it has given all of the content.
        return host.run(argv, stdin=data, timeout_s=TOOL_TIMEOUT_S, check=False).stdout

    formats: dict[bytes, Callable[[bytes], bytes]] = {
        b"\xfd7zXZ": lambda data: lzma.LZMADecompressor().decompress(data),
        b"\x1f\x8b": lambda data: gzip.decompress(data[:-4]),
        b"\x28\xb5\x2f\xfd": zstd,
    }
    for magic, undo in formats.items():
        if packed.startswith(magic):
            content = undo(packed)
            if len(content) != int.from_bytes(packed[-4:], "little"):
                raise CannotRepack("the kernel does not unpack to the size that it states")
            return content
    raise CannotRepack(f"the kernel is compressed in an unknown way ({packed[:4].hex()})")


def _lz4_blocks(host: Host, content: bytes, work: Path) -> bytes:
    plain, packed = work / "kernel.plain", work / "kernel.lz4"
    plain.write_bytes(content)
    host.run(["lz4", "-l", "-9", "-f", "-q", plain, packed], timeout_s=TOOL_TIMEOUT_S)
    plain.unlink()
    raw = packed.read_bytes()
    if not raw.startswith(LZ4_LEGACY_MAGIC):
        raise CannotRepack("lz4 wrote another format than its legacy one")
    return raw[len(LZ4_LEGACY_MAGIC) :] + bytes(4)


def _unpacker(host: Host, image: MemoryImage, payload_bytes: int, work: Path) -> bytes:
    values = {
        "DEST": image.address,
        "BSS_BYTES": image.zeros,
        "ENTRY": image.entry,
        "PAYLOAD_BYTES": payload_bytes,
    }
    defines = [f"-D{name}={value}" for name, value in values.items()]
    program = work / "unpacker.bin"
    host.run(["nasm", "-f", "bin", *defines, "-o", program, UNPACKER], timeout_s=TOOL_TIMEOUT_S)
    return program.read_bytes()


def _with_header(setup: bytes, program: bytes) -> bytes:
    """A bzImage: the setup header of the original, changed to fit `program`."""
    header = bytearray(setup)
    paragraphs = -(-len(program) // 16)
    struct.pack_into("<I", header, 0x1F4, paragraphs)  # syssize
    struct.pack_into("<I", header, 0x230, 0x1000)  # kernel_alignment
    header[0x234:0x236] = bytes([1, 12])  # relocatable; smallest alignment 2^12
    struct.pack_into("<H", header, 0x236, 0)  # xloadflags: no 64-bit entry, no EFI
    struct.pack_into("<II", header, 0x248, 0, 0)  # no payload that others could unpack
    struct.pack_into("<Q", header, 0x258, LOAD_ADDRESS)  # pref_address
    struct.pack_into("<I", header, 0x260, paragraphs * 16 + ROOM_BEHIND_BYTES)  # init_size
    return bytes(header) + program.ljust(paragraphs * 16, b"\0")
