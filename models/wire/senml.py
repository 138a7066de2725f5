"""Sensor Measurement Lists, RFC 8428, in JSON and CBOR: how other makers' devices speak.

SenML is never on our own wire: it enters through an agent's driver. docs/wire/senml.md says what is taken,
what is refused and why. Times are exact: a time written in decimals becomes whole nanoseconds without
passing through a float, and one that came as a float means the shortest decimals that give that float.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import cbor2
import msgspec
import numpy as np

from models.errors import BodyError, VersionError
from models.readings import Floats, Int64s
from models.wire.senml_scan import LARGEST_NS, most_records, scan_pack
from models.wire.senml_syntax import (
    BASE_LABELS,
    CBOR_NUMBERS,
    MAX_PAYLOAD_BYTES,
    RELATIVE_BELOW_NS,
    Content,
    Number,
    entries_of,
    number_in,
    text_in,
    to_float,
    to_nanoseconds,
    to_seconds,
)

VERSION = 10
MAX_NAME = 512
_LARGEST_KEPT = 1 << 12  # bytes of names, told by one pack
_BASE64 = re.compile(r"[A-Za-z0-9_-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")


@dataclass(frozen=True, slots=True)
class SenmlRecord:
    """One resolved record: name and time are whole. At most one of value, text, flag, data is there."""

    name: str
    time_ns: int
    unit: str = ""
    value: float | None = None
    text: str | None = None
    flag: bool | None = None
    data: bytes | None = None
    sum: float | None = None
    update_s: float | None = None


def resolve_senml(payload: bytes, content: Content, now_s: float) -> list[SenmlRecord]:
    """Resolve a pack: base fields are put into its records, times are made absolute against `now_s`.

    Records that hold base fields alone set them and give none. Unknown labels are ignored, except those
    that end in `_`, which must be understood.
    BodyError `size`, `syntax`, `pack`, `label`, `type`, `must_understand`, `name`, `time`, `value`;
    VersionError `version` for a base version above 10.

    >>> pack = b'[{"bn":"lift:","bt":1276020076.001,"n":"load","u":"kg","v":80}]'
    >>> resolve_senml(pack, "json", now_s=0.0)[0].time_ns
    1276020076001000000
    """
    now_ns = to_nanoseconds(now_s)
    base, records = _Base(), []
    for number, entry in enumerate(entries_of(payload, content)):
        try:
            base.take(entry)
            if not entry.keys() <= BASE_LABELS:
                records.append(_record(entry, base, now_ns))
        except BodyError as wrong:
            what = str(wrong).removeprefix(f"{wrong.code}: ")
            raise BodyError(wrong.code, f"record {number}: {what}") from wrong
    return records


class SenmlTable(NamedTuple):
    """The records of a pack that are numbers or booleans (1 and 0), in order, their names told once.

    Record i is of name `names[place[i]]`, measured at `time[i]` (ns UTC), of value `value[i]`. Names stand in
    the order of their first records; one may stand twice, where the pack tells its base name anew.
    """

    names: tuple[str, ...]
    place: Int64s
    time: Int64s
    value: Floats


def senml_table(payload: bytes, content: Content, now_s: float) -> SenmlTable:
    """The records of `resolve_senml` that are numbers or booleans, in its order, with its errors.

    The common case (a JSON pack whose records have names, units, times and numbers, with base names and
    times) takes a thirtieth of the time.

    >>> pack = b'[{"bn":"lift:","bt":1276020076.001,"n":"load","v":80},{"n":"load","t":1,"v":81}]'
    >>> table = senml_table(pack, "json", now_s=0.0)
    >>> table.names, table.place.tolist(), table.value.tolist()
    (('lift:load',), [0, 0], [80.0, 81.0])
    """
    if content == "json" and (plain := _plain_table(payload, to_nanoseconds(now_s))) is not None:
        return plain
    kept, values = [], []
    for record in resolve_senml(payload, content, now_s):
        value = record.flag if record.value is None else record.value
        if value is not None:
            kept.append(record)
            values.append(float(value))
    numbers: dict[str, int] = {}
    place = np.array([numbers.setdefault(record.name, len(numbers)) for record in kept], np.int64)
    times = np.array([record.time_ns for record in kept], np.int64)
    return SenmlTable(tuple(numbers), place, times, np.array(values, np.float64))


def senml_columns(payload: bytes, content: Content, now_s: float) -> tuple[list[str], Int64s, Floats]:
    """As `senml_table`, with a name for each record: names, times (ns UTC) and values."""
    table = senml_table(payload, content, now_s)
    return list(map(table.names.__getitem__, table.place.tolist())), table.time, table.value


def encode_senml(records: Sequence[SenmlRecord], content: Content, base_name: str = "") -> bytes:
    """A pack of records with absolute times; names that begin with `base_name` are told without it.

    ValueError: no records, a name that is none, a time before July 1978 (it would read as relative), or a
    value that JSON has no word for.

    >>> encode_senml([SenmlRecord("lift:load", 1276020076 * 10**9, "kg", 80.0)], "json", "lift:")
    b'[{"bn":"lift:","bt":1276020076,"n":"load","u":"kg","v":80}]'
    """
    if not records or not all(_is_name(record.name) for record in records):
        raise ValueError("a pack needs records, and every record a SenML name")
    start = records[0].time_ns
    entries = [_entry(record, start, base_name, content) for record in records]
    base = {"bn": base_name} if base_name else {}
    entries[0] = {**base, "bt": to_seconds(start), **entries[0]}
    if content == "json":
        return msgspec.json.Encoder(decimal_format="number").encode(entries)
    numbered = [{CBOR_NUMBERS[label]: value for label, value in entry.items()} for entry in entries]
    return cbor2.dumps(numbered, canonical=True)


@dataclass(slots=True)
class _Base:
    """Base fields in force; each record may change them for itself and those after it."""

    name: str = ""
    time_ns: int = 0
    unit: str = ""
    value: Number | None = None
    sum: Number | None = None
    version: int | None = None

    def take(self, entry: Mapping[str, Any]) -> None:
        if "bver" in entry:
            self._check_version(entry["bver"])
        self.name = text_in(entry, "bn", self.name)
        self.unit = text_in(entry, "bu", self.unit)
        if "bt" in entry:
            self.time_ns = to_nanoseconds(number_in(entry, "bt"))
        self.value = number_in(entry, "bv") if "bv" in entry else self.value
        self.sum = number_in(entry, "bs") if "bs" in entry else self.sum

    def _check_version(self, version: object) -> None:
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise BodyError("type", "bver is not a positive whole number")
        if version > VERSION:
            raise VersionError("version", f"SenML version {version}, this program speaks {VERSION}")
        if self.version not in (None, version):
            raise BodyError("pack", f"bver {version} after bver {self.version} in one pack")
        self.version = version


def _record(entry: Mapping[str, Any], base: _Base, now_ns: int) -> SenmlRecord:
    time_ns = base.time_ns + (to_nanoseconds(number_in(entry, "t")) if "t" in entry else 0)
    time_ns += now_ns if time_ns < RELATIVE_BELOW_NS else 0
    if not -(1 << 63) <= time_ns < 1 << 63:
        raise BodyError("time", "outside the years 1678 to 2262")
    name = base.name + text_in(entry, "n", "")
    if not _is_name(name):
        raise BodyError("name", f"not a SenML name: {name[:80]!r}")
    total = _sum_of(base.sum, number_in(entry, "s") if "s" in entry else None)
    kinds = [label for label in ("v", "vs", "vb", "vd") if label in entry]
    if len(kinds) > 1:
        raise BodyError("value", f"more than one value: {kinds}")
    value = None
    if kinds == ["v"] or (not kinds and base.value is not None):
        value = _sum_of(base.value, number_in(entry, "v") if kinds else None)
    elif not kinds and total is None:
        raise BodyError("value", "neither a value nor a sum")
    return SenmlRecord(
        name,
        time_ns,
        text_in(entry, "u", base.unit),
        value,
        text_in(entry, "vs", "") if "vs" in entry else None,
        _flag(entry["vb"]) if "vb" in entry else None,
        _data(entry["vd"]) if "vd" in entry else None,
        total,
        to_float(number_in(entry, "ut")) if "ut" in entry else None,
    )


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise BodyError("type", "vb is not a boolean")
    return value


def _data(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        # RFC 8428, 5: base64 for URLs, without padding.
        if isinstance(value, str) and _BASE64.fullmatch(value):
            return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        pass
    raise BodyError("type", "vd is neither bytes nor base64url without padding")


def _sum_of(base: Number | None, number: Number | None) -> float | None:
    """base + number in decimals, so that 20.1 + 0.2 is 20.3; a missing one counts 0; None if both are."""
    if base is None or number is None:
        one = number if base is None else base
        return None if one is None else to_float(one)
    first, second = to_float(base), to_float(number)
    if not np.isfinite(first + second):
        return first + second
    return float(Decimal(repr(first)) + Decimal(repr(second)))


@functools.lru_cache(maxsize=4096)
def _is_name(name: str) -> bool:
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def _entry(record: SenmlRecord, start: int, base_name: str, content: Content) -> dict[str, Any]:
    if record.time_ns < RELATIVE_BELOW_NS:
        raise ValueError(f"{record.time_ns} ns would read as a time relative to now")
    entry: dict[str, Any] = {"n": record.name[len(base_name) :]}
    if not record.name.startswith(base_name):
        raise ValueError(f"{record.name!r} does not begin with {base_name!r}")
    if not entry["n"]:
        del entry["n"]
    optional: Iterable[tuple[str, Any]] = (
        ("u", record.unit or None),
        ("t", to_seconds(record.time_ns - start) if record.time_ns != start else None),
        ("v", None if record.value is None else _shortest(record.value, content)),
        ("vs", record.text),
        ("vb", record.flag),
        ("vd", _told(record.data, content)),
        ("s", None if record.sum is None else _shortest(record.sum, content)),
        ("ut", None if record.update_s is None else _shortest(record.update_s, content)),
    )
    return entry | {label: value for label, value in optional if value is not None}


def _told(data: bytes | None, content: Content) -> bytes | str | None:
    if data is None or content == "cbor":
        return data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _shortest(value: float, content: Content) -> float | int:
    if content == "json" and not np.isfinite(value):
        raise ValueError(f"JSON has no word for {value}")
    whole = value.is_integer() and abs(value) < 1 << 53 and (value != 0 or not np.signbit(value))
    return int(value) if whole else value


def _plain_table(payload: bytes, now_ns: int) -> SenmlTable | None:
    """The table of a plain JSON pack, as models.wire.senml_scan takes it; None for any other."""
    if len(payload) > MAX_PAYLOAD_BYTES or not 0 <= now_ns < LARGEST_NS:
        return None
    body = np.frombuffer(b"".join((payload, b"\0")), np.uint8)
    most = most_records(body)
    place, time, value = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.float64)
    unsure, told = np.empty(3 * most, np.int64), np.empty(4 * len(body), np.uint8)
    rows, ends, odd = scan_pack(body, now_ns, place, time, value, unsure, told)
    names = _names_told(told[:ends].tobytes()) if rows >= 0 else None
    if names is None or (odd and not _read_unsure(payload, unsure[: 3 * odd].tolist(), value)):
        return None
    return SenmlTable(names, place[:rows], time[:rows], value[:rows])


def _read_unsure(payload: bytes, unsure: list[int], value: Floats) -> bool:
    """Put the values of many digits into their rows; False when one is beyond a float's range."""
    for row, begin, end in zip(unsure[0::3], unsure[1::3], unsure[2::3], strict=True):
        value[row] = float(payload[begin:end])
    return bool(np.isfinite(value[unsure[0::3]]).all())


def _names_told(told: bytes) -> tuple[str, ...] | None:
    """Names out of a text with a line feed after each; None when one of them is no SenML name."""
    return _names_known(told) if len(told) <= _LARGEST_KEPT else _names_known.__wrapped__(told)


@functools.lru_cache(maxsize=256)  # a device tells the same names in the same order, pack after pack
def _names_known(told: bytes) -> tuple[str, ...] | None:
    names = tuple(told.decode("ascii").split("\n")[:-1])
    return names if all(map(_is_name, names)) else None
