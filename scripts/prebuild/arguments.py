"""From numba's type of an argument to how it travels: three flat arrays of pointers, integers and floats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numba import types

from models.machine_code.prebuilt import layout_of

# Parameters of these names are a block's columns: no kernel writes to them, and they may be read-only.
COLUMNS = ("channel", "time", "value", "quality")


class Slot(NamedTuple):
    """What the library checks and takes of one value; see `slot` in glue.c."""

    what: str
    strided: int = 0
    writable: int = 0
    aligned: int = 0
    number: int = 0
    layout: str = ""
    count: int = 0


@dataclass
class Arguments:
    """The arguments of one kernel as expressions over `p`, `i` and `f`, and as the library checks them."""

    expressions: list[str] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)  # what the expressions refer to
    places: dict[str, int] = field(default_factory=lambda: {"p": 0, "i": 0, "f": 0})

    def add(self, name: str, kind: Any, example: Any) -> None:
        """One more argument of numba's type `kind`, met with the value `example`."""
        if name in COLUMNS and isinstance(kind, types.Array):
            kind = types.Array(kind.dtype, kind.ndim, kind.layout, readonly=True)
        self.expressions.append(self._of(kind, example))

    def _of(self, kind: Any, example: Any) -> str:
        if isinstance(kind, types.BaseTuple):
            self.slots.append(Slot("t", number=len(kind.types)))
            parts = [self._of(*pair) for pair in zip(kind.types, example, strict=True)]
            return f"({', '.join(parts)},)"
        if isinstance(kind, types.Array):
            return self._array(kind, example)
        if isinstance(kind, types.Record):
            self.slots.append(Slot("r", writable=1, layout=layout_of(example.dtype)))
            return f"carray({self._next('p')}, (1,), {self._named(example.dtype)})[0]"
        if isinstance(kind, types.Boolean):
            self.slots.append(Slot("b"))
            return f"({self._next('i')} != 0)"
        if isinstance(kind, types.Integer) and str(kind) in ("int64", "int32", "uint8"):
            width = kind.bitwidth // 8
            self.slots.append(Slot("i", number=width if kind.signed else -width))
            return self._next("i") if width == 8 else f"np.{kind}({self._next('i')})"
        if kind == types.float64:
            self.slots.append(Slot("f"))
            return self._next("f")
        raise TypeError(f"a kernel called from Python takes no {kind}")

    def _array(self, kind: Any, example: Any) -> str:
        dtype, strided = example.dtype, kind.layout != "C"
        is_record = dtype.fields is not None
        layout = layout_of(dtype) if is_record else ""
        self.slots.append(
            Slot("a", int(strided), int(kind.mutable), int(not strided), dtype.num, layout, kind.ndim)
        )
        at, shape = self._next("p"), self._tuple(kind.ndim)
        if not strided:
            return f"carray({at}, {shape}, {self._named(dtype)})"
        part = ""
        if not is_record:
            # Fields of packed records, mostly: as one, numba expects the numbers at any address.
            dtype, part = np.dtype([("x", dtype)]), ".x"
        first = f"carray({at}, ({'1, ' * kind.ndim}), {self._named(dtype)})"
        return f"as_strided({first}, {shape}, {self._tuple(kind.ndim)}){part}"

    def _next(self, which: str) -> str:
        self.places[which] += 1
        return f"{which}[{self.places[which] - 1}]"

    def _tuple(self, count: int) -> str:
        return f"({', '.join(self._next('i') for _ in range(count))},)"

    def _named(self, dtype: np.dtype[Any]) -> str:
        name = f"type_{len(self.names)}"
        self.names[name] = dtype
        return name
