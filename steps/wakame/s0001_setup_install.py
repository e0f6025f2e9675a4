"""Stage 1: the settings of this build are checked and fixed."""

from __future__ import annotations

from winbuild import preflight
from winbuild.settings import schema
from winbuild.step import Step, StepContext
from winbuild.vm import launch


class SetupInstall(Step):
    """Check settings, host and resources, and fix the settings for the rest of the build."""

    name = "1-setup-install"
    produces = ("install-params.toml", "install-secrets.toml")
    next_instructions = "The settings are fixed; next comes the floppy with the answer file."

    def run(self, ctx: StepContext) -> None:
        inputs = preflight.check_install(ctx)
        texts = ctx.loaded.texts
        labels_own = preflight.keys_of_label(ctx.version.label)
        frozen = {
            key: row
            for key, row in schema().items()
            if row.frozen and (key in labels_own or not preflight.is_label_key(key))
        }
        ctx.builddir.write_params(
            {
                "label": ctx.version.label,
                "machine": launch.pinned_machine(ctx.host, ctx.settings.qemu),
                "settings": {key: texts[key] for key, row in frozen.items() if not row.secret},
                "inputs": {
                    name: {
                        "path": str(found.path),
                        "size": found.size_bytes,
                        "mtime_ns": found.mtime_ns,
                        "sha256": found.sha256,
                    }
                    for name, found in inputs.items()
                },
            },
            {key: texts[key] for key, row in frozen.items() if row.secret},
        )
