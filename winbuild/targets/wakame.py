"""What a finished image is called in Wakame-vdc, and the script that registers it there."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from winbuild.atomic import write_atomic
from winbuild.disk.image import size_text
from winbuild.windows.versions import version

ARCH = "x86_64"
ROOT_LABEL = "root"
"""The NTFS label of partition 1, by which Wakame-vdc finds the root device."""
_CHECKSUM = re.compile(r"[0-9a-f]{32}")


def build_number(when: datetime) -> str:
    """Year and day of the year, `15071` for 12 March 2015.

    The number in the original's file names has this form. Here it is taken from the time at
    which the build was begun, so that it is the same however often a build is packaged.
    """
    return when.strftime("%y%j")


def parse_timestamp(text: str) -> datetime:
    """The build directory's timestamp, `yymmdd-HHMMSS`. Raises ValueError."""
    return datetime.strptime(text.strip(), "%y%m%d-%H%M%S")


@dataclass(frozen=True)
class WakameArtefacts:
    """The names of the files in `final-seed-image/`, in the order of their making."""

    source_md5: str
    """Of the image under its name in the build directory."""
    raw: str
    raw_tar_gz: str
    raw_tar_gz_md5: str
    install_script: str
    qcow2: str
    """Made on the way to `qcow2_gz`; not kept."""
    qcow2_md5: str
    qcow2_gz: str
    qcow2_gz_md5: str

    @property
    def kept(self) -> tuple[str, ...]:
        """Everything that a finished build has."""
        return (
            self.source_md5,
            self.raw,
            self.raw_tar_gz,
            self.raw_tar_gz_md5,
            self.install_script,
            self.qcow2_md5,
            self.qcow2_gz,
            self.qcow2_gz_md5,
        )


def artefacts(label: str, build_time: datetime, *, image_name: str) -> WakameArtefacts:
    """The names for a build of `label`, whose disk image is called `image_name`."""
    stem = f"{version(label).product_id}.{ARCH}"
    raw = f"{stem}.kvm.md.raw"
    qcow2 = f"{stem}.{build_number(build_time)}.qcow2"
    return WakameArtefacts(
        source_md5=f"{image_name}.md5",
        raw=raw,
        raw_tar_gz=f"{raw}.tar.gz",
        raw_tar_gz_md5=f"{raw}.tar.gz.md5",
        install_script=f"{raw}.tar.gz.install.sh",
        qcow2=qcow2,
        qcow2_md5=f"{qcow2}.md5",
        qcow2_gz=f"{qcow2}.gz",
        qcow2_gz_md5=f"{qcow2}.gz.md5",
    )


@dataclass(frozen=True)
class WakameImage:
    """What Wakame-vdc has to know of an image. Sizes in bytes."""

    name: str
    """`windows2008r2`: gives the identifiers."""
    archive_name: str
    raw_bytes: int
    archive_bytes: int
    archive_md5: str

    @property
    def display_name(self) -> str:
        return f"{self.name} {size_text(self.raw_bytes)}"


def write_install_script(dest: Path, image: WakameImage) -> None:
    write_atomic(dest, install_script(image), mode=0o755)


def install_script(image: WakameImage) -> str:
    """A shell script that registers the archive, by the words `backupobject` and `image`.

    Its values are true at the time of writing: sizes, checksum, names. It runs
    `vdc-manage` from /opt/axsh/wakame-vdc, or the one on PATH, or the one in $VDC_MANAGE.
    """
    if not _CHECKSUM.fullmatch(image.archive_md5):
        raise ValueError(f"{image.archive_md5!r} is no MD5 sum")
    return _SCRIPT.format(
        archive=shlex.quote(image.archive_name),
        backup_object=shlex.quote(f"bo-{image.name}"),
        machine_image=shlex.quote(f"wmi-{image.name}"),
        display_name=shlex.quote(image.display_name),
        description=shlex.quote(f"{image.archive_name} local"),
        raw_bytes=image.raw_bytes,
        archive_bytes=image.archive_bytes,
        checksum=image.archive_md5,
        arch=ARCH,
        root_label=ROOT_LABEL,
    )


# Braces of the shell are doubled: the text goes through str.format.
_SCRIPT = """\
#!/bin/bash
# Registers a Windows seed image with Wakame-vdc. Made by winbuild; see --help.
set -euo pipefail

archive={archive}
backup_object={backup_object}
machine_image={machine_image}
display_name={display_name}
description={description}
account=a-shpoolxx

usage() {{
    cat <<END
Usage: bash ${{0##*/}} backupobject|image ...

Registers $archive with Wakame-vdc.
Put that file into Wakame-vdc's folder for images first (/var/lib/wakame-vdc/images).

  backupobject   registers the file as the backup object $backup_object
  image          registers the backup object as the machine image $machine_image

Both words may be given; they are carried out in their order.
The program is /opt/axsh/wakame-vdc/dcmgr/bin/vdc-manage, or vdc-manage on the PATH;
set VDC_MANAGE to use another.
END
}}

find_vdc_manage() {{
    local usual=/opt/axsh/wakame-vdc/dcmgr/bin/vdc-manage
    if [[ -n ${{VDC_MANAGE:-}} ]]; then
        vdc_manage=$VDC_MANAGE
    elif [[ -x $usual ]]; then
        vdc_manage=$usual
    elif ! vdc_manage=$(type -P vdc-manage); then
        echo "error: there is no $usual and no vdc-manage on the PATH" >&2
        echo "hint: run this on the host of Wakame-vdc, or set VDC_MANAGE" >&2
        exit 1
    fi
}}

add_backup_object() {{
    "$vdc_manage" backupobject add \\
        --uuid="$backup_object" \\
        --account-id="$account" \\
        --storage-id=bkst-local \\
        --display-name="$display_name" \\
        --object-key="$archive" \\
        --container-format=tgz \\
        --size={raw_bytes} \\
        --allocation-size={archive_bytes} \\
        --checksum={checksum}
}}

add_image() {{
    "$vdc_manage" image add local "$backup_object" \\
        --uuid="$machine_image" \\
        --account-id="$account" \\
        --arch={arch} \\
        --description="$description" \\
        --file-format=raw \\
        --root-device=label:{root_label} \\
        --service-type=std \\
        --display-name="$display_name" \\
        --is-public \\
        --is-cacheable
    "$vdc_manage" image features "$machine_image" --virtio
    "$vdc_manage" image modify "$machine_image" --os-type=windows
}}

if [[ $# -eq 0 ]]; then
    usage >&2
    exit 2
fi
for word in "$@"; do
    case $word in
        backupobject | image) ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "error: unknown word: $word" >&2
            usage >&2
            exit 2
            ;;
    esac
done

find_vdc_manage
for word in "$@"; do
    case $word in
        backupobject) add_backup_object ;;
        image) add_image ;;
    esac
done
"""
