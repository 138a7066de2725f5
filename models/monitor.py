"""A monitor: one detector and one trigger on one channel or a few; readings in, alerts out."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

import models
from models.alert import Alert, AlertState, Moment
from models.clock import STEP_NS
from models.configuration import MonitorConfig
from models.detectors.bank import Judged, Scores, Trait, number
from models.detectors.registry import make_bank
from models.detectors.rows import CLOCK_UNTRUSTED, EXTRAPOLATED, NEVER, NO_EVENT_TIME, SECOND
from models.errors import ConfigurationError, ParameterError, SnapshotError
from models.identity import alert_id
from models.readings import ReadingBlock
from models.trigger import NO_CROSSINGS, Crossings, Transition, Trigger
from models.wire.messages import ChannelEntry

_NO_BOOT = "0" * 32


class Monitor:
    """Judges each of its channels by itself.

    The same readings under the same configuration give the same alerts, ids included, however they are cut
    into blocks, and on both sides of a snapshot. `advance` is called as event time reaches whole seconds
    (`models.replay.drive` does it); without it silence, dwell and delays between readings are not noticed.

    >>> config = MonitorConfig(
    ...     name="hot", detector="limit", parameters={"high": 60}, channels=("t",), hazard="fire"
    ... )
    >>> monitor = Monitor(config, {1: ChannelEntry(number=1, name="t", unit="Cel")}, gateway="gw-1")
    >>> [alert] = monitor.observe(ReadingBlock.of([1, 1], [0, 1], [20.0, 71.5]))
    >>> alert.state.value, alert.value, alert.reasons[0].code
    ('firing', 71.5, 'above_limit')
    """

    def __init__(
        self,
        config: MonitorConfig,
        channels: Mapping[int, ChannelEntry],
        *,
        gateway: str,
        config_version: int = 0,
        code_version: str = models.__version__,
    ) -> None:
        """ConfigurationError when a channel is unknown, or the detector refuses its parameters."""
        self.config, self.gateway = config, gateway
        self._config_version, self._code_version = config_version, code_version
        self._entries = _entries_of(config, channels)
        numbers = [entry.number for entry in self._entries]
        try:
            self._bank = make_bank(
                config.detector, config.parameters, numbers, [_trait(entry) for entry in self._entries]
            )
        except ParameterError as error:
            raise ConfigurationError(str(error), key=f"monitors.{config.name}") from None
        self._trigger = Trigger(config.trigger, len(numbers))
        self._base = min(numbers)
        self._slots = np.full(max(numbers) - self._base + 1, -1, np.int32)
        self._slots[np.asarray(numbers) - self._base] = np.arange(len(numbers), dtype=np.int32)
        self._boots = [_NO_BOOT]
        self._advanced: int | None = None
        self._offset: tuple[str, int] | None = None

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def channels(self) -> tuple[int, ...]:
        """Channel numbers, in the order of the configuration."""
        return tuple(entry.number for entry in self._entries)

    @property
    def needs_time(self) -> bool:
        """Whether `advance` can make alerts at all."""
        return self._bank.needs_time or self._trigger.needs_time

    def observe(self, block: ReadingBlock) -> list[Alert]:
        """Score, learn, decide; the alerts that fire or resolve, in order."""
        return self.judge(block)[1]

    def judge(
        self, block: ReadingBlock, crossings: Crossings = NO_CROSSINGS
    ) -> tuple[list[Scores], list[Alert]]:
        """As `observe`, with `advance` at the crossings, and the scores of all rows, in pieces.

        Only banks that need time see the block in pieces; the trigger lets its delays end in one pass.
        """
        self.follow_clock(block)
        if self._bank.needs_time and len(crossings[0]):
            return self._judge_pieces(block, crossings)
        scores = self._bank.score(block)
        boot = self._boot_number(block.boot)
        if self._trigger.needs_time:
            moved = self._trigger.step(block, scores, self._slots, self._base, boot, crossings)
        else:
            moved = self._trigger.step(block, scores, self._slots, self._base, boot)
        alerts = [self._alert(transition) for transition in moved]
        if len(crossings[1]):
            self._advanced = max(self._advanced or NEVER, int(crossings[1][-1]))
        return [scores], alerts

    def _judge_pieces(self, block: ReadingBlock, crossings: Crossings) -> tuple[list[Scores], list[Alert]]:
        pieces: list[Scores] = []
        alerts: list[Alert] = []
        begin = 0
        for row, second in zip(crossings[0].tolist(), crossings[1].tolist(), strict=True):
            if row > begin:
                scores, raised = self.judge(block.rows(begin, row))
                pieces += scores
                alerts += raised
                begin = row
            alerts += self.advance(second)
        scores, raised = self.judge(block.rows(begin, len(block)))
        return pieces + scores, alerts + raised

    def advance(self, time_ns: int) -> list[Alert]:
        """Let event time reach the whole second at or before `time_ns`. Going back does nothing.

        Skipping seconds gives what stepping through them gives: each alert bears the second it was due.
        """
        second = time_ns // SECOND * SECOND
        if self._advanced is not None and second <= self._advanced:
            return []
        self._advanced = second
        if not self.needs_time:
            return []
        alerts = []
        judged = self._bank.advance(second)
        if judged is not None:
            alerts = [self._alert(transition) for transition in self._trigger.judge(judged)]
        if self._trigger.needs_time:
            alerts += [self._alert(transition) for transition in self._trigger.advance(second)]
        return sorted(alerts, key=_when) if len(alerts) > 1 else alerts

    def shift(self, delta_ns: int) -> None:
        """Leave `delta_ns` out of all durations: the wall clock was stepped, or nothing was sampled."""
        self._bank.shift(delta_ns)
        self._trigger.shift(delta_ns)
        if self._advanced is not None:
            self._advanced = (self._advanced + delta_ns) // SECOND * SECOND

    def companions(self, channels: Iterable[int]) -> frozenset[int]:
        """Numbers of these channels and of all those they are judged together with."""
        wanted = set(channels)
        slots = [slot for slot, entry in enumerate(self._entries) if entry.number in wanted]
        together = {other for slot in slots for other in self._bank.companions(slot)}
        return frozenset(self._entries[slot].number for slot in together)

    def moments(self, channel: int, time_ns: int) -> tuple[Moment, ...]:
        """Past moments most like what the channel showed with its newest reading, that of `time_ns`."""
        return self._bank.moments(self.channels.index(channel), time_ns)

    def snapshot(self, channels: Iterable[int] | None = None) -> bytes:
        """All state of the given channels (every one when none) and of their companions, as checked bytes."""
        wanted = self.companions(self.channels if channels is None else channels)
        slots = [slot for slot, entry in enumerate(self._entries) if entry.number in wanted]
        head = {
            "monitor": self.name,
            "names": [self._entries[slot].name for slot in slots],
            "boots": self._boots,
            "advanced": self._advanced,
            "offset": self._offset,
        }
        parts = (json.dumps(head).encode(), self._bank.snapshot(slots), self._trigger.snapshot(slots))
        return _MAGIC + b"".join(struct.pack("<I", len(part)) + part for part in parts)

    def restore(self, data: bytes) -> None:
        """Go on from a snapshot; channels are matched by name, new ones begin fresh.

        SnapshotError when damaged, or made with another detector or other parameters; the monitor is then
        as it was. Thresholds may differ: they do not touch what was learned.
        """
        head, bank, trigger = _parts(data)
        try:
            slot_of = {entry.name: slot for slot, entry in enumerate(self._entries)}
            slots = [slot_of.get(name, -1) for name in head["names"]]
            boots = [str(boot) for boot in head["boots"]]
            advanced, offset = head["advanced"], head["offset"]
        except (KeyError, TypeError, AttributeError) as error:
            raise SnapshotError(f"snapshot's head is not understood: {error}") from None
        before = self._trigger.snapshot(range(len(self._entries)))
        self._trigger.restore(trigger, slots)
        try:
            self._bank.restore(bank, slots)
        except SnapshotError:
            self._trigger.restore(before, range(len(self._entries)))
            raise
        self._boots, self._advanced = boots, advanced
        self._offset = None if offset is None else (str(offset[0]), int(offset[1]))

    def follow_clock(self, block: ReadingBlock) -> None:
        """Take steps of the wall clock out of all durations; `judge` does it before its first row.

        Within a boot the block's monotonic offset tells a step. Between boots nothing ties the clocks
        together but event time, which goes on where it stood: the time in between counts for nothing.
        """
        known, now = self._offset, (block.boot, block.monotonic_offset_ns)
        step = now[1] - known[1] if known is not None else 0
        if known is not None and known[0] == now[0] and abs(step) <= STEP_NS:
            self._offset = now
            return
        live = block.time[(block.quality & NO_EVENT_TIME) == 0]
        if not len(live):
            return
        self._offset = now
        if known is not None and known[0] == now[0]:
            self.shift(step)
        elif known is not None and self._advanced is not None:
            self.shift(int(live[0]) // SECOND * SECOND - self._advanced)

    def _boot_number(self, boot: str) -> int:
        if self._boots[-1] != boot:
            if boot in self._boots:
                return self._boots.index(boot)
            self._forget_boots()
            self._boots.append(boot)
        return len(self._boots) - 1

    def _forget_boots(self) -> None:
        """Keep the boots that a trigger still refers to."""
        state = self._trigger.state
        fields = ("boot", "run_boot", "onset_boot")
        used = sorted({0} | {int(i) for field in fields for i in np.unique(state[field])})
        place = np.zeros(len(self._boots), np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        for field in fields:
            state[field] = place[state[field]]
        self._boots = [self._boots[i] for i in used]

    def _alert(self, transition: Transition) -> Alert:
        """The alert of a transition, from what the trigger's state has kept."""
        state = transition.state
        entry = self._entries[transition.slot]
        boot, onset = self._boots[int(state["onset_boot"])], int(state["onset_index"])
        marks, quality = int(state["marks"]), int(state["quality"])
        judged = Judged(
            score=float(state["peak"]),
            value=float(state["value"]),
            expected=float(state["expected"]),
            lower=float(state["lower"]),
            upper=float(state["upper"]),
            detail=float(state["detail"]),
            extrapolated=bool(marks & EXTRAPOLATED),
        )
        return Alert(
            # A channel never heard has no reading to derive an id from; its number stands in, below zero.
            id=alert_id(self.gateway, self.name, boot, onset if onset >= 0 else -1 - entry.number),
            gateway=self.gateway,
            monitor=self.name,
            detector=self.config.detector,
            channel=entry.name,
            device=entry.device,
            place=entry.place,
            kind=self.config.kind,
            hazard=self.config.hazard,
            severity=self.config.severity,
            state=AlertState.FIRING if transition.fired else AlertState.RESOLVED,
            trial=self.config.trial,
            boot=boot,
            onset_index=max(onset, 0),
            onset_at=int(state["onset_time"]),
            fired_at=int(state["fired_at"]),
            measured_at=int(state["measured_at"]),
            resolved_at=None if transition.fired else transition.at,
            score=judged.score,
            threshold=float(state["on"]),
            value=number(judged.value),
            unit=entry.unit,
            expected=number(judged.expected),
            lower=number(judged.lower),
            upper=number(judged.upper),
            reasons=self._bank.explain(judged),
            config_version=self._config_version,
            code_version=self._code_version,
            clock_trusted=not quality & CLOCK_UNTRUSTED,
        )


