"""What counts keeps of one channel, and what it expects of a half hour: the gamma-Poisson part."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from models.compile import kernel
from models.detectors.calendar import CLASSES, HALF_HOURS, lender, place_of
from models.detectors.surprise import SKETCH
from models.readings import Int64s

PARTS = 12  # of a window; eleven are closed, one is open
CLOSED = PARTS - 1
PLACES = CLASSES * HALF_HOURS
VISIT_S = 1800.0
_PRIOR = 0.25  # what is known from elsewhere weighs as so much of a visit
_LEAST = 0.5  # events that may just have been missed in all that was seen
_CLIP = 5.0  # an odd half hour counts as at most so many standard deviations away
_WIDEST = 4.0  # the spread of days is taken for no larger

RECORD: list[Any] = [
    ("part", "i8"),  # number of the open part since 1970, local
    ("last", "i8"),
    ("pace", "i8"),
    ("to", "i8"),  # time that has been counted in
    ("advanced", "i8"),
    ("value", "f8"),
    ("taught", "f8"),
    ("visit", "i8"),  # half hours since 1970, local
    ("place", "i8"),
    ("own", "i8"),  # whether this kind of day knows the half hour itself
    ("rate", "f8"),  # events a second this half hour lets expect
    ("doubt", "f8"),  # and how far off that may be
    # the open part: seconds counted in, events, events expected, and how far off that may be
    ("seconds", "f8"),
    ("events", "f8"),
    ("expected", "f8"),
    ("unsure", "f8"),
    # the present half hour alike
    ("visit_seconds", "f8"),
    ("visit_events", "f8"),
    ("visit_expected", "f8"),
    # all half hours together
    ("often", "f8"),  # events a half hour
    ("halves", "f8"),  # half hours seen
    ("excess", "f8"),  # squared distance beyond chance, and what it is a share of
    ("squares", "f8"),
    ("dispersion", "f8"),  # variance of the rate from day to day, over its square
    ("strange", "f8"),  # seconds the count has been far away without a break
    ("told", "f8"),  # score last given
    ("turn", "i8"),  # where the next closed part goes
    *SKETCH,
    ("closed_seconds", "f4", (CLOSED,)),
    ("closed_events", "f4", (CLOSED,)),
    ("closed_expected", "f4", (CLOSED,)),
    ("closed_unsure", "f4", (CLOSED,)),
    ("rates", "f4", (PLACES,)),  # events a half hour
    ("visits", "f4", (PLACES,)),  # full visits remembered
]


@kernel
def enter(state: Any, visit: int, off: Int64s, worked: Int64s) -> None:
    """Begin a half hour: its rate is a gamma distribution of shape `known` over `seen` visits.

    What another kind of day, or the whole of all days, lets expect weighs a quarter of a visit; so on a day
    of a new kind the rate is hardly known, and few counts are far off.
    """
    state.visit = visit
    place = place_of(visit, off, worked)
    state.place = place
    state.own = 1 if state.visits[place] > 0.0 else 0
    usual = state.often + _LEAST / (state.halves + 1.0)
    asked = lender(state.visits, place)
    if asked >= 0 and asked != place:
        days = np.float64(state.visits[asked])
        usual = (days * state.rates[asked] + _PRIOR * usual) / (days + _PRIOR)
    seen = np.float64(state.visits[place])
    known = _PRIOR * usual + seen * state.rates[place]
    seen += _PRIOR
    state.rate = known / seen / VISIT_S
    state.doubt = state.rate / math.sqrt(known)


@kernel
def fold(state: Any, days: float) -> None:
    """Close the half hour: what came in it becomes part of its kind of day. One odd day moves it little."""
    share = min(1.0, state.visit_seconds / VISIT_S)
    if share > 0.0:
        place, events, expected = state.place, state.visit_events, state.visit_expected
        if state.visits[place] >= 2.0:
            reach = _CLIP * math.sqrt(expected + 1.0 + state.dispersion * expected * expected)
            events = max(expected - reach, min(expected + reach, events))
            _learn_dispersion(state, events, expected, HALF_HOURS * days)
        state.visits[place] = min(days, state.visits[place] + share)
        state.rates[place] += (events - share * state.rates[place]) / state.visits[place]
        state.halves = min(HALF_HOURS * days, state.halves + share)
        state.often += (events - share * state.often) / state.halves
    state.visit_seconds = 0.0
    state.visit_events = 0.0
    state.visit_expected = 0.0


@kernel
def _learn_dispersion(state: Any, events: float, expected: float, memory: float) -> None:
    """How much further from the expected counts lie than chance and a doubtful rate put them, by moments."""
    kept = 1.0 - 1.0 / memory
    missed, unsure = events - expected, state.doubt * state.visit_seconds
    state.excess = kept * state.excess + missed * missed - unsure * unsure - expected
    state.squares = kept * state.squares + expected * expected
    if state.squares > 0.0:
        state.dispersion = max(0.0, min(_WIDEST, state.excess / state.squares))


@kernel
def close_part(state: Any, part: int) -> None:
    """The open part joins the closed ones, the oldest of which is forgotten; `part` is open next."""
    turn = state.turn
    state.closed_seconds[turn] = state.seconds
    state.closed_events[turn] = state.events
    state.closed_expected[turn] = state.expected
    state.closed_unsure[turn] = state.unsure
    state.turn = turn + 1 if turn + 1 < CLOSED else 0
    state.seconds = 0.0
    state.events = 0.0
    state.expected = 0.0
    state.unsure = 0.0
    state.part = part


@kernel
def window_of(state: Any) -> tuple[float, float, float, float]:
    """Seconds counted in, events, events expected, and how far off that may be, over the last window."""
    seconds, events, expected, unsure = state.seconds, state.events, state.expected, state.unsure
    for part in range(CLOSED):
        seconds += state.closed_seconds[part]
        events += state.closed_events[part]
        expected += state.closed_expected[part]
        unsure += state.closed_unsure[part]
    return seconds, events, expected, unsure
