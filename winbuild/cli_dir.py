"""The words that follow a build directory. Parse, call, print; no logic."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from winbuild import look, render
from winbuild.errors import UsageError
from winbuild.grammar import STEP_COMMAND, DirGroup
from winbuild.session import Options, Session

HELP = """\
The words for one build directory. A leading dash is optional: -do-next is do-next.

Without a word: where the build stands and what to do now.
The name of a step (5-record-logs-at-ctrl-alt-delete-screen) runs that step.
"""

app = typer.Typer(
    cls=DirGroup,
    help=HELP,
    rich_markup_mode=None,
    invoke_without_command=True,
    subcommand_metavar="[WORD | STEP-NAME] [ARGS]...",
    context_settings={"help_option_names": ["--help", "-h"]},
)

Force = Annotated[bool, typer.Option("--force", help="Overrule what winbuild sees.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file instead of ./windows-image-build.ini."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting; goes before all else. Repeatable."),
]


def _options(quiet: bool, config: Path | None, assignments: list[str] | None) -> Options:
    overrides = {}
    for text in assignments or []:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: KEY=VALUE is needed")
        overrides[key.strip()] = value
    return Options(config, overrides, quiet)


def _session(ctx: typer.Context, options: Options | None = None) -> Session:
    group = ctx.parent if ctx.parent and ctx.info_name != ctx.parent.info_name else ctx
    name = group.info_name if group else None
    assert name is not None
    return Session(Path(name), options or Options())


@app.callback()
def status_or_word(
    ctx: typer.Context,
    as_json: Json = False,
    config: Config = None,
) -> None:
    if ctx.invoked_subcommand is not None:
        if as_json or config:
            raise UsageError(
                "options go behind the word",
                hint=f"such as: winbuild {ctx.info_name} {ctx.invoked_subcommand} --config FILE",
            )
    else:
        look.show(Path(ctx.info_name or ""), as_json=as_json, options=Options(config))


@app.command()
def status(ctx: typer.Context, as_json: Json = False, config: Config = None) -> None:
    """Where this build stands and what to do now (the same as no word at all)."""
    look.show(_session(ctx).path, as_json=as_json, options=Options(config))


@app.command("0-init")
def init(
    ctx: typer.Context,
    label: Annotated[str, typer.Argument(help="Windows version: 2008 or 2012 (both R2).")],
    plan: Annotated[str, typer.Option("--plan", help="The walk to take.")] = "wakame",
    config: Config = None,
) -> None:
    """Begin a build: make the directory, which must be new or empty."""
    from winbuild import walking

    walking.init_build(_session(ctx, Options(config)), label, plan)


@app.command("do-next")
def do_next(
    ctx: typer.Context, quiet: Quiet = False, config: Config = None, assignments: Set = None
) -> None:
    """Do the next step, if it is an automated one. (Also: -next)"""
    from winbuild import walking

    walking.do_next(_session(ctx, _options(quiet, config, assignments)))


@app.command()
def done(
    ctx: typer.Context, force: Force = False, quiet: Quiet = False, config: Config = None
) -> None:
    """Confirm the manual step that is next."""
    from winbuild import walking

    walking.done(_session(ctx, Options(config, quiet=quiet)), force=force)


@app.command(STEP_COMMAND, hidden=True)
def run_step(
    ctx: typer.Context,
    force: Force = False,
    quiet: Quiet = False,
    config: Config = None,
    assignments: Set = None,
) -> None:
    """Run the step of that name; out of order only with --force."""
    from winbuild import walking

    session = _session(ctx, _options(quiet, config, assignments))
    walking.run_step(session, ctx.info_name or "", force=force)


@app.command()
def auto(
    ctx: typer.Context,
    sysprep: Annotated[
        bool, typer.Option("--sysprep", help="Stop when Windows is generalized (before 26).")
    ] = False,
    package: Annotated[
        bool, typer.Option("--package", help="Stop when the image is packaged (before 1001).")
    ] = False,
    stop_at: Annotated[
        str | None, typer.Option("--stop-at", metavar="STEP", help="Stop before this step.")
    ] = None,
    one_step: Annotated[bool, typer.Option("--one-step", help="Do one step only.")] = False,
    quiet: Quiet = False,
    config: Config = None,
    assignments: Set = None,
) -> None:
    """Go on hands-free, manual steps too, by what the guest's screen shows.

    Without an option: until one first-boot cycle has ended.
    """
    from winbuild import walking

    milestone = "sysprep" if sysprep else "package" if package else None
    walking.auto(
        _session(ctx, _options(quiet, config, assignments)),
        milestone=milestone,
        stop_at=stop_at,
        one_step=one_step,
    )


@app.command()
def log(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Wait for more.")] = False,
) -> None:
    """What has happened so far, a line for each event."""
    render.print_history(_session(ctx).builddir, follow=follow)


@app.command()
def screenshot(ctx: typer.Context) -> None:
    """Save the VM's screen as a PNG and print its path. (Also: -sd -ss -screendump)"""
    from winbuild import vm_commands

    print(vm_commands.screenshot(_session(ctx)))


