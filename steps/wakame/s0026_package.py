"""Stages 26 to 28: the image becomes files that a cloud can take."""

from __future__ import annotations

from pathlib import Path

from winbuild import boots
from winbuild.errors import CheckFailed
from winbuild.step import Step, StepContext
from winbuild.targets import wakame as target

SEED_FOLDER = "final-seed-image"


def _seed_folder(ctx: StepContext) -> Path:
    folder = ctx.builddir.file(SEED_FOLDER)
    folder.mkdir(exist_ok=True)
    return folder


class MakeSimpleTar(Step):
    """Keep the image as it is after sysprep: a sparse tar of it and its checksum."""

    name = "26-make-simple-tar-of-image"
    milestone = "sysprep"
    next_instructions = "Next the image is packaged for Wakame-vdc."

    def run(self, ctx: StepContext) -> None:
        boots.check_shut_down_by_guest(ctx)
        target.make_simple_tar(
            ctx.host, ctx.ui, ctx.builddir.image, dest=self._archive(ctx), log=ctx.log
        )

    def verify(self, ctx: StepContext) -> None:
        if not self._archive(ctx).exists():
            raise CheckFailed(f"{self._archive(ctx).name} is not there")

    def _archive(self, ctx: StepContext) -> Path:
        stamp = ctx.builddir.fact("timestamp")
        return ctx.builddir.file(f"windows-{ctx.version.label}-{stamp}.tar.gz")


class PackageRaw(Step):
    """Make the seed image for Wakame-vdc: labelled root, as a sparse tar with install script."""

    name = "27-package-to-wakame-tgz-image"
    next_instructions = "Next the image is packaged as qcow2."

    def run(self, ctx: StepContext) -> None:
        boots.check_shut_down_by_guest(ctx)
        target.package_raw(
            ctx.host,
            ctx.ui,
            ctx.builddir.image,
            folder=_seed_folder(ctx),
            names=self._names(ctx),
            log=ctx.log,
        )

    def verify(self, ctx: StepContext) -> None:
        folder = ctx.builddir.file(SEED_FOLDER)
        names = self._names(ctx)
        for name in (names.raw, names.tar, names.tar_md5, names.install_script):
            if not (folder / name).exists():
                raise CheckFailed(f"{SEED_FOLDER}/{name} is not there")

    def _names(self, ctx: StepContext) -> target.Names:
        return target.names(ctx.version, ctx.builddir.fact("timestamp"))


class PackageQcow2(Step):
    """Make the compressed qcow2 image and its checksums."""

    name = "28-package-to-wakame-qcow2-image"
    next_instructions = (
        "The seed image is complete. If you like, go on and test its first boots: the steps "
        "from 1001 on start it as the cloud would."
    )

    def run(self, ctx: StepContext) -> None:
        target.package_qcow2(
            ctx.host, ctx.ui, folder=_seed_folder(ctx), names=self._names(ctx), log=ctx.log
        )

    def verify(self, ctx: StepContext) -> None:
        folder = ctx.builddir.file(SEED_FOLDER)
        names = self._names(ctx)
        for name in (names.qcow2_md5, names.qcow2_gz, names.qcow2_gz_md5):
            if not (folder / name).exists():
                raise CheckFailed(f"{SEED_FOLDER}/{name} is not there")

    def _names(self, ctx: StepContext) -> target.Names:
        return target.names(ctx.version, ctx.builddir.fact("timestamp"))
