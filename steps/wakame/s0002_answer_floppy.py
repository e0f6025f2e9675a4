"""Stage 2: the floppy that Windows Setup reads."""

from __future__ import annotations

from winbuild import install_media
from winbuild.atomic import write_atomic
from winbuild.media import floppy
from winbuild.media.sysprep_script import SCRIPT_NAME
from winbuild.step import Step, StepContext


class CreateAnswerFloppy(Step):
    """Put the answer file and the guest scripts on the floppy that Windows Setup reads."""

    name = "2-create-floppy-image-with-answer-file"
    produces = ("answerfile-floppy.img", "run-sysprep.cmd-copy")
    next_instructions = "Next the VM is started from the Windows installation ISO."

    def run(self, ctx: StepContext) -> None:
        files = install_media.floppy_files(ctx)
        floppy.make_floppy(ctx.host, ctx.builddir.file("answerfile-floppy.img"), files)
        # It holds the product key, as the floppy does.
        write_atomic(ctx.builddir.file("run-sysprep.cmd-copy"), files[SCRIPT_NAME], mode=0o600)
