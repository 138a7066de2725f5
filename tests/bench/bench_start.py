"""What compiling costs at a first start with nothing kept, and that a second start pays nothing for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from beside import row

ROOT = Path(__file__).parents[2]
# All that `lastmile-lab warm` does; the last line says how many kernels had to be compiled.
_WARM = """
from models.compile import compilations
from models.lab.warm import warm
for _ in warm(): pass
print(compilations())
"""


def rows() -> list[dict[str, Any]]:
    """Every detector and codec run once by two programs that share a cache which is empty at first.

    They run a copy, for a kernel that is edited between the two starts is rightly compiled anew.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "models", Path(folder, "models"), ignore=shutil.ignore_patterns("__pycache__"))
        first, second = _start(Path(folder)), _start(Path(folder))
    return [
        row("first start, every kernel", first[0], "s"),
        row("second start, every kernel", second[0], "s"),
        row("first start, kernels compiled", first[1], "kernels"),
        row("second start, kernels compiled", second[1], "kernels", at_most=0),
    ]


def _start(folder: Path) -> tuple[float, float]:
    """Seconds of wall time and kernels compiled by a fresh program."""
    begin = time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-c", _WARM],
        cwd=folder,
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache"), "LASTMILE_KERNELS": "jit"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return time.perf_counter() - begin, float(told.stdout.split()[-1])


if __name__ == "__main__":
    for line in rows():
        print({key: value for key, value in line.items() if value is not None})
