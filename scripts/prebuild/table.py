"""The library's table as C: which functions it has, for which types, and what it was made of."""

from __future__ import annotations

import json
from collections.abc import Sequence

from arguments import Slot
from piece import Piece


def table_of(pieces: Sequence[Piece], facts: dict[str, str]) -> str:
    """table.h; pieces of one kernel must stand together."""
    layouts = sorted({slot.layout for piece in pieces for slot in piece.slots if slot.layout})
    lines = []
    for number, piece in enumerate(pieces):
        slots = ", ".join(_initialiser(slot, layouts) for slot in piece.slots)
        lines += [
            f"extern int64_t {piece.symbol}(void **, int64_t *, double *);",
            f"static const slot slots_{number}[] = {{{slots}}};",
            f"static PyObject *known_{number}[{len(piece.slots)}][KNOWN];",
        ]
    lines.append("static entry ENTRIES[] = {")
    lines += [
        f"    {{{json.dumps(piece.name)}, {piece.symbol}, slots_{number}, {piece.count}, "
        f"{int(piece.is_tuple)}, {json.dumps(piece.results)}, known_{number}}},"
        for number, piece in enumerate(pieces)
    ]
    lines += [
        "};",
        "static const char *const LAYOUTS[] = {",
        *(f"    {json.dumps(one)}," for one in layouts),
        "};",
    ]
    lines.append(f"#define PLACES {max(max(piece.places, len(piece.results)) for piece in pieces)}")
    lines += [f"#define {name} {json.dumps(value)}" for name, value in facts.items()]
    return "\n".join(lines) + "\n"


def _initialiser(slot: Slot, layouts: list[str]) -> str:
    layout = layouts.index(slot.layout) if slot.layout else -1
    numbers = (slot.strided, slot.writable, slot.aligned, slot.number, layout, slot.count)
    return f"{{'{slot.what}', {', '.join(map(str, numbers))}}}"
