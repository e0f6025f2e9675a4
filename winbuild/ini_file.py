"""Writes windows-image-build.ini from the schema of the settings."""

from __future__ import annotations

import textwrap
from itertools import groupby

from winbuild.settings import INI_NAME, schema

_SECTIONS = {
    "install": "What is installed. Fixed for a build by its step 1-setup-install.",
    "folders": "Where things are. A relative path counts from the current folder.",
    "vm": "The virtual machine.",
    "first-boot": "Test boots of the finished image (steps 1001 and up, -test, -testoff).",
    "waits": "How long winbuild waits before it gives up, keeping evidence.",
}


def ini_text() -> str:
    """The whole file: every option with its explanation, commented out, at its default."""
    parts = [
        f"# {INI_NAME}: settings of winbuild.\n"
        "# Every option is here, at its default and commented out: take away the '#' to set it.\n"
        "# An environment variable of the same name goes before this file, the command line\n"
        "# (--set KEY=VALUE) before both.\n"
    ]
    for section, rows in groupby(schema().values(), key=lambda row: row.section):
        parts.append(f"\n# {_SECTIONS[section]}\n[{section}]\n")
        for row in rows:
            for line in row.doc.splitlines():
                parts.append(textwrap.fill(line, 96, initial_indent="# ", subsequent_indent="# "))
                parts.append("\n")
            parts.append(f"#{row.key} = {row.default}".rstrip() + "\n\n")
    return "".join(parts).rstrip("\n") + "\n"
