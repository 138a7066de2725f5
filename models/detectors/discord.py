"""Discord: the course of the last readings, where no earlier stretch had such a shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike
from pydantic import model_validator

from models.alert import Moment
from models.detectors.bank import Columns, Judged, Trait, number
from models.detectors.discord_kernels import score_discord
from models.detectors.parameters import parameter
from models.detectors.rows import SECOND
from models.detectors.shape_buffer import NO_WINDOW
from models.detectors.strangeness import HEAD, StrangenessBank, StrangenessParameters
from models.readings import Bytes, Floats

_SIMILAR = 3  # moments that are told


class DiscordParameters(StrangenessParameters):
    """Both lengths count readings."""

    length: int = parameter(
        64,
        title="Length",
        zh="片段长度",
        unit="readings",
        ge=8,
        le=256,
        text="How many readings make a shape.",
        text_zh="构成一个走势片段的读数个数。",
    )
    buffer: int = parameter(
        2000,
        title="Buffer",
        zh="缓存",
        unit="readings",
        ge=128,
        le=20000,
        text="How many readings back shapes are compared; at least 16 lengths.",
        text_zh="向前比较多少个读数内的走势；至少为片段长度的 16 倍。",
    )
    flat: float = parameter(
        0.05,
        title="Flat below",
        zh="平直界限",
        gt=0,
        le=0.5,
        text="A stretch that moves less than this share of the channel's usual reach is flat.",
        text_zh="波动小于通道常见幅度的这一比例的片段视为平直，无形状可言。",
    )

    @model_validator(mode="after")
    def _buffer_holds_shapes(self) -> DiscordParameters:
        if self.buffer < 16 * self.length:
            raise ValueError(f"buffer must hold at least 16 lengths: {16 * self.length} readings")
        return self


class DiscordBank(StrangenessBank[DiscordParameters]):
    """The last readings, their windows' sums and norms, and dot products: 54 KB at 2000 readings of 64."""

    name = "discord"
    code = "unlike_shape"
    floor = 0.01
    times = ("last", "origin")
    keeps_moments = True
    head = np.dtype(
        [
            ("origin", "i8"),  # time the moments count from
            *HEAD,
            ("window_sum", "i8"),  # sum of the newest window, in steps
            ("window_squares", "i8"),
            ("anchor", "f8"),  # the first reading, which the raw ones count from
            ("centre", "f8"),
            ("unit", "f8"),  # of a step; 0: not measured yet
            ("end", "i4"),  # where the next reading goes
            ("count", "i4"),
            ("joined", "i4"),  # readings of the newest window that belong together
            ("beyond", "i4"),  # readings since the last measuring that steps do not reach
            ("resolution", "f4"),
            ("unused", "i4"),
        ]
    )

    @classmethod
    def _sizes(cls, parameters: DiscordParameters) -> tuple[int, int, int]:
        """Readings kept at a rebuild, room for readings, lags."""
        kept = parameters.buffer + parameters.length
        return kept, kept + parameters.buffer // 4, parameters.buffer - 2 * parameters.length + 1

    @classmethod
    def _arrays(cls, parameters: DiscordParameters) -> list[tuple[str, DTypeLike, tuple[int, ...]]]:
        _, room, lags = cls._sizes(parameters)
        return [
            ("raw", np.float32, (room,)),
            ("heights", np.float32, (room,)),
            ("sums", np.int32, (room,)),
            ("moments", np.int32, (room,)),
            ("dots", np.int32, (lags,)),
            ("steps", np.int16, (room,)),
        ]

    def _begin(self, traits: Sequence[Trait]) -> None:
        super()._begin(traits)
        given = self.parameters
        kept, room, lags = self._sizes(given)
        self.state["resolution"] = [trait.resolution for trait in traits]
        self.state["sums"] = NO_WINDOW
        self.state["end"] = kept
        at = tuple(self._offset(name) for name in ("raw", "heights", "sums", "moments", "dots", "steps"))
        found = np.zeros(lags, np.float32)
        settings = (given.length, kept, room, given.flat, given.warmup_s, given.memory_s)
        self._given = (at, settings, (found, found.view(np.int32), np.zeros(lags, np.int32)))

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        at, (length, kept, room, flat, warmup, memory), (found, bits, spare) = self._given
        score_discord(
            self._heads,
            self._rows(np.float32),
            self._rows(np.int16),
            self._rows(np.int32),
            self._slots,
            self._base,
            *columns,
            at,
            length,
            kept,
            room,
            flat,
            warmup,
            memory,
            found,
            bits,
            spare,
            table,
            flags,
        )

    def moments(self, slot: int, time_ns: int) -> tuple[Moment, ...]:
        """Of windows that overlap only the most similar; none for a flat one, which has no shape."""
        state, length = self.state[slot], self.parameters.length
        last = int(state["end"]) - length  # one past the newest reading of the latest earlier window
        height = float(state["heights"][state["end"] - 1])
        if state["last"] != time_ns or state["joined"] < length or height == 0.0:
            return ()
        earlier = slice(last - len(state["dots"]), last)
        sums, heights = state["sums"][earlier], state["heights"][earlier]
        alike = (state["dots"] - float(state["window_sum"]) / length * sums) * heights * height
        chosen = _largest_apart(np.where(sums == NO_WINDOW, 0.0, alike), length)
        distance = np.sqrt(np.maximum(0.0, 1.0 - alike[chosen]))
        ended = state["origin"] + state["moments"][earlier][chosen].astype(np.int64) * SECOND
        return self._moments_at(slot, ended, distance)

    def _told(self, judged: Judged) -> dict[str, float | None]:
        return {"seconds": number(judged.detail)}


def _largest_apart(found: Floats, apart: int) -> list[int]:
    """Places of the largest numbers above 0, no two nearer than `apart`; of equal ones the latest."""
    left, chosen = found.copy(), list[int]()
    while len(chosen) < _SIMILAR:
        best = len(left) - 1 - int(np.argmax(left[::-1]))
        if left[best] <= 0.0:
            break
        chosen.append(best)
        left[max(0, best - apart + 1) : best + apart] = 0.0
    return chosen
