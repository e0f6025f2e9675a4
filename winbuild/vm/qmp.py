"""QEMU's monitor protocol with plain function calls, on top of qemu.qmp.

A connection lasts for one call only (1 ms): QEMU serves one client of a monitor at a time, so
another winbuild, or a person with a tool of their own, gets in between two calls. Events are
not read here; they are in the event log. asyncio and qemu.qmp are imported on the first call.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from winbuild.errors import VmError
from winbuild.vm import files

if TYPE_CHECKING:
    from qemu.qmp import QMPClient

TIMEOUT_S = 30.0


class NotAnswering(VmError):
    """QEMU is gone, or does not answer in time."""


class Refused(VmError):
    """QEMU has answered a command with an error."""


def execute(
    run_dir: Path,
    command: str,
    arguments: Mapping[str, object] | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
) -> object:
    """Have QEMU execute a command; return what it answers.

    Raises NotAnswering or Refused.
    """
    import asyncio

    return asyncio.run(_execute(run_dir, command, dict(arguments or {}), timeout_s))


async def _execute(
    run_dir: Path, command: str, arguments: dict[str, object], timeout_s: float
) -> object:
    import asyncio
    import logging

    from qemu.qmp import ExecuteError, QMPClient, QMPError

    # It would log as an error what is none here: that QEMU is not up yet, or has ended.
    logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)
    client = QMPClient("winbuild")
    try:
        async with asyncio.timeout(timeout_s):
            await _connect(client, run_dir)
            try:
                return await client.execute(command, arguments)
            finally:
                # When QEMU ends, its last word may be the end of the connection.
                with suppress(QMPError, OSError, EOFError):
                    await client.disconnect()
    except TimeoutError as exc:
        raise NotAnswering(
            f"QEMU did not answer {command!r} within {timeout_s:.0f} s",
            hint=f"perhaps another program is connected to {files.MONITOR}: QEMU serves one "
            "at a time",
        ) from exc
    except ExecuteError as exc:
        raise Refused(f"QEMU refused {command!r}: {exc.error.error.desc}") from exc
    except (QMPError, OSError, EOFError) as exc:
        raise NotAnswering(f"QEMU does not answer {command!r}: {_root(exc)}") from exc


async def _connect(client: QMPClient, run_dir: Path) -> None:
    # The path of a unix socket may have 108 bytes, the run directory any number.
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        await client.connect(f"/proc/self/fd/{directory}/{files.MONITOR}")
    finally:
        os.close(directory)


def _root(exc: BaseException) -> str:
    """The innermost cause in words (qemu.qmp wraps what went wrong)."""
    inner = getattr(exc, "exc", None) or exc
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return str(inner) or type(inner).__name__