@app.command()
def screen(ctx: typer.Context) -> None:
    """Say in words what the VM's screen shows."""
    from winbuild import vm_commands

    print(vm_commands.describe_screen(_session(ctx)))


@app.command("ls")
def list_files(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(help=r"Such as 'Windows\Panther'.")] = "/",
    as_json: Json = False,
) -> None:
    """List a folder of the Windows partition; nothing is mounted."""
    from winbuild import disk_commands

    entries = disk_commands.list_folder(_session(ctx), path)
    if as_json:
        print(json.dumps(entries, indent=2, ensure_ascii=False))
    else:
        render.print_folder(entries)


@app.command()
def get(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(help=r"Such as 'Windows\Panther\setupact.log'.")],
    dest: Annotated[
        Path | None, typer.Argument(help="Where to; the present folder if left out, - for stdout.")
    ] = None,
) -> None:
    """Copy a file or folder out of the Windows partition."""
    from winbuild import disk_commands

    if str(dest) == "-":
        sys.stdout.buffer.write(disk_commands.read_file(_session(ctx), path))
    else:
        print(disk_commands.copy_out(_session(ctx), path, dest or Path()))


@app.command()
def mtu(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The tar.gz to make.")],
    quiet: Quiet = False,
) -> None:
    """Tar the Windows log files out of the disk image."""
    from winbuild import disk_commands

    report = disk_commands.tar_logs(_session(ctx, Options(quiet=quiet)), file)
    render.print_log_report(report, file)


@app.command()
def mount(ctx: typer.Context) -> None:
    """Mount the Windows partition read-only, where this user may."""
    from winbuild import disk_commands

    print(disk_commands.mount(_session(ctx), writable=False))


@app.command()
def mountrw(ctx: typer.Context) -> None:
    """Mount the Windows partition for writing, where this user may."""
    from winbuild import disk_commands

    print(disk_commands.mount(_session(ctx), writable=True))


@app.command()
def mm(ctx: typer.Context) -> None:
    """Mount the metadata disk, where this user may."""
    from winbuild import disk_commands

    print(disk_commands.mount_metadata(_session(ctx)))


@app.command()
def umount(ctx: typer.Context) -> None:
    """Undo -mount, -mountrw and -mm."""
    from winbuild import disk_commands

    for path in disk_commands.unmount(_session(ctx)):
        print(f"unmounted {path}")


@app.command()
def updatescripts(ctx: typer.Context, quiet: Quiet = False) -> None:
    """Put the current guest scripts into the image and re-arm its first boot."""
    from winbuild import disk_commands

    for name in disk_commands.update_scripts(_session(ctx, Options(quiet=quiet))):
        print(f"updated {name}")


@app.command()
def test(ctx: typer.Context, config: Config = None, assignments: Set = None) -> None:
    """Boot the image with networking; ports are forwarded from 127.0.0.1."""
    from winbuild import vm_commands

    render.print_ports(vm_commands.test_boot(_session(ctx, _options(False, config, assignments))))


@app.command()
def testoff(ctx: typer.Context, config: Config = None, assignments: Set = None) -> None:
    """Boot the image cut off from any network."""
    from winbuild import vm_commands

    vm_commands.test_boot(_session(ctx, _options(False, config, assignments)), network=False)


@app.command()
def pw(ctx: typer.Context) -> None:
    """Print the Administrator password that the guest left on the metadata disk."""
    from winbuild import vm_commands

    print(vm_commands.fetch_password(_session(ctx)))


@app.command("kill-kvm")
def kill_kvm(ctx: typer.Context) -> None:
    """Stop the VM at once, as if its power were cut."""
    from winbuild import vm_commands

    print(vm_commands.kill(_session(ctx)))


@app.command()
def cleanup(ctx: typer.Context) -> None:
    """Unmount everything, stop the VM, and remove half-made files."""
    from winbuild import vm_commands

    for line in vm_commands.cleanup(_session(ctx)):
        print(line)
