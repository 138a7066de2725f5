"""How a function of arrays and numbers becomes a kernel, below both `wire` and `detectors`.

Two ways come to the same bits. A library built ahead (`scripts/prebuild`) is taken where there is one for
this machine and these sources: nothing is compiled, and numba is not even imported. Else numba compiles each
kernel at its first call and keeps it for later starts. Both release the interpreter's lock and keep IEEE
arithmetic (no fast-math), so the edge and the cloud's replay agree.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

from models.machine_code.hint import fetch_ahead as fetch_ahead
from models.machine_code.prebuilt import Kernels, find_kernels

F = TypeVar("F", bound=Callable[..., Any])

_prebuilt: Kernels | None = find_kernels()


def kernel(function: F) -> F:
    """Compile `function`, at its first call if it was not built ahead.

    Its type stays what it was, its Python original is at `.py_func`. Indices are not checked; division by
    zero gives infinity. Where nothing can be written (a read-only installation without a home) and nothing
    was built ahead, it compiles anew at each start.
    """
    return _made(function)


def leaf(function: F) -> F:
    """As `kernel`, for a function that kernels call and that makes no array, not even a slice to keep.

    It counts no references to the arrays it is given. numba leaves that out by itself in most functions, but
    not in those it finds too winding: there each call pays two atomic steps for each array, which was half
    the time of reading a text byte by byte. numba refuses a leaf that makes an array, when it compiles it.
    """
    return _made(function, _nrt=False)


def inner(function: F) -> F:
    """As `leaf`, and made part of every kernel that calls it, however long it is.

    Left alone, the compiler calls what is long, and each call passes eight numbers for each array.
    """
    return _made(function, _nrt=False, forceinline=True)


def bound(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """A kernel for arguments of these types, which it may no longer look at when called.

    Whoever calls what is returned vouches that types and layouts stay the same.
    """
    if _prebuilt is not None:
        return function
    from models.machine_code import just_in_time

    return just_in_time.bound(function, *arguments)


def way() -> str:
    """In words, where kernels come from: `built ahead (native)`, or `numba`."""
    return "numba" if _prebuilt is None else f"built ahead ({_prebuilt.name})"


def compilations() -> int:
    """How many kernels this process has compiled, because they were neither built ahead nor kept."""
    just_in_time = sys.modules.get("models.machine_code.just_in_time")
    return cast(Any, just_in_time).compilations() if just_in_time is not None else 0


def _made(function: F, **options: Any) -> F:
    if _prebuilt is not None:
        return cast(F, _prebuilt.kernel(function, options))
    from models.machine_code import just_in_time

    return cast(F, just_in_time.compiled(function, **options))
