"""A disk as it may be after a power cut: what was not synced is there, or not, or in part, in any order.

`fault_disk.c` writes down what a program does to its files; `Disk` plays that back up to any moment and
makes the files as the cut may have left them. Data not synced survives by the page, in any order, the last
page perhaps torn; names survive in the order they were changed (as on every journaling file system) and only
surely once their folder was synced.
"""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_HEAD = struct.Struct("=cQQQI")
_PAGE = 4096
_SECTOR = 512


def compile_shim(folder: Path) -> Path:
    """The shared object to put into LD_PRELOAD."""
    shim = folder / "fault_disk.so"
    source = Path(__file__).with_name("fault_disk.c")
    words = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(shim), str(source), "-ldl", "-lpthread"]
    subprocess.run(words, check=True, capture_output=True)
    return shim


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a program did to its files."""

    what: str
    inode: int
    at: int
    data: bytes

    @property
    def paths(self) -> list[str]:
        return self.data.decode().split("\0")


def read_steps(log: Path) -> Iterator[Step]:
    """Everything in the order it was done."""
    with log.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            what, inode, at, _, size = _HEAD.unpack(head)
            yield Step(what.decode(), inode, at, file.read(size))


@dataclass(slots=True)
class File:
    """What surely is on the disk, and what was done since."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list)

    def sync(self) -> None:
        for step in self.pending:
            _apply(self.safe, step)
        self.pending.clear()

    def after_cut(self, chance: random.Random) -> bytes:
        """The content as the cut may have left it."""
        content = bytearray(self.safe)
        share = chance.choice([0.0, 0.3, 0.7, 1.0])
        sizes = chance.randrange(len(self.pending) + 1)
        for number, step in enumerate(self.pending):
            if step.what == "T":
                if number < sizes:
                    _apply(content, step)
                continue
            for start, piece in _pieces(step):
                if chance.random() < share:
                    if chance.random() < 0.1:
                        piece = piece[: chance.randrange(0, len(piece) + 1, _SECTOR)]
                    _apply(content, Step("W", 0, start, piece))
        return bytes(content)


def _apply(content: bytearray, step: Step) -> None:
    if step.what == "T":
        del content[step.at :]
        content.extend(bytes(step.at - len(content)))
    elif step.data:
        content.extend(bytes(max(0, step.at - len(content))))
        content[step.at : step.at + len(step.data)] = step.data


def _pieces(step: Step) -> Iterator[tuple[int, bytes]]:
    """A write, page by page of the file."""
    at, data = step.at, step.data
    while data:
        room = _PAGE - at % _PAGE
        yield at, data[:room]
        at, data = at + room, data[room:]


class Disk:
    """Files and names below one folder, as a program's steps make them."""

    def __init__(self) -> None:
        self._files: dict[int, File] = {}
        self._open: dict[int, int] = {}  # inode to file: an inode's number comes again after its file is gone
        self._names: dict[str, int] = {}
        self._renaming: list[Step] = []
        self._safe_names: dict[str, int] = {}
        self._made: dict[int, int] = {}  # id of a step that makes a name, to the file it names

    def do(self, step: Step) -> None:
        """The program goes one step on."""
        if step.what == "C":
            number = len(self._files)
            self._files[number] = File()
            self._open[step.inode] = number
            self._made[id(step)] = number
            self._name(step)
        elif step.what in "RUL":
            self._name(step)
        elif step.what in "WT":
            self._files[self._open[step.inode]].pending.append(step)
        elif step.what == "S":
            self._files[self._open[step.inode]].sync()
        elif step.what == "D":
            self._sync_folder(step.data.decode())

    def after_cut(self, root: str, target: Path, chance: random.Random) -> None:
        """Write the files, as the cut may have left them, into `target`."""
        names = dict(self._safe_names)
        for step in self._renaming[: chance.randrange(len(self._renaming) + 1)]:
            self._rename(names, step)
        for name, number in names.items():
            path = target / Path(name).relative_to(root)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._files[number].after_cut(chance))

    def _name(self, step: Step) -> None:
        self._rename(self._names, step)
        self._renaming.append(step)

    def _rename(self, names: dict[str, int], step: Step) -> None:
        if step.what == "C":
            names[step.paths[0]] = self._made[id(step)]
        elif step.what == "U":
            names.pop(step.paths[0], None)
        elif step.paths[0] in names:
            names[step.paths[1]] = names[step.paths[0]]
            if step.what == "R":
                del names[step.paths[0]]

    def _sync_folder(self, folder: str) -> None:
        """A journal keeps its order: with the last change of this folder all changes before it are safe."""
        mine = [n for n, step in enumerate(self._renaming) if any(_folder(p) == folder for p in step.paths)]
        safe = mine[-1] + 1 if mine else 0
        for step in self._renaming[:safe]:
            self._rename(self._safe_names, step)
        del self._renaming[:safe]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
