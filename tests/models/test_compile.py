"""The wrapper of the compiler: what is kept, and what is said."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numba

from models.machine_code import just_in_time

_SCORE = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
from models.compile import compilations
from models.detectors.registry import make_bank
from models.readings import ReadingBlock
bank = make_bank("limit", {"high": 60}, [0])
for second in range(3):
    bank.score(ReadingBlock.of([0], [second], [61.0]))
print(compilations())
"""


def started(cache: Path) -> tuple[int, str]:
    """Kernels that a fresh program compiled for one detector, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", _SCORE],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache), "LASTMILE_KERNELS": "jit"},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout), done.stderr


def test_the_first_start_says_once_that_it_compiles_and_the_second_compiles_nothing(tmp_path):
    compiled, said = started(tmp_path)
    assert compiled >= 3
    assert said.count("compiling") == 1 and "a minute or two" in said and str(tmp_path) in said
    assert started(tmp_path) == (0, "")


def test_a_start_that_can_keep_nothing_says_that_each_start_will(caplog, monkeypatch):
    def twice(number):
        return 2 * number

    twice.__module__ = "models.nothing_kept"
    monkeypatch.setattr(just_in_time._compilations, "count", 0)
    with caplog.at_level(logging.INFO, "models.compile"):
        assert numba.njit(twice)(4) == 8
    assert "nothing can be kept, so each start will" in caplog.text


def test_the_lab_says_it_too(tmp_path):
    series = tmp_path / "series.csv"
    series.write_text("timestamp,value\n2026-09-01 00:00:00,61\n2026-09-01 00:01:00,61\n")
    command = [sys.executable, "-m", "models.lab.cli", "score", "--detector", "limit", "--set", "high=60"]
    said = [
        subprocess.run(
            [*command, "--out", str(tmp_path / "out"), str(series)],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "LASTMILE_KERNELS": "jit"},
            capture_output=True,
            text=True,
            check=True,
        ).stderr.count("lastmile-lab: compiling kernels")
        for _ in range(2)
    ]
    assert said == [1, 0]
