"""Kinds of day: working day, Saturday, Sunday or holiday, with the site's own holidays and shifted days.

A day nobody has seen the like of borrows from the kind most like it, see `lender`.
"""

from __future__ import annotations

import functools
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from models.compile import kernel
from models.detectors.parameters import Parameters, parameter, utc_offset
from models.detectors.rows import SECOND
from models.readings import Int64s

WORKING, SATURDAY, SUNDAY = range(3)  # a holiday is a Sunday
CLASSES = 3
HALF_HOURS = 48
HALF_HOUR_NS = 1800 * SECOND
MOST_DATES = 400
# Whom a kind of day asks for what it does not know itself: itself first, then the likest.
LENDERS = np.array(((WORKING, SATURDAY, SUNDAY), (SATURDAY, SUNDAY, WORKING), (SUNDAY, SATURDAY, WORKING)))

_EPOCH = date(1970, 1, 1)
_EPOCH_WEEKDAY = 3  # 1970 began on a Thursday, days counted from Monday


class CalendarParameters(Parameters):
    """What tells one kind of day from another at a site."""

    utc_offset_s: int = utc_offset()
    holidays: tuple[str, ...] = parameter(
        (),
        title="Holidays",
        zh="节假日",
        max_length=MOST_DATES,
        text="Days off beside Saturdays and Sundays, as YYYY-MM-DD in local time; they count as Sundays.",
        text_zh="周末以外的休息日，当地日期，格式 YYYY-MM-DD；按周日对待。",
    )
    worked: tuple[str, ...] = parameter(
        (),
        title="Weekend days worked",
        zh="调休上班日",
        max_length=MOST_DATES,
        text="Saturdays and Sundays that are worked, as China shifts them around its holidays; YYYY-MM-DD.",
        text_zh="需要上班的周六、周日（如节假日前后的调休），格式 YYYY-MM-DD；按工作日对待。",
    )

    @field_validator("holidays", "worked")
    @classmethod
    def _are_dates(cls, dates: tuple[str, ...]) -> tuple[str, ...]:
        for text in dates:
            _day_of(text)
        return dates

    @model_validator(mode="after")
    def _not_both(self) -> CalendarParameters:
        if both := sorted(set(self.holidays) & set(self.worked)):
            raise ValueError(f"{', '.join(both)} cannot be a holiday and worked")
        return self

    @functools.cached_property
    def calendar(self) -> tuple[Int64s, Int64s]:
        """Days off and days worked, as days since 1970, sorted: what `class_of` takes."""
        return _days(self.holidays), _days(self.worked)


@kernel
def class_of(day: int, off: Int64s, worked: Int64s) -> int:
    """Kind of the local day `day`, counted from 1970; `off` and `worked` as in `calendar`."""
    if _holds(worked, day):
        return WORKING
    if _holds(off, day):
        return SUNDAY
    weekday = (day + _EPOCH_WEEKDAY) % 7
    return SUNDAY if weekday == 6 else SATURDAY if weekday == 5 else WORKING


@kernel
def place_of(visit: int, off: Int64s, worked: Int64s) -> int:
    """Place of a half hour among the 144 of three kinds of day; `visit`: half hours since 1970, local."""
    return class_of(visit // HALF_HOURS, off, worked) * HALF_HOURS + visit % HALF_HOURS


@kernel
def lender(visits: NDArray[np.float32], place: int) -> int:
    """The place to ask for what is usual at `place`: itself, else the same half hour of another kind of day.

    -1 where none has been seen.
    """
    kind, half = place // HALF_HOURS, place % HALF_HOURS
    for turn in range(CLASSES):
        other = LENDERS[kind, turn] * HALF_HOURS + half
        if visits[other] > 0.0:
            return int(other)
    return -1


@kernel
def _holds(days: Int64s, day: int) -> bool:
    for known in days:
        if known >= day:
            return bool(known == day)
    return False


def _day_of(text: str) -> int:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise ValueError(f"{text!r} is no date, expected YYYY-MM-DD")
    return (found - _EPOCH).days


def _days(dates: tuple[str, ...]) -> Int64s:
    days: NDArray[Any] = np.array(sorted({_day_of(text) for text in dates}), np.int64)
    return days
