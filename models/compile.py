"""The one file that wraps numba's decorator, below both `wire` and `detectors`.

Kernels are functions of arrays and numbers. They are compiled at the first call, release the interpreter's
lock and keep IEEE arithmetic (no fast-math), so the edge and the cloud's replay agree to the bit.

Three things differ from plain `numba.njit(cache=True)`:

- numba notices a change in the file a function stands in, not in the files of the functions it calls. The
  cache is stamped with a digest of every file that holds kernels: a stale kernel is never loaded, and an
  unchanged one stays valid wherever and whenever the files were copied.
- it says nothing while it compiles. The first kernel that no earlier start left in the cache is told in the
  log, with what to expect.
- numba loads scipy when it finds it, for linear algebra that no kernel uses: 0.6 s and 10 MB. It is hidden
  while numba loads, so that start-up costs the same with and without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

log = logging.getLogger(__name__)


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Let `import name` fail inside, unless it is loaded already."""
    if name in sys.modules:
        yield
        return
    modules = cast(dict[str, Any], sys.modules)
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]


with _hidden("scipy"):
    import numba
    from llvmlite import ir  # type: ignore[import-untyped]
    from numba.core import cgutils

    importlib.import_module("numba.np.arraymath")
    importlib.import_module("numba.extending")


# Kernels written for some fields are given records that begin with those: numba calls it experimental.
warnings.filterwarnings(
    "ignore", "(?s).*considered a subtype", numba.core.errors.NumbaExperimentalFeatureWarning
)


class _Compilations(numba.core.event.Listener):
    """Counts the kernels that had to be compiled, and tells of the first."""

    def __init__(self) -> None:
        self.count = 0

    def on_start(self, event: Any) -> None:
        dispatcher = event.data["dispatcher"]
        if not dispatcher.py_func.__module__.startswith(f"{__package__}."):
            return  # river's or stumpy's
        self.count += 1
        if self.count == 1:
            kept = dispatcher._cache.cache_path
            log.info(
                "compiling kernels for this machine: a few seconds a detector, a minute or two for all; %s",
                f"later starts load them from {kept}" if kept else "nothing can be kept, so each start will",
            )

    def on_end(self, event: Any) -> None:
        """Nothing: it is the beginning that makes people wait."""


_compilations = _Compilations()
numba.core.event.register("numba:compile", _compilations)  # type: ignore[no-untyped-call]


def compilations() -> int:
    """How many kernels this process has compiled, because no earlier start had left them in the cache."""
    return _compilations.count


_MARKS = (b"\n@kernel\n", b"\n@leaf\n", b"\n@inner\n")


def _digest_of_kernels() -> str:
    """Changes whenever a file changes that holds kernels, or the constants they are compiled with."""
    digest = hashlib.blake2b(digest_size=16)
    here = Path(__file__)
    for path in sorted(here.parent.rglob("*.py")):
        text = path.read_bytes()
        if any(mark in text for mark in _MARKS) or path in (here, here.with_name("readings.py")):
            digest.update(text)
    return digest.hexdigest()


_STAMP = _digest_of_kernels()


def kernel(function: F) -> F:
    """Compile `function` at its first call and keep the machine code for later starts.

    Its type stays what it was, its Python original is at `.py_func`. Indices are not checked; division by
    zero gives infinity. Where nothing can be written (a read-only installation without a home) it compiles
    anew at each start.
    """
    return _compiled(function)


def leaf(function: F) -> F:
    """As `kernel`, for a function that kernels call and that makes no array, not even a slice to keep.

    It counts no references to the arrays it is given. numba leaves that out by itself in most functions, but
    not in those it finds too winding: there each call pays two atomic steps for each array, which was half
    the time of reading a text byte by byte. numba refuses a leaf that makes an array, when it compiles it.
    """
    return _compiled(function, _nrt=False)


def inner(function: F) -> F:
    """As `leaf`, and made part of every kernel that calls it, however long it is.

    Left alone, the compiler calls what is long, and each call passes eight numbers for each array.
    """
    return _compiled(function, _nrt=False, forceinline=True)


def _prefetch(_typing: Any, _address: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        place, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        form = ir.FunctionType(ir.VoidType(), [place, number, number, number])
        hint = cast(Any, cgutils).get_or_insert_function(builder.module, form, "llvm.prefetch.p0")
        builder.call(hint, [builder.inttoptr(arguments[0], place), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return numba.types.void(numba.types.intp), generate


# For kernels: asks memory for the 64 bytes about an address, and goes on without waiting. A hint that changes
# no result, whatever the address. It pays where the next row's record takes longer to come than this one's
# judgement.
fetch_ahead: Callable[[int], None] = cast(Any, numba.extending.intrinsic)(_prefetch)


def bound(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """The machine code of a kernel for arguments of these types, which it no longer looks at when called.

    numba compares the type of every argument at every call, and that of an array of records is long: half a
    microsecond. Whoever calls what is returned vouches that types and layouts stay the same.
    """
    dispatcher = cast(Any, function)
    types = tuple(dispatcher.typeof_pyval(argument) for argument in arguments)
    dispatcher.compile(types)
    return cast(Callable[..., Any], dispatcher.get_overload(types))


def _compiled(function: F, **more: Any) -> F:
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"} | more
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
        dispatcher._cache._cache_file._source_stamp = _STAMP
    except (RuntimeError, AttributeError):
        dispatcher = numba.njit(**options)(function)
    return cast(F, dispatcher)
