"""When it looked like this before: the moments an alert's evidence holds, in the reader's words."""

from __future__ import annotations

from typing import NamedTuple

from cloud.web.console.moments import day_and_time
from cloud.web.console.quantities import number
from cloud.web.console.queries.incidents import AlertView
from cloud.web.console.wording import Wording
from models.alert import Moment

_NEAR = 1.2  # so many usual distances away is as near as moments mostly are
_MS_NS = 1_000_000


class Past(NamedTuple):
    """A past moment in words, and when it was, ms UTC."""

    text: str
    at_ms: int


def past(view: AlertView, zone: str, words: Wording) -> list[Past]:
    """The moments most like the alert's, the most similar first; none where nothing was remembered."""
    if view.evidence is None or view.alert is None:
        return []
    near = view.alert.measured_at
    said = []
    for moment in view.evidence.moments:
        key = "moment.other" if said else "moment.first"
        when = day_and_time(moment.at, zone, near, words)
        said.append(Past(_say(key, moment, when, words), moment.at // _MS_NS))
    return said


def _say(key: str, moment: Moment, when: str, words: Wording) -> str:
    if moment.usual is None:
        return words.say(key, when=when)
    times = moment.distance / moment.usual
    if times <= _NEAR:
        return words.say(f"{key}_near", when=when)
    return words.say(f"{key}_far", when=when, times=number(times, 1 if times < 10 else 0))
