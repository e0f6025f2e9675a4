"""Steps 26 to 28: the image becomes the files that Wakame-vdc takes.

Straightforward for now: each artefact is made after the other, by GNU tar, gzip (or pigz) and
qemu-img. Every file appears under its name when it is complete, so a killed packaging begins
anew and leaves nothing that looks finished.
"""

from __future__ import annotations

from pathlib import Path

from winbuild.atomic import unfinished
from winbuild.builddir import BuildDir
from winbuild.disk.archive import sparse_tar_gz
from winbuild.disk.checksum import write_md5_file
from winbuild.disk.convert import gzip_file, to_qcow2
from winbuild.disk.copy import sparse_copy
from winbuild.disk.image import allocated_bytes, data_extents, require_space
from winbuild.disk.label import set_ntfs_label
from winbuild.disk.partitions import partition_by_number
from winbuild.errors import BuildDirError
from winbuild.step import StepContext
from winbuild.targets import wakame
from winbuild.targets.wakame import WakameArtefacts, WakameImage

SEED_FOLDER = "final-seed-image"


def names(builddir: BuildDir) -> WakameArtefacts:
    """What the files in final-seed-image/ are called for this build."""
    when = wakame.parse_timestamp(builddir.fact("timestamp"))
    return wakame.artefacts(builddir.label, when, image_name=builddir.image.name)


def simple_tar(builddir: BuildDir) -> Path:
    return builddir.file(f"windows-{builddir.label}-{builddir.fact('timestamp')}.tar.gz")


def make_simple_tar(ctx: StepContext) -> None:
    """Step 26: the image as sysprep left it, with its checksum, in a sparse tar."""
    image = ctx.builddir.image
    _remove(simple_tar(ctx.builddir))
    _require_space_for(ctx, image, times=1)
    md5 = ctx.builddir.file(names(ctx.builddir).source_md5)
    write_md5_file(image, ctx.ui, dest=md5)
    sparse_tar_gz(ctx.host, simple_tar(ctx.builddir), [image, md5], ctx.ui)


def package_raw(ctx: StepContext) -> None:
    """Step 27: the seed image: renamed, labelled, in a sparse tar with its install script."""
    builddir, found = ctx.builddir, names(ctx.builddir)
    folder = builddir.file(SEED_FOLDER)
    folder.mkdir(exist_ok=True)
    made = (found.source_md5, found.raw, found.raw_tar_gz, found.raw_tar_gz_md5)
    _remove(*(folder / name for name in (*made, found.install_script)))
    _require_space_for(ctx, builddir.image, times=2)
    raw, archive = folder / found.raw, folder / found.raw_tar_gz
    md5 = builddir.file(found.source_md5)
    if not md5.exists() or md5.stat().st_mtime < builddir.image.stat().st_mtime:
        raise BuildDirError(
            f"{md5.name} is missing or older than the image; step 26 makes it",
            hint=f"{builddir.command} 26-make-simple-tar-of-image --force",
        )
    with unfinished(folder / found.source_md5) as temp:
        temp.write_bytes(md5.read_bytes())
    with unfinished(raw) as temp:
        sparse_copy(builddir.image, temp, ctx.ui)
        set_ntfs_label(temp, partition_by_number(temp, 1), wakame.ROOT_LABEL)
    sparse_tar_gz(ctx.host, archive, [raw], ctx.ui)
    checksum = write_md5_file(archive, ctx.ui)
    wakame.write_install_script(
        folder / found.install_script,
        WakameImage(
            name=ctx.version.product_id,
            archive_name=found.raw_tar_gz,
            raw_bytes=raw.stat().st_size,
            archive_bytes=archive.stat().st_size,
            archive_md5=checksum,
        ),
    )


def package_qcow2(ctx: StepContext) -> None:
    """Step 28: the seed image as compressed qcow2."""
    folder, found = ctx.builddir.file(SEED_FOLDER), names(ctx.builddir)
    raw, qcow2 = folder / found.raw, folder / found.qcow2
    _remove(*(folder / name for name in (found.qcow2_md5, found.qcow2_gz, found.qcow2_gz_md5)))
    _require_space_for(ctx, raw, times=2)
    to_qcow2(ctx.host, raw, qcow2, ctx.ui)
    write_md5_file(qcow2, ctx.ui)
    gzip_file(ctx.host, qcow2, folder / found.qcow2_gz, ctx.ui)
    write_md5_file(folder / found.qcow2_gz, ctx.ui)
    # The original keeps the compressed one alone, with the checksums of both.
    qcow2.unlink()


def _remove(*files: Path) -> None:
    """Artefacts of an earlier packaging would look finished beside those of the new one."""
    for file in files:
        file.unlink(missing_ok=True)


def missing(builddir: BuildDir, *file_names: str) -> list[str]:
    """Which of these files are not in final-seed-image/."""
    folder = builddir.file(SEED_FOLDER)
    return [f"{SEED_FOLDER}/{name}" for name in file_names if not (folder / name).exists()]


def _require_space_for(ctx: StepContext, image: Path, *, times: int) -> None:
    """Room for `times` copies of what the image holds (compressed ones are smaller)."""
    if image.exists():
        require_space(
            ctx.builddir.path, times * allocated_bytes(data_extents(image)), purpose="package"
        )
