"""Whether a document on trial is worse than what was before: one pure function that returns its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import Field

from models.configuration import Strict

SILENT_GAPS = 5.0  # pauses so many times as long as any before are silence
ALLOWED_TIMES = 3  # an unquiet gateway may have so many times the onsets it had
CPU_TIMES = 2.0
Parameters = dict[str, float | int | str | None]


class Before(Strict):
    """How the gateway was before. `gaps`: longest pause, s, of each channel that answered regularly."""

    onsets: int = 0
    firing: int = 0
    cpu_share: float = 0.0
    memory_mb: float = 0.0
    gaps: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a trial may cost; see `[limits]`."""

    trial_s: float
    crashes: int
    onsets: int
    cpu_percent: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Now:
    """How the gateway is, `elapsed_s` into the trial.

    `cpu_share` is of the last third of the trial. `quiet`: s without a reading, of channels the document on
    trial has as well. `failed`: monitors that broke. `is_behind`: the judge has not caught up, as when a
    detector is compiled for the first time.
    """

    elapsed_s: float
    crashes: int = 0
    onsets: int = 0
    cpu_share: float = 0.0
    memory_mb: float = 0.0
    quiet: dict[str, float] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    is_behind: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """`is_good`: confirmed. Otherwise back, for `reason`: `crash silence flood cpu memory`."""

    is_good: bool
    reason: str = ""
    parameters: Parameters = field(default_factory=dict)


def judge_trial(before: Before, now: Now, bounds: Bounds) -> Verdict | None:
    """The verdict, or None while it is too early for one.

    >>> bounds = Bounds(trial_s=60, crashes=2, onsets=10, cpu_percent=80, memory_mb=256)
    >>> judge_trial(Before(), Now(elapsed_s=20, onsets=11), bounds).reason
    'flood'
    >>> judge_trial(Before(), Now(elapsed_s=20), bounds) is None
    True
    >>> judge_trial(Before(), Now(elapsed_s=60), bounds).is_good
    True
    """
    for reason, parameters in (
        ("crash", _crash(now, bounds)),
        ("flood", _flood(before, now, bounds)),
        ("silence", _silence(before, now, bounds)),
        ("memory", _memory(before, now, bounds)),
    ):
        if parameters:
            return Verdict(False, reason, parameters)
    if now.elapsed_s < bounds.trial_s or (now.is_behind and now.elapsed_s < 2 * bounds.trial_s):
        return None
    if parameters := _cpu(before, now, bounds):
        return Verdict(False, "cpu", parameters)
    return Verdict(True)


def _crash(now: Now, bounds: Bounds) -> Parameters:
    if now.crashes >= bounds.crashes:
        return {"crashes": now.crashes}
    return {"monitor": now.failed[0], "monitors": len(now.failed)} if now.failed else {}


def _flood(before: Before, now: Now, bounds: Bounds) -> Parameters:
    """Monitors made anew fire again for what fired before: that is no flood."""
    allowed = bounds.onsets + ALLOWED_TIMES * before.onsets + before.firing
    return {"onsets": now.onsets, "allowed": allowed} if now.onsets > allowed else {}


def _silence(before: Before, now: Now, bounds: Bounds) -> Parameters:
    """A channel that answered and does not; one that never did, or seldom, says nothing."""
    patience = bounds.trial_s / 3
    silent = {
        name: quiet_s
        for name, quiet_s in now.quiet.items()
        if name in before.gaps and quiet_s > max(patience, SILENT_GAPS * before.gaps[name])
    }
    if not silent:
        return {}
    longest = max(silent, key=lambda name: silent[name])
    return {"channels": len(silent), "channel": longest, "quiet_s": round(silent[longest], 1)}


def _memory(before: Before, now: Now, bounds: Bounds) -> Parameters:
    grown = now.memory_mb - before.memory_mb if before.memory_mb else 0.0
    if grown <= bounds.memory_mb:
        return {}
    return {"grown_mb": round(grown, 1), "allowed_mb": bounds.memory_mb}


def _cpu(before: Before, now: Now, bounds: Bounds) -> Parameters:
    allowed = max(bounds.cpu_percent, 100 * CPU_TIMES * before.cpu_share)
    if 100 * now.cpu_share <= allowed:
        return {}
    return {"percent": round(100 * now.cpu_share, 1), "allowed_percent": round(allowed, 1)}
