"""Numbers out of JSON messages: paths, and the words devices use for on and off."""

from __future__ import annotations

import math
from typing import Any

_WORDS = {
    "on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0, "open": 1.0, "closed": 0.0, "close": 0.0,
    "yes": 1.0, "no": 0.0, "locked": 1.0, "unlocked": 0.0, "online": 1.0, "offline": 0.0,
}  # fmt: skip


def find(document: Any, path: str) -> Any:
    """What stands at a dotted path (`data.climate.t`, `list.0.t`); None when there is nothing.

    A key that itself contains dots is found too.

    >>> find({"data": {"climate": {"t": 21.5}}}, "data.climate.t")
    21.5
    """
    if isinstance(document, dict) and path in document:
        return document[path]
    here = document
    for part in path.split("."):
        if isinstance(here, dict):
            here = here.get(part)
        elif isinstance(here, list) and part.isdigit() and int(part) < len(here):
            here = here[int(part)]
        else:
            return None
    return here


def as_object(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one: what others write may be anything.

    >>> as_object({"a": 1}), as_object(None)
    ({'a': 1}, {})
    """
    return value if isinstance(value, dict) else {}


def as_number(value: Any) -> float:
    """A number; ON/OFF, true/false, open/closed become 1 and 0; NaN for what is no number.

    >>> as_number("ON"), as_number(False), as_number("21.5")
    (1.0, 0.0, 21.5)
    """
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _WORDS:
            return _WORDS[word]
        try:
            return float(word)
        except ValueError:
            return math.nan
    return math.nan
