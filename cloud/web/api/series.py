"""Readings: thinned for charts, and raw for whoever checks that none is missing."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from sqlalchemy import select

from cloud.errors import NotFoundError
from cloud.fleet.tables import Channel
from cloud.people.roles import Permission
from cloud.series.chart import MAX_POINTS, draw
from cloud.series.paging import MAX_LIMIT, read_page
from cloud.web.api.answers import Answer
from cloud.web.api.moments import AskedMoment
from cloud.web.security.access import Access, needs
from cloud.web.state import State
from models.clock import SECOND_NS
from models.readings import Floats, Quality

router = APIRouter(tags=["series"])

_MS_NS = 1_000_000
_THINNED = int(Quality.THINNED)
_LATEST_NS = (1 << 63) - 1


class SeriesAnswer(Answer):
    """Columns of equal length. `times` ms UTC; null where a bucket has nothing that is believed."""

    channel: int
    name: str
    unit: str
    times: list[int]
    values: list[float | None]
    minimum: list[float | None]
    maximum: list[float | None]
    quality: list[int]
    thinned_within: float | None = None
    """Values are within so much of what was measured, in the channel's unit; null: they are what was."""


class RawAnswer(Answer):
    """Every reading as it is stored, by time; `next` goes into `after`, null: that was all."""

    times_ns: list[int]
    values: list[float | None]
    quality: list[int]
    next: str | None


@router.get("/series")
def get_series(
    state: State,
    channel: int,
    start: AskedMoment | None = None,
    end: AskedMoment | None = None,
    points: Annotated[int, Query(ge=1, le=MAX_POINTS)] = 600,
    access: Access = needs(Permission.SEE),
) -> SeriesAnswer:
    """A channel for the eye: at most `points` rows, peaks kept. Without a span: the last hour."""
    with state.reading() as session:
        row = session.get(Channel, channel)
    if row is None:
        raise NotFoundError("not_found", "no such thing, or not for you")
    access.check(row.site_id)
    until = state.now if end is None else end
    begin = until - 3600 * SECOND_NS if start is None else start
    chart = draw(state.store, channel, begin, until, points)
    return SeriesAnswer(
        channel=channel,
        name=row.name,
        unit=row.unit,
        times=(chart.times // _MS_NS).tolist(),
        values=or_null(chart.values),
        minimum=or_null(chart.minimum),
        maximum=or_null(chart.maximum),
        quality=chart.quality.tolist(),
        thinned_within=row.thinned_within if bool((chart.quality & _THINNED).any()) else None,
    )


@router.get("/series/raw")
def get_raw(
    state: State,
    gateway: str,
    channel: str,
    start: AskedMoment | None = None,
    end: AskedMoment | None = None,
    after: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 10_000,
    access: Access = needs(Permission.SEE_LEDGER),
) -> RawAnswer:
    """Readings of start <= time < end, page by page, each once."""
    with state.reading() as session:
        row = session.scalar(select(Channel).where(Channel.gateway_id == gateway, Channel.name == channel))
    if row is None:
        raise NotFoundError("not_found", "no such thing, or not for you")
    access.check(row.site_id)
    page = read_page(
        state.store, row.id, 0 if start is None else start, _LATEST_NS if end is None else end, limit, after
    )
    readings = page.readings
    return RawAnswer(
        times_ns=readings.times.tolist(),
        values=or_null(readings.values),
        quality=readings.quality.tolist(),
        next=page.next,
    )


def or_null(column: Floats) -> list[float | None]:
    """A column for JSON, which has no NaN and no infinity.

    >>> or_null(np.array([1.0, np.nan]))
    [1.0, None]
    """
    finite = np.isfinite(column)
    if bool(finite.all()):
        return column.tolist()  # type: ignore[return-value]
    return [value if good else None for value, good in zip(column.tolist(), finite.tolist(), strict=True)]
