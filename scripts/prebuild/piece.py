"""A worker's part: run one detector or codec, and make object files of the kernels that Python calls.

Several processes do so side by side. Each notes calls from its first part on: it imports detectors only then.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from arguments import Slot
from called import Called, Given, note_calls
from objects import machine, write_object
from program import Program, programs_of


@dataclass(frozen=True)
class Target:
    """For whom: LLVM's triple, processor and features."""

    triple: str
    cpu: str
    features: str


@dataclass(frozen=True)
class Piece:
    """An entry of the library: an object file whose one visible function is `symbol`, and its row."""

    name: str
    symbol: str
    code: bytes
    slots: tuple[Slot, ...]
    places: int
    count: int
    is_tuple: bool
    results: str


@functools.cache
def _kernels() -> list[Called]:
    return note_calls()


_done: set[tuple[str, Given]] = set()


def pieces_of(part: str, target: Target) -> list[Piece]:
    """What running this detector or codec called, but for what this process has made already."""
    kernels = _kernels()
    from models.lab.warm import warm

    for _ in warm([part]):
        pass
    made = []
    for kernel in kernels:
        new = {kinds: given for kinds, given in kernel.examples.items() if (kernel.name, kinds) not in _done}
        kernel.examples = new
        _done.update((kernel.name, kinds) for kinds in new)
        made += [_piece(program, target) for program in programs_of(kernel)]
        kernel.examples = {}
    return made


def _piece(program: Program, target: Target) -> Piece:
    maker = machine(target.triple, target.cpu, target.features)
    known = f"{program.name} {program.slots}".encode()
    symbol = f"lm_kernel_{hashlib.blake2b(known, digest_size=8).hexdigest()}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "piece.o")
        write_object(program.code, program.symbol, symbol, maker, path)
        code = path.read_bytes()
    return Piece(
        program.name, symbol, code, program.slots, program.places, program.count, program.is_tuple,
        program.results,
    )  # fmt: skip