_MAGIC = b"LMM1"


def _trait(entry: ChannelEntry) -> Trait:
    return Trait(entry.kind, entry.unit, entry.resolution, entry.name)


def _entries_of(config: MonitorConfig, channels: Mapping[int, ChannelEntry]) -> list[ChannelEntry]:
    named = {entry.name: entry.model_copy(update={"number": number}) for number, entry in channels.items()}
    if missing := [name for name in config.channels if name not in named]:
        raise ConfigurationError(f"unknown channels {missing}", key=f"monitors.{config.name}.channels")
    return [named[name] for name in dict.fromkeys(config.channels)]


def _parts(data: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """Head, bank, trigger of a monitor's snapshot."""
    parts, at = [], len(_MAGIC)
    try:
        if data[:at] != _MAGIC:
            raise ValueError("no monitor's snapshot")
        for _ in range(3):
            (length,) = struct.unpack_from("<I", data, at)
            parts.append(data[at + 4 : at + 4 + length])
            at += 4 + length
        if at != len(data):
            raise ValueError("length does not fit")
        head = json.loads(parts[0])
    except (struct.error, ValueError) as error:
        raise SnapshotError(f"not a snapshot of this version: {error}") from None
    return head, parts[1], parts[2]


def _when(alert: Alert) -> int:
    return alert.resolved_at if alert.resolved_at is not None else alert.fired_at
