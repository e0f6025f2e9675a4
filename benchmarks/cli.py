"""How long the command line takes, as whole processes: python3 benchmarks/cli.py [--runs N]

Prints the median and the maximum of each command, and the ratio to `python -c pass` measured in
the same run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(argv: list[str], folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run(argv, cwd=folder, stdout=subprocess.DEVNULL, check=True, env=os.environ)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--builds", type=int, default=100, help="build directories for `list`")
    options = parser.parse_args()
    winbuild = [sys.executable, "-m", "winbuild"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(options.builds):
            seconds([*winbuild, f"builddirs/b{number:04}", "0-init", "2012"], folder)
        commands = {
            "python -c pass (baseline)": [sys.executable, "-c", "pass"],
            "winbuild --help": [*winbuild, "--help"],
            "winbuild DIR --help": [*winbuild, "builddirs/b0000", "--help"],
            "winbuild DIR (status)": [*winbuild, "builddirs/b0000"],
            "winbuild DIR --json": [*winbuild, "builddirs/b0000", "--json"],
            f"winbuild list ({options.builds} builds)": [*winbuild, "list"],
        }
        times: dict[str, list[float]] = {what: [] for what in commands}
        for _ in range(options.runs):
            for what, argv in commands.items():
                times[what].append(seconds(argv, folder))
        base = statistics.median(next(iter(times.values())))
        print(f"{'command':<34} {'median':>9} {'max':>9} {'ratio':>7}")
        for what, found in times.items():
            median = statistics.median(found)
            print(f"{what:<34} {median:8.3f}s {max(found):8.3f}s {median / base:6.1f}x")


if __name__ == "__main__":
    main()
