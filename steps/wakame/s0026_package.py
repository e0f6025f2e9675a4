"""Stages 26 to 28: the image becomes files that a cloud can take."""

from __future__ import annotations

from winbuild import boots, packaging
from winbuild.errors import CheckFailed
from winbuild.step import Step, StepContext


class MakeSimpleTar(Step):
    """Keep the image as it is after sysprep: a sparse tar of it and its checksum."""

    name = "26-make-simple-tar-of-image"
    milestone = "sysprep"
    next_instructions = "Next the image is packaged for Wakame-vdc."

    def run(self, ctx: StepContext) -> None:
        boots.check_shut_down_by_guest(ctx)
        packaging.make_simple_tar(ctx)

    def verify(self, ctx: StepContext) -> None:
        archive = packaging.simple_tar(ctx.builddir)
        if not archive.exists():
            raise CheckFailed(f"{archive.name} is not there")


class PackageRaw(Step):
    """Make the seed image for Wakame-vdc: labelled root, as a sparse tar with install script."""

    name = "27-package-to-wakame-tgz-image"
    next_instructions = "Next the image is packaged as qcow2."

    def run(self, ctx: StepContext) -> None:
        boots.check_shut_down_by_guest(ctx)
        packaging.package_raw(ctx)

    def verify(self, ctx: StepContext) -> None:
        names = packaging.names(ctx.builddir)
        _check(
            ctx,
            names.source_md5,
            names.raw,
            names.raw_tar_gz,
            names.raw_tar_gz_md5,
            names.install_script,
        )


class PackageQcow2(Step):
    """Make the compressed qcow2 image and its checksums."""

    name = "28-package-to-wakame-qcow2-image"
    next_instructions = (
        "The seed image is complete. If you like, go on and test its first boots: the steps "
        "from 1001 on start it as the cloud would."
    )

    def run(self, ctx: StepContext) -> None:
        packaging.package_qcow2(ctx)

    def verify(self, ctx: StepContext) -> None:
        names = packaging.names(ctx.builddir)
        _check(ctx, names.qcow2_md5, names.qcow2_gz, names.qcow2_gz_md5)


def _check(ctx: StepContext, *names: str) -> None:
    for path in packaging.missing(ctx.builddir, *names):
        raise CheckFailed(f"{path} is not there")
