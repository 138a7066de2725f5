"""All steps in order: run, compile, link."""

from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
from piece import Piece, Target, pieces_of
from table import table_of

from models.machine_code.digest import digest_of_kernels
from models.machine_code.prebuilt import PREFIX, abilities

HERE = Path(__file__).parent
# Processor and features as LLVM has them, and what /proc/cpuinfo must say.
_V2 = "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"
TARGETS = {
    "native": ("", "", ""),
    "x86_64_v2": ("x86-64-v2", "", _V2),
    "x86_64_v3": ("x86-64-v3", "", f"{_V2} abm avx avx2 bmi1 bmi2 f16c fma movbe"),
}


class BuildError(Exception):
    """The C compiler is missing or said no, or the sources changed."""


def build(name: str, folder: Path) -> Path:
    """The extension module for this Python and one of TARGETS; replaces an older one by rename."""
    cpu, features, requires = TARGETS[name]
    if cpu:  # numba of the workers, which are yet to start, listens to these
        os.environ["NUMBA_CPU_NAME"], os.environ["NUMBA_CPU_FEATURES"] = cpu, features
    else:
        cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
        requires = " ".join(sorted(abilities()))
    sources = digest_of_kernels()
    pieces = _distinct(_all_pieces(Target(llvm.get_process_triple(), cpu, features)))
    digest_of_kernels.cache_clear()
    if digest_of_kernels() != sources:
        raise BuildError("kernels were edited meanwhile; run it again")
    libraries = ("numba", "llvmlite", "numpy")
    facts = {
        "TARGET": name,
        "DIGEST": sources,
        "REQUIRES": requires,
        "MADE_WITH": " ".join(f"{library} {importlib.metadata.version(library)}" for library in libraries),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PREFIX}{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    with tempfile.TemporaryDirectory(dir=folder) as work:
        _link(pieces, facts, Path(work), Path(work, "library"))
        Path(work, "library").rename(path)
    return path


def _all_pieces(target: Target) -> Iterator[Piece]:
    from models.lab.warm import parts

    processes = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), processes) as workers:
        begun = {part: workers.submit(pieces_of, part, target) for part in parts()}
        for part, made in begun.items():
            pieces = made.result()
            print(f"prebuild: {part}: {len(pieces)} kernels", file=sys.stderr, flush=True)
            yield from pieces


def _distinct(pieces: Iterator[Piece]) -> list[Piece]:
    """Each once, whoever made it; in the order of their kernels."""
    return sorted(
        {piece.symbol: piece for piece in pieces}.values(), key=lambda piece: (piece.name, piece.symbol)
    )


def _link(pieces: list[Piece], facts: dict[str, str], work: Path, made: Path) -> None:
    objects = []
    for piece in pieces:
        objects.append(work / f"{piece.symbol}.o")
        objects[-1].write_bytes(piece.code)
    (work / "table.h").write_text(table_of(pieces, facts))
    compiler = shlex.split(os.environ.get("CC", "cc"))
    includes = [f"-I{folder}" for folder in (work, np.get_include(), sysconfig.get_paths()["include"])]
    options = ["-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,--gc-sections", "-Wl,-s"]
    sources = [str(HERE / "glue.c"), str(HERE / "runtime.c")]
    command = [*compiler, *options, *includes, *sources, *map(str, objects), "-lm", "-o", str(made)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"no C compiler: {error}; install one, or name it in CC") from None
    if done.returncode:
        raise BuildError(f"the C compiler failed:\n{done.stderr[-2000:]}")
