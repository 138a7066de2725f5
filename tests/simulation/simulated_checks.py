"""What must hold when everything has come to rest, whatever struck before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from simulated_broker import RECEIVE_MAXIMUM
from simulated_cloud import Kept
from simulated_gateway import CALM_LEVEL, HOT_LEVEL, Gateway, Sample, Truth
from simulated_world import World

from models.identity import Stream

_FULL = "outbox_full"
_NOT_KEPT = "not_kept"
_DAMAGED = ("outbox_damaged", "message_damaged")
# An event is surely heard of when so many seconds of it were read without a break.
_SURE_S = 6.0


def check(
    world: World, gateway: Gateway, kept: Kept, events: Sequence[tuple[float, float]], restores: int
) -> None:
    """Hold what the cloud has against what the gateway did; what does not fit is said to the world."""
    truth = gateway.truth
    _once_each(world, truth, kept)
    _none_lost(world, truth, kept)
    _alerts(world, truth, kept, events)
    _poison(world, truth, kept, restores)
    if truth.most_unacknowledged > RECEIVE_MAXIMUM:
        world.wrong(f"{truth.most_unacknowledged} unacknowledged, past the Receive Maximum")


def _once_each(world: World, truth: Truth, kept: Kept) -> None:
    known = {
        "d/count": {float(sample.number) for sample in truth.samples},
        "d/level": {sample.level for sample in truth.samples},
    }
    for name, values in kept.values.items():
        if name == "d/noise":
            continue
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            world.wrong(f"{len(twice)} readings of {name} are stored twice, the first {min(twice)}")
        strange = set(values) - known.get(name, set())
        if strange:
            world.wrong(f"readings of {name} that nobody took: {sorted(strange)[:5]}")


def _none_lost(world: World, truth: Truth, kept: Kept) -> None:
    """What is missing is told of, to the reading."""
    counts = set(kept.values.get("d/count", ()))
    levels = set(kept.values.get("d/level", ()))
    missing = [
        s for s in truth.samples if s.is_kept and not s.is_exempt and not _is_stored(s, counts, levels)
    ]
    doubtful = [s for s in truth.samples if s.is_exempt and not _is_stored(s, counts, levels)]
    told = sum(_lost_by(gap, kept) for gap in kept.gaps if gap["reason"] == _FULL)
    each = truth.readings_each
    lost = each * len(missing)
    world.say("reckoning", f"{lost} readings lost, {told} told of, {len(doubtful)} samples in doubt")
    if any(gap["reason"] == _NOT_KEPT for gap in kept.gaps):
        return  # received once, lost by a cloud restored from a backup, and no longer kept: told in messages
    if truth.damages:
        # What a damaged file lost is told of in messages, for their readings may not be legible any more.
        gone = sum(gap["messages"] for gap in kept.gaps if gap["reason"] in _DAMAGED)
        if lost > told and not gone:
            world.wrong(f"{lost} readings are lost with a damaged outbox, and no gap record tells of it")
        return
    if not lost <= told <= lost + each * len(doubtful):
        numbers = [sample.number for sample in missing]
        world.wrong(f"{lost} readings are lost, gap records tell of {told}: samples {numbers[:10]}")


def _lost_by(gap: dict[str, Any], kept: Kept) -> int:
    """Readings a gap record tells of, without those the cloud had when the gateway did not know it yet."""
    numbers = range(gap["first_sequence"], gap["last_sequence"] + 1)
    had = sum(kept.stored.get((gap["epoch"], number), 0) for number in numbers)
    return int(gap["readings"]) - had


def _is_stored(sample: Sample, counts: set[float], levels: set[float]) -> bool:
    return float(sample.number) in counts and sample.level in levels


def _alerts(world: World, truth: Truth, kept: Kept, events: Sequence[tuple[float, float]]) -> None:
    stored = {alert.id: alert for alert in kept.alerts}
    if any(gap["reason"] == _NOT_KEPT and gap.get("stream") == Stream.URGENT for gap in kept.gaps):
        return
    for (alert, state), times in truth.raised.items():
        if times > 1 and not truth.damages:  # a damaged file may not know; the cloud does
            world.wrong(f"alert {alert[:8]} {state} was raised {times} times")
        if alert not in stored:
            world.wrong(f"alert {alert[:8]} {state} was raised and is not in the cloud")
        elif state == "resolved" and stored[alert].state != "resolved":
            world.wrong(f"alert {alert[:8]} was resolved and fires on in the cloud")
    for alert in stored.values():
        if alert.state != "resolved":
            world.wrong(f"alert {alert.id[:8]} never ends")
    _one_an_event(world, truth, kept, events)
    twice = [alert for alert, count in Counter(kept.evidence).items() if count > 1]
    if twice:
        world.wrong(f"evidence twice: {twice}")


def _one_an_event(world: World, truth: Truth, kept: Kept, events: Sequence[tuple[float, float]]) -> None:
    """Each event has one alert; after a power cut in its midst, which took readings with it, one more."""
    at_of = {round(sample.level, 7): sample.at_s for sample in truth.samples}
    heard: Counter[int] = Counter()
    for alert in kept.alerts:
        value = alert.body.get("value")
        at_s = at_of.get(round(value, 7), -1.0) if value is not None else -1.0
        number = next((n for n, (start, end) in enumerate(events) if start <= at_s < end), None)
        if number is None:
            world.wrong(f"alert {alert.id[:8]} of no event, value {value}")
        else:
            heard[number] += 1
    for number, (start, end) in enumerate(events):
        cuts = sum(start <= at < end + 5 for at in truth.power_cuts)
        if heard[number] > 1 + cuts:
            world.wrong(f"event {number} has {heard[number]} alerts, with {cuts} power cuts in it")
        before = events[number - 1][1] if number else 0.0
        if heard[number] == 0 and _is_sure(truth, start, end) and _was_calm(truth, before, start):
            world.wrong(f"event {number} has no alert")


def _is_sure(truth: Truth, start: float, end: float) -> bool:
    """Whether the event was read long enough without a break, and no power cut took of that."""
    inside = [s for s in truth.samples if start <= s.at_s < end and s.level > (CALM_LEVEL + HOT_LEVEL) / 2]
    run_from: Sample | None = None
    last: Sample | None = None
    for sample in inside:
        if sample.is_exempt or not sample.is_kept:
            run_from = last = None
            continue
        if run_from is None or last is None or sample.at_s - last.at_s > 1.5:
            run_from = sample
        last = sample
        if sample.at_s - run_from.at_s >= _SURE_S:
            return True
    return False


def _was_calm(truth: Truth, start: float, end: float) -> bool:
    """Whether the end of what was before was seen; else the alert of then stands for this one, too."""
    calm = [s for s in truth.samples if start <= s.at_s < end and s.is_kept and not s.is_exempt]
    return len(calm) >= _SURE_S and all(sample.level < HOT_LEVEL for sample in calm)


def _poison(world: World, truth: Truth, kept: Kept, restores: int) -> None:
    """Exactly what was poisoned. A backup made between the two commits of a cloud that was killed there knows
    the number and not the message."""
    found = len(kept.quarantined)
    if not truth.poisons - restores <= found <= truth.poisons:
        codes = [row.code for row in kept.quarantined]
        world.wrong(f"{truth.poisons} poisoned messages were sent, {found} are in quarantine: {codes}")
