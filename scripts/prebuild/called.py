"""Which kernels Python calls, and with what: noted while a detector or codec runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numba

import models.compile
from models.machine_code import just_in_time

Given = tuple[Any, ...]


@dataclass(eq=False)
class Called:
    """A kernel, and one example of arguments for each combination of types it was called with."""

    function: Callable[..., Any]
    dispatcher: Any
    examples: dict[Given, Given] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @property
    def py_func(self) -> Callable[..., Any]:
        return self.function

    def note(self, given: Given) -> None:
        self.examples.setdefault(tuple(numba.typeof(value) for value in given), given)

    def __call__(self, *given: Any) -> Any:
        self.note(given)
        return self.dispatcher(*given)


def note_calls() -> list[Called]:
    """Make every kernel defined from now on note its calls; to be asked before any detector is imported."""
    kernels: list[Called] = []

    def made(function: Callable[..., Any], **options: Any) -> Called:
        kernels.append(Called(function, just_in_time.compiled(function, **options)))
        return kernels[-1]

    def bound(function: Any, *given: Any) -> Callable[..., Any]:
        function.note(given)
        return just_in_time.bound(function.dispatcher, *given)

    just_in_time.stand_for_dispatchers(Called, lambda kernel: kernel.dispatcher)
    models.compile._made, models.compile.bound = made, bound  # type: ignore[assignment]
    return kernels
