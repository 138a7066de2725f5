"""The library of kernels built ahead for this machine, if there is one that fits.

`scripts/prebuild` makes it: an extension module beside this file that holds the machine code of every kernel
that Python calls, for the types it is called with, and what it was made of. It is taken when that is what is
here: the same sources, a processor that knows its instructions. Whatever it does not hold, numba compiles.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from models.machine_code.digest import digest_of_kernels

log = logging.getLogger("models.compile")
PREFIX = "kernels_"
FOLDER = Path(__file__).parent
# `jit` leaves libraries alone, to compare or should one be under suspicion; else the folder of another one.
_CHOICE = "LASTMILE_KERNELS"


class Kernels:
    """An opened library."""

    def __init__(self, module: ModuleType) -> None:
        self._module: Any = module
        self._is_numba_ready = False
        module.set_layout_of(layout_of)

    @property
    def name(self) -> str:
        """What it was built for: `native`, or a level of processors."""
        return str(self._module.target)

    def kernel(self, function: Callable[..., Any], options: dict[str, Any]) -> Any:
        """An object to call, which hands types that were not built ahead on to numba."""
        return self.entry(function, functools.partial(self._dispatcher, function, options))

    def entry(self, function: Callable[..., Any], late: Callable[[], Any]) -> Any:
        """The same, with `late()` giving what to call with types that were not built ahead."""
        return self._module.Kernel(f"{function.__module__}:{function.__qualname__}", function, late)

    def _dispatcher(self, function: Callable[..., Any], options: dict[str, Any]) -> Any:
        from models.machine_code import just_in_time

        if not self._is_numba_ready:
            just_in_time.stand_for_dispatchers(self._module.Kernel, lambda kernel: kernel.dispatcher)
            self._is_numba_ready = True
            log.info(
                "%s was not built ahead for what it is called with: loading numba", function.__qualname__
            )
        return just_in_time.compiled(function, **options)


def find_kernels(folder: Path | None = None) -> Kernels | None:
    """The best library that fits, in `folder`, the environment's or the installation's; or none."""
    if folder is None:
        choice = os.environ.get(_CHOICE, "")
        if choice == "jit":
            return None
        folder = Path(choice) if choice else FOLDER
    for path in sorted(folder.glob(f"{PREFIX}*{importlib.machinery.EXTENSION_SUFFIXES[0]}"), key=_rank):
        module, reason = _opened(path)
        if module is not None:
            return Kernels(module)
        log.info("kernels built ahead are left alone, numba compiles instead: %s %s", path.name, reason)
    return None


def _rank(path: Path) -> tuple[int, str]:
    """Made for this very machine first, then the higher levels: their names sort upwards."""
    target = path.name.removeprefix(PREFIX).split(".")[0]
    order = ("native", "x86_64_v3", "x86_64_v2")
    return order.index(target) if target in order else len(order), target


def _opened(path: Path) -> tuple[Any, str]:
    """The module, or none and why not."""
    loader = importlib.machinery.ExtensionFileLoader("kernels", str(path))
    spec = importlib.util.spec_from_file_location("kernels", path, loader=loader)
    assert spec is not None
    try:
        module: Any = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except ImportError as error:
        return None, f"cannot be loaded: {error}"
    if module.digest != digest_of_kernels():
        return None, "was built from other sources; run scripts/prebuild anew"
    if lacking := sorted(set(module.requires.split()) - abilities()):
        return None, f"needs a processor with {' '.join(lacking)}"
    return module, ""


def abilities() -> set[str]:
    """Instructions this machine's processor knows, by the kernel's names; empty where it does not tell."""
    try:
        told = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return set()
    for line in told.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def layout_of(dtype: np.dtype[Any]) -> str:
    """All that a kernel relies on in a record's type: names, places and types of its fields, and its size."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return f"{shape}{layout_of(base)}"
    if dtype.fields is None:
        return dtype.str
    told = ",".join(f"{name}@{place}:{layout_of(kind)}" for name, (kind, place, *_) in dtype.fields.items())
    return f"{{{told}}}{dtype.itemsize}"
