"""A detector at work as an SVG: readings above, alerts in a lane between, score below.

Written by hand, so that pictures are small and change only when they must. Colours follow the reader's light
or dark; text grows where the picture is shown small.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

import numpy as np

Numbers = np.ndarray
WIDTH, LEFT, RIGHT = 720, 78, 704
READINGS, LANE, SCORE, AXIS = (62, 214), (221, 231), (238, 306), 306  # top and bottom, in units
HEIGHT = 372
_CUT_PACES = 12  # a line is not drawn through a gap of so many usual intervals

_STYLE = """
  svg { --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --grid: #e3e6ea; --line: #2f5f9e; --band: #c9dbf2;
    --event: #f3e3b3; --score: #6b4fa0; --alert: #c62828 }
  @media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1;
    --grid: #2a313a; --line: #79b0f2; --band: #1f3a5c; --event: #4a3f17; --score: #b79cf0;
    --alert: #ff6b60 } }
  text { font: 14px system-ui, sans-serif; fill: var(--soft) }
  .title { fill: var(--ink); font-weight: 600 }
  .y { text-anchor: end } .x { text-anchor: middle }
  @media (max-width: 560px) { text { font-size: 22px } .wide { display: none } }
"""


class Drawn(NamedTuple):
    """What is drawn. Times in s; `lower`, `upper` NaN where nothing is expected; spans are pairs of times."""

    title: str
    told: str
    time: Numbers
    value: Numbers
    lower: Numbers
    upper: Numbers
    score_time: Numbers
    score: Numbers
    on: float
    alerts: list[tuple[float, float]]
    events: list[tuple[float, float]]


class Scale(NamedTuple):
    """From numbers to units of the picture."""

    low: float
    high: float
    begin: float
    end: float

    def of(self, number: float) -> float:
        share = (number - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.begin + share * (self.end - self.begin)


def picture(drawn: Drawn) -> str:
    """The whole SVG."""
    x = Scale(float(drawn.time[0]), float(drawn.time[-1]), LEFT, RIGHT)
    y = _readings_scale(drawn)
    z = Scale(0.0, 10.0, SCORE[1], SCORE[0])
    cut = _CUT_PACES * float(np.median(np.diff(drawn.time)))
    parts = [
        *_head(drawn),
        *_events(drawn, x),
        *_grid(drawn, x, y, z),
        *_band(drawn, x, y),
        f'<path d="{_trace(drawn.time, drawn.value, x, y, cut)}" fill="none" stroke="var(--line)"/>',
        f'<path d="{_trace(drawn.score_time, drawn.score, x, z)}" fill="none" stroke="var(--score)"/>',
        _threshold(drawn, z),
        *(_alert(span, x) for span in drawn.alerts),
        *_legend(drawn),
    ]
    return "\n".join(parts) + "\n</svg>\n"


def _head(drawn: Drawn) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
    yield f'  viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    yield f"<title>{escape(drawn.title)}; {escape(drawn.told)}</title>"
    yield f"<style>{_STYLE}</style>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="var(--paper)"/>'
    yield f'<text class="title" x="12" y="22">{escape(drawn.title)}</text>'
    yield f'<text x="12" y="46">{escape(drawn.told)}</text>'


def _readings_scale(drawn: Drawn) -> Scale:
    """From the least to the greatest reading; edges of the band count as far as they lie about there."""
    low, high = float(drawn.value.min()), float(drawn.value.max())
    reach = 0.25 * (high - low)
    edges = np.concatenate([drawn.lower, drawn.upper])
    near = edges[np.isfinite(edges) & (edges > low - reach) & (edges < high + reach)]
    low, high = min(low, *near.tolist(), low), max(high, *near.tolist(), high)
    margin = 0.04 * (high - low) or 1.0
    return Scale(low - margin, high + margin, READINGS[1], READINGS[0])


def _columns(time: Numbers, x: Scale) -> Iterator[tuple[int, Numbers]]:
    """Each unit of width with the rows that lie in it."""
    at = np.array([round(x.of(one)) for one in time.tolist()])
    edges = np.flatnonzero(np.diff(at)) + 1
    for rows in np.split(np.arange(len(at)), edges):
        yield int(at[rows[0]]), rows


def _trace(time: Numbers, number: Numbers, x: Scale, y: Scale, cut: float = math.inf) -> str:
    """A line that touches the extremes of each unit of width; open in gaps above `cut` s."""
    parts: list[str] = []
    before = -math.inf
    for place, rows in _columns(time, x):
        begins = not parts or time[rows[0]] - before > cut
        inside = number[rows]
        heights = [round(y.of(float(one))) for one in (inside[0], inside.min(), inside.max(), inside[-1])]
        turns = [one for k, one in enumerate(heights) if k and one != heights[k - 1]]
        strokes = "".join(f"V{one}" for one in turns) or ("h1" if begins else "")
        parts.append(f"{'M' if begins else 'L'}{place} {heights[0]}{strokes}")
        before = time[rows[-1]]
    return "".join(parts)


def _band(drawn: Drawn, x: Scale, y: Scale) -> Iterator[str]:
    """The expected band, or its one edge as a line."""
    both = np.isfinite(drawn.lower) & np.isfinite(drawn.upper)
    edges = {"lower": drawn.lower, "upper": drawn.upper}
    if both.any():
        yield f'<path d="{_area(drawn, both, x, y)}" fill="var(--band)" opacity="0.85"/>'
        return
    for edge in edges.values():
        known = np.isfinite(edge)
        if known.any():
            line = _trace(drawn.time[known], np.clip(edge[known], y.low, y.high), x, y)
            yield f'<path d="{line}" fill="none" stroke="var(--line)" stroke-dasharray="2 3" opacity="0.8"/>'


def _area(drawn: Drawn, both: Numbers, x: Scale, y: Scale) -> str:
    """A bar a unit of width, from the mean lower to the mean upper edge."""
    bars = []
    for place, rows in _columns(drawn.time[both], x):
        lower, upper = (
            np.clip(edge[both][rows].mean(), y.low, y.high) for edge in (drawn.lower, drawn.upper)
        )
        top, bottom = round(y.of(float(upper))), round(y.of(float(lower)))
        bars.append(f"M{place} {bottom}h1V{top}h-1z")
    return "".join(bars)


def _events(drawn: Drawn, x: Scale) -> Iterator[str]:
    for begin, end in drawn.events:
        left = x.of(max(begin, x.low))
        width = max(2.0, x.of(min(end, x.high)) - left)
        yield (
            f'<rect x="{left:.0f}" y="{READINGS[0]}" width="{width:.0f}" height="{SCORE[1] - READINGS[0]}" '
            'fill="var(--event)"/>'
        )


def _grid(drawn: Drawn, x: Scale, y: Scale, z: Scale) -> Iterator[str]:
    for number in _round_numbers(y.low, y.high):
        yield _rule(y.of(number), f"{number / 1000:g}k" if number >= 10_000 else f"{number:.10g}")
    for number in (0.0, 10.0):
        yield _rule(z.of(number), f"{number:g}")
    for at, label in _round_times(x.low, x.high):
        place = round(x.of(at))
        yield f'<path d="M{place} {AXIS}v5" stroke="var(--soft)"/>'
        if place < RIGHT - 36:
            yield f'<text class="x" x="{place}" y="{AXIS + 24}">{label}</text>'


def _rule(at: float, label: str) -> str:
    return (
        f'<path d="M{LEFT} {at:.0f}H{RIGHT}" stroke="var(--grid)"/>'
        f'<text class="y" x="{LEFT - 8}" y="{at + 5:.0f}">{label}</text>'
    )


def _threshold(drawn: Drawn, z: Scale) -> str:
    at = z.of(drawn.on)
    return (
        f'<path d="M{LEFT} {at:.0f}H{RIGHT}" stroke="var(--alert)" stroke-dasharray="6 4"/>'
        f'<text class="y" x="{LEFT - 8}" y="{at + 5:.0f}">{drawn.on:g}</text>'
    )


def _alert(span: tuple[float, float], x: Scale) -> str:
    left = x.of(max(span[0], x.low))
    width = max(4.0, x.of(min(span[1], x.high)) - left)
    height = LANE[1] - LANE[0]
    return f'<rect x="{left:.0f}" y="{LANE[0]}" width="{width:.0f}" height="{height}" fill="var(--alert)"/>'


def _legend(drawn: Drawn) -> Iterator[str]:
    """Swatches and words, from left to right; room for the larger text."""
    shown = [("reading", "--line", 3), ("score", "--score", 3), ("alert", "--alert", 10)]
    if np.isfinite(drawn.lower).any() or np.isfinite(drawn.upper).any():
        shown.insert(1, ("expected", "--band", 12))
    if drawn.events:
        shown.append(("known event", "--event", 12))
    place, baseline = 14, HEIGHT - 12
    for word, colour, height in shown:
        middle = baseline - 5
        yield (
            f'<rect x="{place}" y="{middle - height / 2:.1f}" width="18" height="{height}" '
            f'fill="var({colour})"/><text x="{place + 24}" y="{baseline}">{word}</text>'
        )
        place += 38 + 12 * len(word)


def _round_numbers(low: float, high: float) -> list[float]:
    """Two to five round numbers between the edges."""
    rough = (high - low) / 3.0
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough)
    first = math.ceil(low / step)
    return [step * number for number in range(first, math.floor(high / step) + 1)]


_HOUR, _DAY = 3600, 86400


def _round_times(low: float, high: float) -> Iterator[tuple[float, str]]:
    """Three to six round times with their labels; years, months, days or hours, as the span asks."""
    span = high - low
    if span > 500 * _DAY:
        yield from _calendar_times(low, high, "Y", 1, "%Y")
    elif span > 50 * _DAY:
        yield from _calendar_times(low, high, "M", math.ceil(span / (150 * _DAY)), "%b %Y")
    else:
        steps = (_HOUR, 2 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 5 * _DAY, 10 * _DAY)
        step = next((one for one in steps if span / one <= 5), 10 * _DAY)
        shape = "%H:%M" if step < _DAY else "%-d %b"
        for number in range(math.ceil(low / step), int(high // step) + 1):
            yield number * step, _worded(number * step, shape)


def _calendar_times(low: float, high: float, unit: str, step: int, shape: str) -> Iterator[tuple[float, str]]:
    first, last = (
        int(np.datetime64(int(edge), "s").astype(f"datetime64[{unit}]").astype(int)) for edge in (low, high)
    )
    for number in range(first + 1, last + 1, step):
        at = int(np.datetime64(number, unit).astype("datetime64[s]").astype(int))
        yield at, _worded(at, shape)


def _worded(at: float, shape: str) -> str:
    moment = np.datetime64(int(at), "s").item()
    return str(moment.strftime(shape))
