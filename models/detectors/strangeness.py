"""Strangeness: how unlike the past a stretch of readings is, made a calibrated surprise.

Detectors of shape measure strangeness each in its own unit: thin mass, the distance to the nearest shape or
to the nearest moments. What is usual is learned as for any level; a strangeness beyond it, in usual
distances, goes to the sketch of the tail. Less strange than usual is not strange. Vovk, Gammerman and Shafer
2005 call the measure nonconformity; Laxhammar 2014 uses it without looking ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from models.alert import Moment, Reason
from models.compile import kernel
from models.detectors.bank import Judged, PackedBank, Trait, number
from models.detectors.learned import LEVEL, NANO, begin_learned, judge, learn_level
from models.detectors.parameters import Parameters, parameter
from models.detectors.rows import NEVER, clear
from models.detectors.surprise import SKETCH, bin_of, learn_distance
from models.readings import Bytes, Floats, Int64s

# A record puts a field of its own before it: numba takes one that begins as another does for the same.
HEAD: list[Any] = [*LEVEL, *SKETCH]
_GAP_PACES = 8  # after so many usual intervals without a reading, what was before is another stretch

T = TypeVar("T", bound=np.generic)


class StrangenessParameters(Parameters):
    """What all detectors of shape share."""

    warmup_s: float = parameter(
        86400.0,
        title="Warm-up",
        zh="预热时长",
        unit="s",
        ge=0,
        le=90 * 86400,
        text="Time of readings to learn from, once they can be compared, before anything is scored.",
        text_zh="读数可比较之后、开始评分之前需要学习的时长。",
    )
    memory_s: float = parameter(
        14 * 86400.0,
        title="Memory",
        zh="记忆时长",
        unit="s",
        gt=0,
        le=366 * 86400,
        text="How far back usual strangeness is remembered; older fades.",
        text_zh="对常见异样程度的记忆时长；更早的逐渐淡忘。",
    )


S = TypeVar("S", bound=StrangenessParameters)


@kernel
def is_cut(state: Any, time: int) -> bool:
    """Whether the readings before `time` belong to another stretch: a gap of many usual intervals."""
    return bool(state.last != NEVER and state.pace > 0 and time - state.last > _GAP_PACES * state.pace)


@kernel
def judge_strangeness(state: Any, strangeness: float, warmup: float) -> tuple[float, int, float]:
    """Score, marks, and how many usual distances the strangeness lies beyond the usual one."""
    scale = max(state.scale, np.float64(state.floor))
    beyond = max(0.0, strangeness - state.mean) / scale if scale > 0.0 else 0.0
    score, marks = judge(state, beyond, bin_of(beyond), warmup)
    return score, marks, beyond


@kernel
def learn_strangeness(
    state: Any, strangeness: float, beyond: float, step: int, warmup: float, memory: float
) -> None:
    """Learn a strangeness and how far beyond the usual it was judged; `step`: ns it stands for."""
    seconds = step * NANO
    settled = state.taught >= 0.25 * warmup
    if settled:
        learn_distance(state, bin_of(beyond), seconds, memory)
    if state.weight == 0.0:
        state.mean = strangeness
    scale = max(state.scale, np.float64(state.floor))
    learn_level(state, strangeness - state.mean, scale, step, seconds, memory, settled)
    state.taught += seconds


@kernel
def say(out: Floats, flags: Bytes, row: int, score: float, marks: int, detail: float) -> None:
    """Write a judgement; a shape has no expected value and no band."""
    clear(out, flags, row)
    out[0, row] = score
    out[4, row] = detail
    flags[row] = marks


class StrangenessBank(PackedBank[S]):
    """Banks whose record is a head of fixed size and arrays as large as the parameters ask.

    Kernels get the heads as records and the arrays as rows of plain numbers, a row for each channel, so one
    compiled form serves all parameters. The arrays stand widest first, so that each is aligned.
    """

    head: ClassVar[np.dtype[Any]]
    floor: ClassVar[float]  # smallest usual distance of a strangeness, in its unit
    code: ClassVar[str]  # of the reason

    @classmethod
    def _arrays(cls, parameters: S) -> list[tuple[str, DTypeLike, tuple[int, ...]]]:
        """Name, type and shape of the arrays behind the head."""
        raise NotImplementedError

    @classmethod
    def _layout(cls, parameters: S) -> np.dtype[Any]:
        fields: list[tuple[str, DTypeLike, int]] = []
        for name, (kind, at, *_) in (cls.head.fields or {}).items():
            fields.append((name, kind, at))
        end = -(-cls.head.itemsize // 8) * 8
        for name, plain, shape in cls._arrays(parameters):
            field: np.dtype[Any] = np.dtype((plain, shape))
            fields.append((name, field, end))
            end += field.itemsize
        names, formats, offsets = zip(*fields, strict=True)
        size = -(-end // 8) * 8
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        self.state["floor"] = self.floor
        raw = self.state.view(np.uint8).reshape(len(self.state), -1)
        self._raw = raw
        self._heads: NDArray[Any] = np.ndarray(len(raw), self.head, raw, 0, (raw.shape[1],))

    def _rows(self, kind: type[T]) -> NDArray[T]:
        """The whole state as numbers of one kind, a row for each channel."""
        return self._raw.view(kind)

    def _offset(self, name: str) -> int:
        """Where an array begins in such a row of its own kind."""
        field, at = self.dtype.fields[name][:2]  # type: ignore[index]
        return int(at) // field.base.itemsize

    def _moments_at(self, slot: int, ended: Int64s, distance: Floats) -> tuple[Moment, ...]:
        """Moments that ended then and are so far; what is usual is what their strangeness usually is."""
        usual = float(self.state["mean"][slot])
        return tuple(
            Moment(at=at, distance=far, usual=usual if usual > 0.0 else None)
            for at, far in zip(ended.tolist(), distance.tolist(), strict=True)
        )

    def _reason(self, judged: Judged) -> Reason:
        return Reason(
            code=self.code,
            parameters={
                "value": number(judged.value),
                "surprise": round(judged.score, 3),
                "extrapolated": int(judged.extrapolated),
                **self._told(judged),
            },
        )

    def _told(self, judged: Judged) -> dict[str, float | None]:
        """What the reason says beside the surprise."""
        raise NotImplementedError
