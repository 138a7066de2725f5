"""The syntax of SenML: bytes to records of known fields under their JSON labels, numbers to nanoseconds.

Hostile input is bounded here: size, depth of nesting, tags, duplicate labels, exponents.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, NoReturn

import cbor2
import msgspec

from models.errors import BodyError

Content = Literal["json", "cbor"]
Number = int | float | Decimal
_NUMBERS = (int, float, Decimal)

MAX_PAYLOAD_BYTES = 1 << 18  # some 6000 records; a driver's payload is a few
MAX_DEPTH = 8
SECOND_NS = 1_000_000_000
RELATIVE_BELOW_NS = (1 << 28) * SECOND_NS  # an earlier time is told against now
BASE_LABELS = frozenset(("bn", "bt", "bu", "bv", "bs", "bver"))
LABELS = BASE_LABELS | {"n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"}
_CBOR_LABELS = {
    **{-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs", 0: "n", 1: "u", 2: "v"},
    **{3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"},
}
CBOR_NUMBERS = {label: number for number, label in _CBOR_LABELS.items()}
# What cbor2 would make something of. Only big numbers and decimal fractions (2 to 5) have a place here.
_REFUSED_TAGS = (0, 1, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)


def entries_of(payload: bytes, content: Content) -> Iterator[Mapping[str, Any]]:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise BodyError("size", f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} are taken")
    decode: Callable[[bytes], object] = _from_cbor if content == "cbor" else _from_json
    try:
        pack = decode(payload)
    except (msgspec.MsgspecError, cbor2.CBORError, ValueError, ArithmeticError, RecursionError) as wrong:
        raise BodyError("syntax", f"not {content.upper()}: {str(wrong)[:200]}") from wrong
    if not isinstance(pack, list) or not pack:
        raise BodyError("pack", "not an array of one or more records")
    for entry in pack:
        if not isinstance(entry, dict):
            raise BodyError("pack", "a record is not a map")
        yield _labelled(entry, content)


def _labelled(entry: Mapping[object, Any], content: Content) -> Mapping[str, Any]:
    """The fields we know, under their JSON labels; refuses what would have to be understood."""
    known = {}
    for label, value in entry.items():
        # RFC 8428, 6: CBOR's numbers are conclusive, and extensions are texts in both forms.
        said = _CBOR_LABELS.get(label) if content == "cbor" and isinstance(label, int) else label
        if not isinstance(said, str) or (content == "cbor" and label in LABELS):
            raise BodyError("label", f"not a label of SenML: {str(label)[:80]!r}")
        if said.endswith("_"):
            raise BodyError(
                "must_understand", f"the pack asks to be refused by who does not know {said[:80]!r}"
            )
        if said in LABELS:
            known[said] = value
    return known


_JSON = msgspec.json.Decoder(float_hook=Decimal)


def _from_json(payload: bytes) -> object:
    return _JSON.decode(payload)


def _refuse_tag(_value: object, _immutable: bool = False) -> NoReturn:
    raise ValueError("a tag that has no place in SenML")


def _from_cbor(payload: bytes) -> object:
    decoder = cbor2.CBORDecoder(
        io.BytesIO(payload),
        semantic_decoders=dict.fromkeys(_REFUSED_TAGS, _refuse_tag),
        max_depth=MAX_DEPTH,
        allow_duplicate_keys=False,
    )
    pack: object = decoder.decode()
    try:
        decoder.read(1)
    except cbor2.CBORDecodeEOF:
        return pack
    raise ValueError("bytes follow the pack")


def to_nanoseconds(seconds: Number) -> int:
    """Exact, to the nearest nanosecond; BodyError `time` beyond what 64 bits hold."""
    if isinstance(seconds, int):
        whole = seconds * SECOND_NS
    else:
        exact = Decimal(repr(seconds)) if isinstance(seconds, float) else seconds
        # The exponent is looked at first: 1e999999999 as an integer would fill the memory.
        if not exact.is_finite() or (exact and exact.adjusted() > 10):
            raise BodyError("time", "not a time in seconds")
        whole = round(exact.scaleb(9)) if exact.adjusted() > -12 else 0
    if not -(1 << 63) <= whole < 1 << 63:
        raise BodyError("time", "outside the years 1678 to 2262")
    return whole


def to_seconds(time_ns: int) -> int | Decimal:
    whole, rest = divmod(time_ns, SECOND_NS)
    return whole if rest == 0 else Decimal(time_ns).scaleb(-9).normalize()


def number_in(entry: Mapping[str, Any], label: str) -> Number:
    value = entry[label]
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise BodyError("type", f"{label} is not a number")
    return value


def text_in(entry: Mapping[str, Any], label: str, otherwise: str) -> str:
    value = entry.get(label, otherwise)
    if not isinstance(value, str):
        raise BodyError("type", f"{label} is not a text")
    return value


def to_float(number: Number) -> float:
    """The nearest float; BodyError `value` when it would be infinite though the number is not."""
    try:
        near = float(number)
    except OverflowError:
        near = float("inf")
    if isinstance(number, float) or abs(near) != float("inf"):
        return near
    raise BodyError("value", "a number beyond a float's range")
