"""The commands that need no build directory. Parse, call, print; no logic.

Those that follow a build directory are in cli_dir.py, the grammar in grammar.py.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from winbuild import __version__, cli_dir, render
from winbuild.errors import UsageError
from winbuild.grammar import DIR_GROUP, RootGroup
from winbuild.ui import ConsoleUi, QuietUi, Ui

BUILDDIRS = Path("builddirs")

HELP = """\
Builds Windows seed images for clouds, step by step, in a QEMU virtual machine.

A build is a directory. Begin one, then go on step by step or hands-free:

\b
  winbuild builddirs/first 0-init 2012     a new build of Windows Server 2012 R2
  winbuild builddirs/first 1-setup-install fix its settings (ISO2012, KEY2012 …)
  winbuild builddirs/first -do-next        the next automated step
  winbuild builddirs/first -done           confirm a manual step
  winbuild builddirs/first -auto --package everything, hands-free
  winbuild builddirs/first                 where it stands and what to do now

`winbuild DIR --help` lists the words that follow a directory.
"""

app = typer.Typer(
    cls=RootGroup,
    help=HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["--help", "-h"]},
)
screen_app = typer.Typer(help="The catalogue of screens that winbuild knows.")
app.add_typer(screen_app, name="screen")
app.add_typer(cli_dir.app, name=DIR_GROUP)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file instead of ./windows-image-build.ini."),
]


def _ui(quiet: bool) -> Ui:
    return QuietUi() if quiet else ConsoleUi()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"winbuild {__version__}")
        raise typer.Exit()


@app.callback()
def root(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        list_builds(BUILDDIRS, as_json=False)


@app.command("list")
def list_builds(
    folder: Annotated[Path, typer.Argument(help="Folder of build directories.")] = BUILDDIRS,
    as_json: Json = False,
) -> None:
    """All build directories and where each stands."""
    from winbuild import status

    rows = status.list_builds(folder)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
    else:
        render.print_builds(rows, folder)


@app.command()
def steps(
    plan: Annotated[str, typer.Argument(help="Name of the plan.")] = "wakame",
    as_json: Json = False,
    config: Config = None,
) -> None:
    """The steps of a plan as a table."""
    from winbuild.plan import load_plan
    from winbuild.settings import load_settings

    found = load_plan(plan, load_settings(ini=config).settings.plans)
    if as_json:
        print(json.dumps(render.plan_rows(found), indent=2, ensure_ascii=False))
    else:
        render.print_plan(found)


@app.command()
def graph(
    plan: Annotated[str, typer.Argument(help="Name of the plan.")] = "wakame",
    config: Config = None,
) -> None:
    """The steps of a plan as a Mermaid diagram."""
    from winbuild.machine import mermaid
    from winbuild.plan import load_plan
    from winbuild.settings import load_settings

    sys.stdout.write(mermaid(load_plan(plan, load_settings(ini=config).settings.plans)))


@app.command()
def settings(
    as_json: Json = False,
    ini: Annotated[
        bool, typer.Option("--ini", help="Print a fresh windows-image-build.ini instead.")
    ] = False,
    config: Config = None,
) -> None:
    """Every setting: its value, where that comes from, and what it means."""
    from winbuild.ini_file import ini_text
    from winbuild.settings import load_settings

    if ini:
        sys.stdout.write(ini_text())
        return
    rows = render.setting_rows(load_settings(ini=config))
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        render.print_settings(rows)


@app.command()
def doctor(
    label: Annotated[str | None, typer.Argument(help="Check for this label too.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Is this host fit: QEMU, acceleration (proved), tools, disk space, ports."""
    from winbuild.doctor import examine

    findings = examine(label, config=config, ui=_ui(quiet))
    if as_json:
        print(json.dumps([asdict(f) for f in findings], indent=2, ensure_ascii=False))
    else:
        render.print_findings(findings)
    if any(finding.verdict == "bad" for finding in findings):
        raise typer.Exit(1)


@app.command("answer-file")
def answer_file(
    label: Annotated[str, typer.Argument(help="Windows version, such as 2012.")],
    language: Annotated[str | None, typer.Option("--language", help="Such as ja-JP.")] = None,
    edition: Annotated[str | None, typer.Option("--edition", help="NAME in install.wim.")] = None,
    key: Annotated[str, typer.Option("--key", help="Product key, none or kms.")] = "none",
    arch: Annotated[str | None, typer.Option("--arch", help="Such as amd64.")] = None,
    firmware: Annotated[str | None, typer.Option("--firmware", help="bios or uefi.")] = None,
    virtio_iso: Annotated[
        Path | None, typer.Option("--virtio-iso", help="Take its driver folders.")
    ] = None,
    first_boot: Annotated[
        bool, typer.Option("--first-boot", help="The answer file for sysprep instead.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write instead of stdout.")
    ] = None,
    config: Config = None,
) -> None:
    """The answer file for Windows Setup, to look at or to use elsewhere."""
    from winbuild.answer_command import answer_file_for

    content = answer_file_for(
        label,
        language_tag=language,
        edition=edition,
        key=key,
        architecture=arch,
        firmware=firmware,
        virtio_iso=virtio_iso,
        first_boot=first_boot,
        config=config,
    )
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        from winbuild.atomic import write_atomic

        # It holds a password and perhaps a product key.
        write_atomic(output, content, mode=0o600)


@app.command("decrypt-password")
def decrypt_password(
    key_file: Annotated[Path, typer.Argument(help="The private RSA key.")],
    file: Annotated[
        Path | None, typer.Argument(help="The encrypted password; stdin if left out.")
    ] = None,
) -> None:
    """Decrypt a password that a guest left: base64 or raw; OAEP (Wakame) or PKCS#1 v1.5
    (OpenStack)."""
    from winbuild.password import decrypt_password as decrypt

    encrypted = sys.stdin.buffer.read() if file is None else _read(file)
    print(decrypt(encrypted, key_file).text)


@app.command()
def rehearsal(
    directory: Annotated[Path, typer.Argument(help="Folder to put the media in.")],
    label: Annotated[
        str, typer.Option("--label", help="Windows version to stand in for.")
    ] = "2012",
    language: Annotated[str, typer.Option("--language", help="Such as ja-JP.")] = "en-US",
    switch: Annotated[
        list[str] | None,
        typer.Option("--switch", help="Misbehave, as NAME=VALUE; see docs/rehearsal.md."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make practice media, with which the whole walk runs without a Windows ISO."""
    from winbuild.rehearsal_command import make

    render.print_media(
        make(directory, label=label, language=language, switches=switch or [], ui=_ui(quiet)), label
    )


@screen_app.command("test")
def screen_test(
    folder: Annotated[Path, typer.Argument(help="Folder of PNG or PPM pictures.")],
    as_json: Json = False,
) -> None:
    """Look at pictures with the catalogue. A file labels.tsv says what is on which: with it,
    the exit code is 1 if anything is missed or seen where it is not."""
    from winbuild import screen_command

    result = screen_command.test(folder)
    print(json.dumps(result.rows, indent=2, ensure_ascii=False) if as_json else result.table)
    if not result.right:
        raise typer.Exit(1)
