"""Room: channels of one device or room that no longer go together as they do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank, Trait, number
from models.detectors.learned import LEVEL, NANO, begin_learned, judge, learn_level, step_of, tell
from models.detectors.parameters import parameter
from models.detectors.room_kernels import (
    MOST,
    SETTLED,
    distance_of,
    gather,
    learn_held,
    packed_shares,
    share_out,
    speaker_of,
)
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, clear, slot_of
from models.detectors.strangeness import StrangenessParameters
from models.detectors.surprise import SKETCH, bin_of, learn_distance
from models.readings import Bytes, Floats, Int64s

_SMALLEST_SHARE = 0.05  # a channel with a smaller part of the distance is not named


class RoomParameters(StrangenessParameters):
    """Channels of one device or room, judged together."""

    tau_s: float = parameter(
        3600.0,
        title="Time constant",
        zh="时间常数",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="How long each channel's own level remembers; what they do together is measured from there.",
        text_zh="各通道自身基准水平的记忆时长；联合变化以此为基准衡量。",
    )


@kernel
def keep(states: NDArray[Any], slot: int, time: int, value: float, speaker: int, joint: float) -> None:
    """The row's value is the channel's latest now, and the room as it then stood is remembered."""
    states[slot].value = value
    states[slot].last = time
    states[slot].joint = joint
    for place in range(states.shape[0]):
        states[place].speaks = 1 if place == speaker else 0


@kernel
def score_room(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    tau: float,
    warmup: float,
    memory: float,
    among: Int64s,
    work: tuple[Floats, Floats, Floats],
    root: Floats,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the joint distance on the rows of the channel that speaks, 0 on the others'.

    Expected is what the other channels let expect of this one; detail holds the shares, see packed_shares.
    """
    moves, way, parts = work
    for row in range(channel.shape[0]):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            clear(out, flags, row)
            continue
        state = states[slot]
        learns = not quality[row] & SUSPECT and time[row] > state.last
        if state.last == NEVER:
            clear(out, flags, row)
            flags[row] = JUDGED | WARMING
            if learns:
                state.mean = value[row]
                keep(states, slot, time[row], value[row], slot, 0.0)
            continue
        count = gather(states, slot, time[row], value[row], warmup, among, moves)
        square = distance_of(states, among, count, moves, root, way)
        share_out(count, moves, root, way, parts)
        speaker = speaker_of(states, among, count, parts)
        # Fisher: so made, distances of two channels and of eight are alike, and one may fall silent.
        usual = math.sqrt(2.0 * count - 1.0)
        distance = max(0.0, math.sqrt(2.0 * square) - usual) if speaker == slot else 0.0
        place = bin_of(distance)
        score, marks = judge(state, distance, place, warmup)
        own = count - 1
        residual = value[row] - state.mean
        scale = max(state.scale, np.float64(state.floor))
        centre = value[row] - way[own] * root[own, own] * scale
        farthest = state.band + usual
        left = 0.5 * farthest * farthest - (square - way[own] * way[own])
        reach = math.sqrt(max(0.0, left)) * root[own, own] * scale
        tell(out, flags, row, score, marks, centre, reach, 0, packed_shares(among, count, parts))
        if not learns:
            continue
        step = step_of(state, time[row])
        seconds = step * NANO
        learn_held(states, time[row], step, warmup, memory, moves)
        if state.taught >= 0.5 * warmup:
            learn_distance(state, place, seconds, memory)
        learn_level(state, residual, scale, step, seconds, tau, state.taught >= SETTLED * warmup)
        state.taught += seconds
        keep(states, slot, time[row], value[row], speaker, square / count)


class RoomBank(PackedBank[RoomParameters]):
    """One room. Each channel's record holds its row of the room's products: 584 bytes a channel."""

    name = "room"
    dtype = np.dtype(
        [("value", "f8"), ("joint", "f8"), ("speaks", "i8"), *LEVEL, *SKETCH, ("products", "f8", (MOST,))]
    )

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        given = self.parameters
        self._given = (given.tau_s, given.warmup_s, given.memory_s)
        self._names = [trait.name or str(one) for one, trait in zip(self._channels, traits, strict=True)]
        self._work = (
            np.empty(MOST, np.int64),
            (np.empty(MOST), np.empty(MOST), np.empty(MOST)),
            np.empty((MOST, MOST)),
        )

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        tau, warmup, memory = self._given
        among, work, root = self._work
        given = (self.state, self._slots, self._base, *columns, tau, warmup, memory)
        score_room(*given, among, work, root, table, flags)

    def companions(self, slot: int) -> tuple[int, ...]:
        return tuple(range(len(self._channels)))

    def _rows_of(self, slots: Sequence[int]) -> NDArray[Any]:
        """As every bank's; products stand in the order of the rows."""
        rows = super()._rows_of(slots)
        rows["products"] = 0.0
        rows["products"][:, : len(slots)] = self.state["products"][np.ix_(list(slots), list(slots))]
        return rows

    def restore(self, data: bytes, slots: Sequence[int] | None = None) -> None:
        """As every bank's; what a dropped channel had in common with the others is dropped with it."""
        super().restore(data, slots)
        places = list(range(len(self._channels)) if slots is None else slots)
        rows = [row for row, place in enumerate(places) if place >= 0]
        kept = [places[row] for row in rows]
        products = self.state["products"]
        stored = products[kept].copy()
        products[kept] = 0.0
        products[:, kept] = 0.0
        products[np.ix_(kept, kept)] = stored[:, rows]

    def explain(self, judged: Judged) -> tuple[Reason, ...]:
        """The alert's own channel first, though another may have come to have the larger part."""
        own, shares = self._shares(judged.detail)
        others = sorted(set(range(len(shares))) - {own}, key=lambda place: -shares[place])
        first = Reason(
            code="unlike_room",
            parameters={
                "value": number(judged.value),
                "expected": number(judged.expected),
                "lower": number(judged.lower),
                "upper": number(judged.upper),
                "surprise": round(judged.score, 3),
                "extrapolated": int(judged.extrapolated),
            },
            share=shares[own],
        )
        beside = [
            Reason(code="beside", parameters={"channel": self._names[place]}, share=shares[place])
            for place in others
            if shares[place] >= _SMALLEST_SHARE
        ]
        return first, *beside

    def _shares(self, detail: float) -> tuple[int, list[float]]:
        """Place of the row's channel, and each one's share, adding up to 1; all its own if none is told."""
        packed = int(detail) if math.isfinite(detail) else 0
        own, places = packed >> (6 * MOST), range(len(self._channels))
        parts = [packed >> (6 * place) & 63 for place in places]
        total = sum(parts)
        if not total:
            return own, [float(place == own) for place in places]
        return own, [round(part / total, 3) for part in parts]
