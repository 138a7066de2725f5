"""Which registers to ask for together, and how to read values out of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from models.configuration import Strict

Table = Literal["input", "holding", "discrete", "coil"]
MAX_REGISTERS = 120
MAX_BITS = 1900
# Asking for a few registers nobody wants is cheaper than one more round trip.
BRIDGED_GAP = 8
_FORMATS = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}


class RegisterSource(Strict):
    """Where a channel is found. Addresses count from 0."""

    register_: int = Field(alias="register", ge=0, le=65535)
    type: Literal["int16", "uint16", "int32", "uint32", "float32"] = "int16"
    table: Table = "holding"
    word_order: Literal["big", "little"] = "big"

    @property
    def is_bit(self) -> bool:
        return self.table in ("discrete", "coil")

    @property
    def size(self) -> int:
        """How many addresses it takes."""
        return 1 if self.is_bit or self.type.endswith("16") else 2


@dataclass(frozen=True, slots=True)
class Request:
    """One read: `count` addresses of `table` from `start`, holding the channels at `members`."""

    table: Table
    start: int
    count: int
    members: tuple[int, ...]


def plan_requests(sources: Sequence[RegisterSource], gap: int = BRIDGED_GAP) -> list[Request]:
    """Few reads that cover all sources, tables apart, at most `gap` unwanted addresses between two.

    >>> sources = [RegisterSource(register=n) for n in (0, 1, 2, 500)]
    >>> [(r.start, r.count) for r in plan_requests(sources)]
    [(0, 3), (500, 1)]
    """
    order = sorted(range(len(sources)), key=lambda i: (sources[i].table, sources[i].register_))
    requests: list[Request] = []
    for index in order:
        source = sources[index]
        end = source.register_ + source.size
        last = requests[-1] if requests else None
        if last is not None and _joins(last, source, end, gap):
            count = max(last.start + last.count, end) - last.start
            requests[-1] = Request(last.table, last.start, count, (*last.members, index))
        else:
            requests.append(Request(source.table, source.register_, source.size, (index,)))
    return requests


def _joins(last: Request, source: RegisterSource, end: int, gap: int) -> bool:
    limit = MAX_BITS if source.is_bit else MAX_REGISTERS
    near = source.register_ <= last.start + last.count + gap
    return last.table == source.table and near and end - last.start <= limit


def value_of(source: RegisterSource, words: Sequence[int]) -> float:
    """The number in the registers of one source; a bit is 0 or 1.

    >>> value_of(RegisterSource(register=0, type="int32", word_order="little"), [0xFFFE, 0xFFFF])
    -2.0
    """
    if source.is_bit:
        return 1.0 if words[0] else 0.0
    ordered = list(words) if source.word_order == "big" else list(reversed(words))
    raw = struct.pack(f">{len(ordered)}H", *ordered)
    return float(struct.unpack(_FORMATS[source.type], raw)[0])
