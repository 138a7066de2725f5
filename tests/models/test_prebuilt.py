"""Kernels built ahead: the same bits as numba's, no numba, and left alone when they do not fit."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from models import trigger_pass
from models.compile import way
from models.detectors import rows as rows_module
from models.machine_code import prebuilt
from models.machine_code.prebuilt import FOLDER, find_kernels, layout_of
from models.trigger_pass import STATE

ROOT = Path(__file__).parents[2]
BUILD_S = 1500.0  # with an empty cache on a busy machine


@pytest.fixture(scope="session")
def library(tmp_path_factory) -> Path:
    """The folder of a library that fits: set-up's, or one made now."""
    if find_kernels(FOLDER) is not None:
        return FOLDER
    folder = tmp_path_factory.mktemp("kernels")
    subprocess.run([sys.executable, "scripts/prebuild", "--out", str(folder)], cwd=ROOT, check=True)
    return folder


def python(kernels: str | Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the chosen way to kernels."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"LASTMILE_KERNELS": str(kernels), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def told_by(kernels: str | Path):
    done = python(kernels, "tests/models/kernel_ways.py")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(BUILD_S)
def test_both_ways_come_to_the_same_bits_and_one_never_loads_numba(library):
    ahead, compiled = told_by(library), told_by("jit")
    assert ahead["way"].startswith("built ahead") and not ahead["numba"]
    assert compiled["way"] == "numba" and compiled["numba"]
    different = [name for name, digest in ahead["digests"].items() if compiled["digests"][name] != digest]
    assert len(ahead["digests"]) > 40 and not different


@pytest.mark.timeout(BUILD_S)
def test_the_contract_of_detectors_holds_the_other_way_too(library):
    """The suite runs with what this process has; here it runs with the other."""
    other = library if way() == "numba" else "jit"
    done = python(other, "-m", "pytest", "-q", "-x", "tests/models/test_detectors_contract.py")
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.timeout(BUILD_S)
def test_types_that_were_not_built_ahead_are_compiled_and_that_is_said_once(library):
    code = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
import numpy as np
from models.detectors.rows import crossings
from models.detectors.rows import is_believed
time, quality = np.arange(4) * 10**9, np.zeros(4, np.uint8)
assert crossings(time, quality, np.zeros(4, int), np.zeros(4, int)) == 4 and "numba" not in sys.modules
assert crossings(time[::2], quality[::2], np.zeros(4, int), np.zeros(4, int)) == 2 and "numba" in sys.modules
assert is_believed(2.0, 0) and not is_believed(float("nan"), 0)
assert crossings.py_func(time, quality, np.zeros(4, int), np.zeros(4, int)) == 4
"""
    done = python(library, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("was not built ahead for what it is called with") == 1


@pytest.mark.timeout(BUILD_S)
def test_arrays_of_another_type_are_never_taken_for_what_the_kernel_expects(library):
    """They go to numba, which compiles or refuses them: no number is read from the wrong bytes."""
    kernels = find_kernels(library)
    assert kernels is not None
    calls = []
    crossings = kernels.entry(rows_module.crossings.py_func, lambda: lambda *a: calls.append(a))
    rows = np.zeros(4, np.int64)
    flags = np.zeros(4, np.uint8)
    assert crossings(np.arange(4) * 10**9, flags, rows, rows.copy()) == 4 and not calls
    frozen = rows.copy()
    frozen.flags.writeable = False
    odd = np.zeros(33, np.uint8)[1:].view(np.int64)
    strange = [
        (np.arange(4, dtype="i4"), flags, rows, rows),
        (np.arange(4, dtype=">i8"), flags, rows, rows),
        (np.arange(4).reshape(2, 2), flags, rows, rows),
        (np.arange(8)[::2], flags, rows, rows),
        (np.zeros(4, "m8[ns]"), flags, rows, rows),
        (np.zeros(4), flags, rows, rows),
        (odd, flags, rows, rows),
        (np.arange(4), flags, frozen, rows),
        ([0, 1, 2, 3], flags, rows, rows),
        (np.arange(4), flags, rows),
    ]
    for given in strange:
        crossings(*given)
    assert len(calls) == len(strange)


@pytest.mark.timeout(BUILD_S)
def test_records_are_known_by_their_layout_not_by_their_object(library):
    kernels = find_kernels(library)
    assert kernels is not None
    calls = []
    settle = kernels.entry(trigger_pass.settle.py_func, lambda: lambda *a: calls.append(a))
    same = np.dtype(STATE.descr)
    other = np.dtype([(name, "i8" if name == "score" else kind) for name, kind, *_ in STATE.descr])
    moved = np.zeros((4, 3), np.int64)
    for dtype in (STATE, same, *(np.dtype(STATE.descr) for _ in range(20))):
        assert settle(np.zeros(2, dtype), 10, 0, 0, 1, moved, np.zeros(4, dtype), 0) == 0
    assert not calls
    settle(np.zeros(2, other), 10, 0, 0, 1, moved, np.zeros(4, other), 0)
    assert len(calls) == 1


@pytest.mark.timeout(BUILD_S)
def test_threads_may_call_one_kernel_at_once(library):
    """It runs without the interpreter's lock, each call with room of its own."""
    kernels = find_kernels(library)
    assert kernels is not None
    crossings = kernels.entry(rows_module.crossings.py_func, lambda: pytest.fail)
    wrong = []

    def work(count: int) -> None:
        time, flags = np.arange(count) * 10**9, np.zeros(count, np.uint8)
        rows, seconds = np.zeros(count, np.int64), np.zeros(count, np.int64)
        for _ in range(300):
            if crossings(time, flags, rows, seconds) != count:
                wrong.append(count)

    threads = [threading.Thread(target=work, args=(1000 + k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.timeout(BUILD_S)
def test_a_library_of_other_sources_is_left_alone_and_that_is_said(library, monkeypatch, caplog):
    monkeypatch.delenv("LASTMILE_KERNELS", raising=False)
    monkeypatch.setattr(prebuilt, "digest_of_kernels", lambda: "of other sources")
    with caplog.at_level(logging.INFO, "models.compile"):
        assert find_kernels(library) is None
    assert caplog.text.count("run scripts/prebuild anew") == 1


@pytest.mark.timeout(BUILD_S)
def test_a_library_for_another_processor_is_left_alone(library, monkeypatch, caplog):
    monkeypatch.delenv("LASTMILE_KERNELS", raising=False)
    monkeypatch.setattr(prebuilt, "abilities", lambda: {"fpu"})
    with caplog.at_level(logging.INFO, "models.compile"):
        assert find_kernels(library) is None
    assert "needs a processor with" in caplog.text


def test_a_file_that_is_no_library_is_left_alone(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("LASTMILE_KERNELS", raising=False)
    suffix = prebuilt.importlib.machinery.EXTENSION_SUFFIXES[0]
    (tmp_path / f"kernels_native{suffix}").write_bytes(b"torn")
    with caplog.at_level(logging.INFO, "models.compile"):
        assert find_kernels(tmp_path) is None
    assert "cannot be loaded" in caplog.text


def test_layouts_tell_apart_what_a_kernel_would_read_differently():
    kinds = ["f8", "i8", ">f8", [("a", "f8")], [("b", "f8")], [("a", "f4", (2,))], [("a", [("x", "i4")])]]
    assert len({layout_of(np.dtype(kind)) for kind in kinds}) == len(kinds)
    apart = np.dtype({"names": ["a"], "formats": ["f8"], "offsets": [8], "itemsize": 16})
    assert layout_of(apart) != layout_of(np.dtype([("a", "f8")]))
