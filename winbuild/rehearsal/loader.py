"""The boot code of the rehearsal media: our first stage and GRUB, for the CD and for the disk."""

from __future__ import annotations

from pathlib import Path

from winbuild.errors import MediaError
from winbuild.host import Host

BUILD_TIMEOUT_S = 60.0
GRUB_DIR = Path("/usr/lib/grub/i386-pc")
CD_FOLDER = "/rehearsal"
DISK_FOLDER = "/Boot/rehearsal"
BOOT_FILES = ("kernel", "initrd.img", "guest.img")

# Speed under emulation: no self-checks, no mitigations, nothing printed.
KERNEL_OPTIONS = (
    "quiet loglevel=3 console=ttyS0 consoleblank=0 vt.global_cursor_default=0 mitigations=off "
    "nokaslr nowatchdog audit=0 apparmor=0 cryptomgr.notests random.trust_cpu=1"
)
_BOTH = ("biosdisk", "linux", "vbe", "video", "echo", "boot")
CD_MODULES = (*_BOTH, "iso9660")
DISK_MODULES = (*_BOTH, "part_msdos", "part_gpt", "ntfs", "search_fs_file", "halt", "sleep")
# The table of partitions begins here in a master boot record; boot code must end before it.
MBR_CODE_BYTES = 440


def cd_config() -> str:
    return _config("(cd)" + CD_FOLDER, "cd")


def disk_config() -> str:
    find = f"search.file {DISK_FOLDER}/{BOOT_FILES[0]} root\n"
    lost = 'echo "BOOTMGR is missing"\necho "Press Ctrl+Alt+Del to restart"\nsleep 86400\n'
    return find + _config(DISK_FOLDER, "disk") + lost


def _config(folder: str, boot: str) -> str:
    kernel, initrd, guest = (f"{folder}/{name}" for name in BOOT_FILES)
    return (
        "set gfxpayload=1024x768x32\n"
        f"linux {kernel} {KERNEL_OPTIONS} rehearsal.boot={boot}\n"
        f"initrd {initrd} {guest}\n"
        "boot\n"
    )


def build_cd_boot(host: Host, stage_source: Path, work: Path) -> bytes:
    """The El Torito boot file: our stage of one CD sector, then GRUB's own image."""
    stage = work / "stage.bin"
    host.run(["nasm", "-f", "bin", "-o", stage, stage_source], timeout_s=BUILD_TIMEOUT_S)
    return stage.read_bytes() + _grub_image(host, "i386-pc-eltorito", cd_config(), CD_MODULES, work)


def build_disk_boot(host: Host, work: Path) -> tuple[bytes, bytes]:
    """Code for the master boot record (440 bytes) and what follows it from sector 1 on."""
    boot = bytearray((GRUB_DIR / "boot.img").read_bytes()[:MBR_CODE_BYTES])
    # Only for floppies does GRUB distrust the drive number that it gets; elsewhere its
    # installer replaces this jump by two instructions that do nothing, and so do we.
    if boot[0x66] != 0xEB:
        raise MediaError(f"{GRUB_DIR / 'boot.img'} is laid out differently from GRUB 2.06")
    boot[0x66:0x68] = b"\x90\x90"
    core = _grub_image(host, "i386-pc", disk_config(), DISK_MODULES, work)
    return bytes(boot), core


def _grub_image(
    host: Host, target: str, config: str, modules: tuple[str, ...], work: Path
) -> bytes:
    script, image = work / f"{target}.cfg", work / f"{target}.img"
    script.write_text(config)
    argv = ["grub-mkimage", "-O", target, "-o", str(image), "-c", str(script), "-p", "/boot"]
    host.run([*argv, *modules], timeout_s=BUILD_TIMEOUT_S)
    return image.read_bytes()
