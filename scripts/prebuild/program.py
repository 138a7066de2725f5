"""One kernel as LLVM's language: a C function of three flat arrays that calls it, with all it calls."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from arguments import Arguments, Slot
from called import Called, Given
from numba import types

# 0, or 1 where the kernel raised; results overwrite the first integers and floats.
SIGNATURE = types.int64(
    types.CPointer(types.voidptr), types.CPointer(types.int64), types.CPointer(types.float64)
)
_BODY = """
def call(p, i, f):
    try:
        told = kernel({arguments})
    except Exception:
        return 1
{results}
    return 0
"""


@dataclass
class Program:
    """An entry of the library, as a program."""

    name: str  # of the kernel, as module:function
    symbol: str  # of its C function
    code: str
    slots: tuple[Slot, ...]
    places: int  # that the longest of the flat arrays needs
    count: int  # arguments
    is_tuple: bool  # its result
    results: str  # a letter each


def programs_of(kernel: Called) -> list[Program]:
    """One for each combination of types that no other of the kernel's covers."""
    kinds = list(kernel.examples)
    chosen = [one for one in kinds if not any(covers(other, one) for other in kinds)]
    return [program_of(kernel, kind, kernel.examples[kind]) for kind in chosen]


def covers(wide: Given, narrow: Given) -> bool:
    """Whether what takes `wide` takes all that `narrow` does: strided for contiguous, read-only for both."""
    return wide != narrow and all(_covers(*pair) for pair in zip(wide, narrow, strict=True))


def _covers(wide: Any, narrow: Any) -> bool:
    if isinstance(wide, types.Array) and isinstance(narrow, types.Array):
        return bool(
            (wide.dtype, wide.ndim) == (narrow.dtype, narrow.ndim)
            and wide.layout in ("A", narrow.layout)
            and wide.mutable <= narrow.mutable
        )
    if isinstance(wide, types.BaseTuple) and isinstance(narrow, types.BaseTuple):
        return len(wide) == len(narrow) and all(_covers(*pair) for pair in zip(wide, narrow, strict=True))
    return bool(wide == narrow)


def program_of(kernel: Called, kinds: Given, given: Given) -> Program:
    arguments = Arguments()
    for name, kind, example in zip(inspect.signature(kernel.function).parameters, kinds, given, strict=True):
        arguments.add(name, kind, example)
    result = kernel.dispatcher.overloads[kinds].signature.return_type
    is_tuple = isinstance(result, types.BaseTuple)
    parts = [] if result == types.none else list(result.types) if is_tuple else [result]
    letters = "".join(_letter(part) for part in parts)
    stored, places = "", {"i": 0, "f": 0}
    for number, letter in enumerate(letters):
        array = "f" if letter == "f" else "i"
        stored += f"    {array}[{places[array]}] = told{f'[{number}]' if is_tuple else ''}\n"
        places[array] += 1
    known = arguments.names | {"kernel": kernel, "np": np}
    known |= {"carray": numba.carray, "as_strided": np.lib.stride_tricks.as_strided}
    exec(_BODY.format(arguments=", ".join(arguments.expressions), results=stored), known)
    made: Any = numba.cfunc(SIGNATURE, error_model="numpy")(known["call"])
    places = max(arguments.places.values())
    return Program(
        kernel.name, made.native_name, made.inspect_llvm(), tuple(arguments.slots), places, len(kinds),
        is_tuple, letters,
    )  # fmt: skip


def _letter(kind: Any) -> str:
    if isinstance(kind, types.Boolean):
        return "b"
    if isinstance(kind, types.Integer):
        return "i"
    if isinstance(kind, types.Float):
        return "f"
    raise TypeError(f"a kernel called from Python returns no {kind}")
