"""The one file that wraps numba's decorator, so that the compiler can be replaced.

Kernels are functions of arrays and numbers. They are compiled at the first call and kept beside their
source (or under NUMBA_CACHE_DIR), release the interpreter's lock, and keep IEEE arithmetic: no fast-math,
so the edge and the cloud's replay agree to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function`; its type stays what it was, its Python original is at `.py_func`.

    Indices are not checked and negative ones wrap, as in numba; division by zero follows IEEE.
    """
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast(Callable[P, R], compiled)
