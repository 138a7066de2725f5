"""Evaluation: what monitors claimed against what really happened, in the words of forecast verification.

Alerts of one place that fire within half an hour are one claim: people would be sent once. A claim is true
when it comes while a real event goes on at its place; an event is detected by its first true claim. All other
claims are false, whatever they took for a hazard, save those that repeat what is known or come from its
aftermath.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.alert import Alert, AlertKind, AlertState

SECOND = 1_000_000_000
WITHIN_NS = 1800 * SECOND


@dataclass(frozen=True, slots=True)
class Event:
    """The truth about one happening. Times are ns UTC.

    `is_real` is false for a look-alike. `calm_ns` is when what it did has faded (none: at once); until then a
    claim at its places is neither true nor false.
    """

    what: str
    places: tuple[str, ...]
    from_ns: int
    to_ns: int
    is_real: bool
    calm_ns: int | None = None

    def touches(self, place: str) -> bool:
        """Whether the place is one of the event's, lies in one, or holds one.

        >>> Event("fire", ("b1/f1/kitchen",), 0, 1, True).touches("b1/f1")
        True
        """
        return any(lies_in(place, own) or lies_in(own, place) for own in self.places)


@dataclass(frozen=True, slots=True)
class Claim:
    """Alerts of one place that belong together: when the first fired, and how many they are."""

    place: str
    at_ns: int
    alerts: int = 1


class Verdict(enum.StrEnum):
    """What a claim was."""

    TRUE = "true"
    FALSE = "false"
    FURTHER = "further"  # a detected event, claimed again
    AFTERMATH = "aftermath"  # over, but what it did has not faded


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim and its verdict; `event` is the one it is true of, repeats, or (when false) was misled by."""

    claim: Claim
    verdict: Verdict
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over one run or many. `delays_s` has an entry for each real event: none when it was missed."""

    delays_s: tuple[float | None, ...] = ()
    false: int = 0
    false_by: Mapping[str, int] = field(default_factory=dict)

    @property
    def events(self) -> int:
        return len(self.delays_s)

    @property
    def detected(self) -> int:
        return sum(delay is not None for delay in self.delays_s)

    @property
    def recall(self) -> float | None:
        """Detected events of all events (probability of detection); none without events."""
        return self.detected / self.events if self.events else None

    @property
    def false_alarm_ratio(self) -> float | None:
        """False claims of all claims that count: FP / (TP + FP); none without any.

        >>> Tally(delays_s=(60.0, None, 5.0), false=2).false_alarm_ratio
        0.5
        """
        claims = self.detected + self.false
        return self.false / claims if claims else None

    @property
    def median_delay_s(self) -> float | None:
        """Of the detected events."""
        found = [delay for delay in self.delays_s if delay is not None]
        return float(np.median(found)) if found else None


def lies_in(place: str, whole: str) -> bool:
    """Whether a path is another's, or below it.

    >>> lies_in("b1/f1/kitchen", "b1/f1"), lies_in("b1/f10", "b1/f1")
    (True, False)
    """
    return place == whole or place.startswith(whole + "/")


def claims_of(alerts: Iterable[Alert], within_ns: int = WITHIN_NS) -> tuple[Claim, ...]:
    """Claims of hazard alerts that fired, by time; maintenance and trial monitors claim nothing.

    The moment is when the alert fired, not its onset: a condition that must last began earlier, perhaps
    before the event, and nobody heard of it.
    """
    fired = [
        (alert.fired_at, alert.place)
        for alert in alerts
        if alert.state == AlertState.FIRING and alert.kind == AlertKind.HAZARD and not alert.trial
    ]
    return group_claims(fired, within_ns)


def group_claims(fired: Iterable[tuple[int, str]], within_ns: int = WITHIN_NS) -> tuple[Claim, ...]:
    """Moments (ns) and places to claims: what fires at a place within `within_ns` of a claim's first is its.

    >>> [(claim.at_ns, claim.alerts) for claim in group_claims([(0, "a"), (5, "a"), (12, "a")], within_ns=10)]
    [(0, 2), (12, 1)]
    """
    found: list[Claim] = []
    latest: dict[str, int] = {}
    for at_ns, place in sorted(fired):
        number = latest.get(place)
        if number is not None and at_ns - found[number].at_ns <= within_ns:
            found[number] = Claim(place, found[number].at_ns, found[number].alerts + 1)
            continue
        latest[place] = len(found)
        found.append(Claim(place, at_ns))
    return tuple(found)


def judge_claims(
    claims: Iterable[Claim], events: Sequence[Event], grace_ns: int = 0
) -> tuple[Judgement, ...]:
    """A verdict for each claim, by time; a real event is claimed truly once.

    True: first within from..to + grace of a real event at its place. Events that go on at once at one place
    are taken in order of their beginning, those not yet detected first.
    """
    detected: set[int] = set()
    found = []
    for claim in sorted(claims, key=lambda claim: claim.at_ns):
        near = [(number, event) for number, event in enumerate(events) if _reaches(event, claim, grace_ns)]
        found.append(_judge_one(claim, near, detected, grace_ns))
    return tuple(found)


def _reaches(event: Event, claim: Claim, grace_ns: int) -> bool:
    end_ns = max(event.to_ns, event.calm_ns or event.to_ns) + grace_ns
    return event.from_ns <= claim.at_ns <= end_ns and event.touches(claim.place)


def _judge_one(
    claim: Claim, near: Sequence[tuple[int, Event]], detected: set[int], grace_ns: int
) -> Judgement:
    real = sorted((p for p in near if p[1].is_real), key=lambda p: (p[0] in detected, p[1].from_ns))
    for number, event in real:
        if number not in detected and claim.at_ns <= event.to_ns + grace_ns:
            detected.add(number)
            return Judgement(claim, Verdict.TRUE, event)
    for number, event in real:
        return Judgement(claim, Verdict.FURTHER if number in detected else Verdict.AFTERMATH, event)
    misled = max((event for _, event in near), key=lambda event: event.from_ns, default=None)
    return Judgement(claim, Verdict.FALSE, misled)


def tally(judgements: Iterable[Judgement], events: Iterable[Event]) -> Tally:
    """Counts of one run; false claims by the look-alike that misled, `other` where there was none."""
    found: dict[Event, float] = {}
    false_by: dict[str, int] = {}
    for judgement in judgements:
        event = judgement.event
        if judgement.verdict == Verdict.TRUE and event is not None:
            found[event] = (judgement.claim.at_ns - event.from_ns) / SECOND
        elif judgement.verdict == Verdict.FALSE:
            what = "other" if event is None else event.what
            false_by[what] = false_by.get(what, 0) + 1
    delays = tuple(found.get(event) for event in events if event.is_real)
    return Tally(delays, sum(false_by.values()), false_by)


def add_tallies(tallies: Iterable[Tally]) -> Tally:
    """Counts of all runs together, in their order."""
    given = list(tallies)
    false_by: dict[str, int] = {}
    for one in given:
        for what, count in one.false_by.items():
            false_by[what] = false_by.get(what, 0) + count
    delays = tuple(delay for one in given for delay in one.delays_s)
    return Tally(delays, sum(one.false for one in given), false_by)


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); 0..1 without trials.

    >>> low, high = wilson(48, 50)
    >>> round(low, 3), round(high, 3)
    (0.865, 0.989)
    """
    if not trials:
        return 0.0, 1.0
    share, square = successes / trials, z * z / trials
    centre = (share + square / 2.0) / (1.0 + square)
    half = z * math.sqrt(share * (1.0 - share) / trials + square / (4.0 * trials)) / (1.0 + square)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def ratio_interval(runs: Sequence[Tally], seed: int = 0, draws: int = 2000) -> tuple[float, float] | None:
    """95 % interval of the false alarm ratio by drawing whole runs again; none without claims.

    Claims of one run are of one house and do not count as independent.
    """
    true = np.array([run.detected for run in runs], dtype=np.float64)
    false = np.array([run.false for run in runs], dtype=np.float64)
    if not (true + false).sum():
        return None
    chosen = np.random.default_rng(seed).integers(0, len(runs), (draws, len(runs)))
    wrong, right = false[chosen].sum(axis=1), true[chosen].sum(axis=1)
    with np.errstate(invalid="ignore"):
        low, high = np.nanpercentile(wrong / (wrong + right), [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Lead:
    """How much sooner one detector was than a reference, event by event.

    `leads_s`: reference's delay minus ours where both detected; the counts say who alone did.
    """

    leads_s: tuple[float, ...]
    ours_alone: int
    reference_alone: int

    @property
    def median_s(self) -> float | None:
        """Over events that either detected: what the reference missed counts as an endless lead.

        >>> Lead((60.0, 120.0), ours_alone=1, reference_alone=0).median_s
        120.0
        """
        ends = [math.inf] * self.ours_alone + [-math.inf] * self.reference_alone
        known = sorted([*self.leads_s, *ends])
        if not known:
            return None
        low, high = known[(len(known) - 1) // 2], known[len(known) // 2]
        if math.isinf(low) and math.isinf(high) and low != high:
            return None  # each found what the other missed: neither leads
        return low if low == high else (low + high) / 2.0


def lead_over(reference: Tally, ours: Tally) -> Lead:
    """Lead on the same events in the same order; ValueError when their numbers differ.

    >>> lead_over(Tally((600.0, None, 60.0)), Tally((60.0, 60.0, None)))
    Lead(leads_s=(540.0,), ours_alone=1, reference_alone=1)
    """
    pairs = list(zip(reference.delays_s, ours.delays_s, strict=True))
    both = tuple(theirs - our for theirs, our in pairs if theirs is not None and our is not None)
    alone = sum(theirs is None and our is not None for theirs, our in pairs)
    return Lead(both, alone, sum(theirs is not None and our is None for theirs, our in pairs))
