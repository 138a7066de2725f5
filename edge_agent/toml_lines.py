"""Where a key of a TOML file stands: tomllib keeps no lines, a person needs one."""

from __future__ import annotations

import re
from collections.abc import Sequence

Location = tuple[str | int, ...]
_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*("[^"]+"|'[^']+'|[A-Za-z0-9_.-]+)\s*=""")


def path_of(key: str) -> Location:
    """A dotted key as a path.

    >>> path_of("assets[2].channels.door")
    ('assets', 2, 'channels', 'door')
    """
    parts = key.replace("[", ".").replace("]", "").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts if part)


def key_lines(text: str) -> dict[Location, int]:
    """Line (from 1) of every table header and of every key that begins a line.

    >>> key_lines('[a]\\nx = 1\\n[[b]]\\ny = 2\\n[[b]]\\n')[("b", 0, "y")]
    4
    """
    lines: dict[Location, int] = {}
    table: Location = ()
    counts: dict[Location, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _enter(header[2], header[1] == "[[", counts)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


def line_of(text: str, location: Sequence[str | int]) -> int:
    """Line of the key at `location`, or of the nearest table or key round it; 1 when there is none."""
    lines = key_lines(text)
    wanted = tuple(location)
    while wanted:
        if wanted in lines:
            return lines[wanted]
        wanted = wanted[:-1]
    return 1


def _enter(name: str, repeated: bool, counts: dict[Location, int]) -> Location:
    """Path of a header; a part that is an array of tables means its latest element."""
    path: Location = ()
    parts = _parts(name)
    for depth, part in enumerate(parts):
        path = (*path, part)
        if depth == len(parts) - 1 and repeated:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _parts(name: str) -> Location:
    return tuple(part.strip().strip("\"'") for part in name.split("."))
