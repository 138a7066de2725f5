"""Going on in a list, newest first, without missing or repeating a row."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from cloud.errors import InvalidError

_CURSOR = re.compile(r"(-?\d{1,19})\.([0-9A-Za-z_.:/-]{1,64})")


def cursor_of(at: int, id: str) -> str:
    """Cursor behind a row.

    >>> cursor_of(12, "a7")
    '12.a7'
    """
    return f"{at}.{id}"


def behind(
    at: InstrumentedAttribute[int], id: InstrumentedAttribute[Any], cursor: str
) -> ColumnElement[bool]:
    """Condition for rows older than the cursor's, by (at, id); InvalidError `before` for no cursor."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidError("before", "not a cursor: use the `next` of the page before")
    when, which = int(found[1]), found[2]
    return or_(at < when, and_(at == when, id < which))
