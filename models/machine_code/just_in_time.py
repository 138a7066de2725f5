"""The one file that wraps numba's decorator: kernels are compiled when they are first called, and kept.

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
import importlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

from models.machine_code.digest import digest_of_kernels
from models.machine_code.hint import fetch_ahead

log = logging.getLogger("models.compile")


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
        if not dispatcher.py_func.__module__.startswith("models."):
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


def compiled(function: Callable[..., Any], **more: Any) -> Any:
    """The dispatcher: compiles for the types it is called with, or loads what an earlier start kept.

    It releases the interpreter's lock and keeps IEEE arithmetic (no fast-math); division by zero gives
    infinity. Where nothing can be written it compiles anew at each start.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"} | more
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
        dispatcher._cache._cache_file._source_stamp = digest_of_kernels()
    except (RuntimeError, AttributeError):
        dispatcher = numba.njit(**options)(function)
    return dispatcher


def bound(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """The machine code for arguments of these types, which are no longer looked at when it is called.

    numba compares the type of every argument at every call, and that of an array of records is long: half a
    microsecond.
    """
    dispatcher = cast(Any, function)
    types = tuple(dispatcher.typeof_pyval(argument) for argument in arguments)
    dispatcher.compile(types)
    return cast(Callable[..., Any], dispatcher.get_overload(types))


def stand_for_dispatchers(kind: type, dispatcher_of: Callable[[Any], Any]) -> None:
    """Let kernels that numba compiles call objects of a class: `dispatcher_of(object)` is taken for them."""
    typeof = cast(Any, numba.extending.typeof_impl)
    typeof.register(kind)(lambda value, context: typeof(dispatcher_of(value), context))


def _prefetch(_typing: Any, _address: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        place, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        form = ir.FunctionType(ir.VoidType(), [place, number, number, number])
        hint = cast(Any, cgutils).get_or_insert_function(builder.module, form, "llvm.prefetch.p0")
        builder.call(hint, [builder.inttoptr(arguments[0], place), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return numba.types.void(numba.types.intp), generate


_intrinsic: Callable[[int], None] = cast(Any, numba.extending.intrinsic)(_prefetch)


def _hint(address: Any) -> Any:
    def hint(address: Any) -> Any:
        _intrinsic(address)

    return hint


cast(Any, numba.extending.overload)(fetch_ahead)(_hint)
