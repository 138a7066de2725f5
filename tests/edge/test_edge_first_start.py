"""The first start on a machine for which no kernels were built ahead: it compiles, and says so."""

from __future__ import annotations

import os
import subprocess

from edge_rig import edge


def run(cache, *arguments):
    ways = {"NUMBA_CACHE_DIR": str(cache), "LASTMILE_KERNELS": "jit"}
    done = subprocess.run(edge(*arguments), env=os.environ | ways, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def history(path, hour):
    rows = [f"2026-09-01T{hour:02}:{minute:02}:00Z,50" for minute in range(3)]
    path.write_text("\n".join(["time,gateway/disk", *rows]))
    return str(path)


def test_the_first_start_says_that_it_compiles_and_the_second_has_nothing_to_compile(tmp_path):
    state, cache = ("--state", str(tmp_path / "state")), tmp_path / "cache"
    run(cache, "init", *state)
    first = run(cache, "import", *state, history(tmp_path / "first.csv", 0))
    assert first.count("compiling kernels for this machine") == 1
    assert "compiling" not in run(cache, "import", *state, history(tmp_path / "second.csv", 1))
