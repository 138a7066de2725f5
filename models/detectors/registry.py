"""Every detector, written out: the catalogue's source."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from models.detectors.bank import Bank, PackedBank, Trait
from models.detectors.parameters import Parameters, parse
from models.errors import ParameterError

# Kinds of channel that measure a quantity: neither states nor counts.
MEASURED = frozenset(
    (
        *("temperature", "humidity", "co2", "co", "smoke", "gas", "pressure", "flow", "water_level"),
        *("voltage", "current", "power", "vibration", "light", "sound", "battery", "link"),
        *("pm1", "pm25", "pm10", "no2", "so2", "o3", "dust", "voc", "wind"),
    )
)


@dataclass(frozen=True, slots=True)
class DetectorEntry:
    """One row of the catalogue.

    Its classes are loaded when they are asked for: a gateway runs a few detectors, and loading all of them
    would cost every start a tenth of a second. `kinds` empty means any kind of channel; where `only` holds
    it cannot work on a channel known to be of another. It judges at least `fewest` channels together, at most
    `most` (0: any number). Readings that are invalid or out of range teach no detector anything about the
    quantity; what they may teach about the equipment its bank names as `evidence`, and only one that
    `judges_unbelieved` speaks of them. `needs` is a library without which the detector is refused; no gateway
    has it.
    """

    name: str
    title: str
    title_zh: str
    parameters_at: str  # module under `models.detectors`, and class
    bank_at: str
    learned: bool
    kinds: tuple[str, ...]
    cost_ns: int  # a reading, in blocks of 500 over 100 channels, as tests/bench/bench_costs.py measures it
    bytes_per_channel: int
    warm_up: str
    source: str
    fewest: int = 1
    most: int = 0
    only: bool = False
    judges_unbelieved: bool = False
    needs: str = ""

    @property
    def parameters(self) -> type[Parameters]:
        """What may be set."""
        return cast(type[Parameters], _class_at(self.parameters_at))

    @property
    def bank(self) -> type[PackedBank[Any]]:
        """What scores."""
        return cast(type[PackedBank[Any]], _class_at(self.bank_at))

    def works_on(self, kind: str) -> bool:
        """Whether it may be given a channel of this kind; one that nobody wrote down may be anything."""
        return not self.only or kind not in MEASURED or kind in self.kinds

    @property
    def is_installed(self) -> bool:
        """Whether it can run on this machine."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


DETECTORS: dict[str, DetectorEntry] = {
    entry.name: entry
    for entry in (
        DetectorEntry(
            name="default",
            title="Unlike all it has shown",
            title_zh="与以往表现都不同",
            parameters_at="fusion.bank:DefaultParameters",
            bank_at="fusion.bank:DefaultBank",
            learned=True,
            kinds=(),
            cost_ns=1300,
            bytes_per_channel=23740,
            warm_up="one hour; the day's pattern from the second day",
            source="Laxhammar and Falkman 2014 (shapes); Winters 1960 (day); Robbins 1956 (blend)",
        ),
        DetectorEntry(
            name="limit",
            title="Limit",
            title_zh="限值",
            parameters_at="limit:LimitParameters",
            bank_at="limit:LimitBank",
            learned=False,
            kinds=(),
            cost_ns=4,
            bytes_per_channel=8,
            warm_up="none",
            source="Shewhart 1931, fixed limits",
        ),
        DetectorEntry(
            name="dwell",
            title="Beyond a limit for too long",
            title_zh="越限持续",
            parameters_at="dwell:DwellParameters",
            bank_at="dwell:DwellBank",
            learned=False,
            kinds=(),
            cost_ns=6,
            bytes_per_channel=40,
            warm_up="none",
            source="ISA-18.2, alarm on-delay",
        ),
        DetectorEntry(
            name="rate",
            title="Rate of change",
            title_zh="变化率",
            parameters_at="rate:RateParameters",
            bank_at="rate:RateBank",
            learned=False,
            kinds=(),
            cost_ns=10,
            bytes_per_channel=112,
            warm_up="none",
            source="EN 54-5, rate-of-rise heat detectors",
        ),
        DetectorEntry(
            name="flat_line",
            title="Stands still",
            title_zh="读数不变",
            parameters_at="flat_line:FlatLineParameters",
            bank_at="flat_line:FlatLineBank",
            learned=False,
            kinds=(),
            cost_ns=6,
            bytes_per_channel=32,
            warm_up="none",
            source="IOOS QARTOD flat-line test, 2020",
        ),
        DetectorEntry(
            name="absence",
            title="Silent",
            title_zh="静默",
            parameters_at="absence:AbsenceParameters",
            bank_at="absence:AbsenceBank",
            learned=False,
            kinds=(),
            cost_ns=4,
            bytes_per_channel=24,
            warm_up="none",
            source="IEC 60839, supervision of transmission",
        ),
        DetectorEntry(
            name="state_duration",
            title="State held too long",
            title_zh="状态持续过久",
            parameters_at="state_duration:StateDurationParameters",
            bank_at="state_duration:StateDurationBank",
            learned=False,
            kinds=("door", "valve", "switch", "contact", "pump", "presence", "state"),
            cost_ns=8,
            bytes_per_channel=40,
            warm_up="none",
            source="IEC 62682, state alarms",
        ),
        DetectorEntry(
            name="usual_duration",
            title="State held longer than usual",
            title_zh="状态持续比平时久",
            parameters_at="usual_duration:UsualDurationParameters",
            bank_at="usual_duration:UsualDurationBank",
            learned=True,
            kinds=(
                "door",
                "flow",
                "valve",
                "switch",
                "contact",
                "pump",
                "presence",
                "occupancy",
                "motion",
                "bed",
                "lift",
                "light",
                "power",
                "state",
            ),
            cost_ns=62,
            bytes_per_channel=1216,
            warm_up="warmup_s, three days unless set, and fifty durations of the state",
            source="Cox and Oakes 1984, Analysis of survival data; surprise: Hosking and Wallis 1987",
        ),
        DetectorEntry(
            name="fault",
            title="Fault of the equipment",
            title_zh="设备故障",
            parameters_at="fault:FaultParameters",
            bank_at="fault:FaultBank",
            learned=True,
            kinds=(),
            cost_ns=18,
            bytes_per_channel=252,
            warm_up="none for silence, missing numbers and range; warmup_s, one day unless set, for the rest",
            source="IOOS QARTOD 2020; Sharma, Golubchik and Govindan 2010, Sensor faults",
            judges_unbelieved=True,
        ),
        DetectorEntry(
            name="quiet",
            title="No sign of life",
            title_zh="没有活动迹象",
            parameters_at="quiet:QuietParameters",
            bank_at="quiet:QuietBank",
            learned=True,
            kinds=(
                "motion",
                "presence",
                "occupancy",
                "door",
                "flow",
                "contact",
                "switch",
                "light",
                "power",
                "state",
            ),
            cost_ns=10,
            bytes_per_channel=916,
            warm_up="warmup_s, three days unless set, and fifty silences",
            source="Cox 1955, time rescaled by the rate; surprise: Hosking and Wallis 1987",
        ),
        DetectorEntry(
            name="counts",
            title="Too many or too few events",
            title_zh="次数过多或过少",
            parameters_at="counts:CountsParameters",
            bank_at="counts:CountsBank",
            learned=True,
            kinds=(
                "door",
                "contact",
                "switch",
                "valve",
                "motion",
                "presence",
                "occupancy",
                "people",
                "lift",
                "pump",
                "count",
                "state",
            ),
            cost_ns=170,
            bytes_per_channel=1972,
            warm_up="warmup_s, seven days unless set",
            source="Greenwood and Yule 1920, gamma-Poisson counts; surprise: Hosking and Wallis 1987",
            only=True,
        ),
        DetectorEntry(
            name="ewma",
            title="Away from its recent level",
            title_zh="偏离近期水平",
            parameters_at="ewma:EwmaParameters",
            bank_at="ewma:EwmaBank",
            learned=True,
            kinds=(),
            cost_ns=9,
            bytes_per_channel=496,
            warm_up="warmup_s, one day unless set",
            source="Roberts 1959; surprise: Hosking and Wallis 1987",
        ),
        DetectorEntry(
            name="cusum",
            title="Shifted a little for long",
            title_zh="持续小幅偏移",
            parameters_at="cusum:CusumParameters",
            bank_at="cusum:CusumBank",
            learned=True,
            kinds=(),
            cost_ns=12,
            bytes_per_channel=512,
            warm_up="warmup_s, one day unless set",
            source="Page 1954",
        ),
        DetectorEntry(
            name="robust",
            title="Far from where it mostly is",
            title_zh="远离常态",
            parameters_at="robust:RobustParameters",
            bank_at="robust:RobustBank",
            learned=True,
            kinds=(),
            cost_ns=13,
            bytes_per_channel=1512,
            warm_up="warmup_s, one day unless set",
            source="Hampel 1974; Davies and Gather 1993, The identification of multiple outliers",
        ),
        DetectorEntry(
            name="level_shift",
            title="Moved to another level",
            title_zh="移到另一水平",
            parameters_at="level_shift:LevelShiftParameters",
            bank_at="level_shift:LevelShiftBank",
            learned=True,
            kinds=(),
            cost_ns=10,
            bytes_per_channel=752,
            warm_up="warmup_s, one day unless set; half of it and fifty fifths of a window, if that is more",
            source="Eichinger and Kirch 2018, A MOSUM procedure; Page 1954",
        ),
        DetectorEntry(
            name="variance",
            title="Restless, or gone still",
            title_zh="起伏异常或归于平静",
            parameters_at="variance:VarianceParameters",
            bank_at="variance:VarianceBank",
            learned=True,
            kinds=(),
            cost_ns=10,
            bytes_per_channel=688,
            warm_up="warmup_s, one day unless set; half of it and fifty eighths of a window, if that is more",
            source="Bartlett and Kendall 1946, log variances; Inclan and Tiao 1994, changes of variance",
        ),
        DetectorEntry(
            name="slope",
            title="Rises or falls unlike usual",
            title_zh="升降趋势异常",
            parameters_at="slope:SlopeParameters",
            bank_at="slope:SlopeBank",
            learned=True,
            kinds=(),
            cost_ns=9,
            bytes_per_channel=712,
            warm_up="warmup_s, one day unless set; half of it and fifty eighths of a window, if that is more",
            source="Theil 1950; Sen 1968, Estimates of the regression coefficient based on Kendall's tau",
        ),
        DetectorEntry(
            name="time_of_day",
            title="Unlike this hour of the day",
            title_zh="与该时段规律不符",
            parameters_at="time_of_day:TimeOfDayParameters",
            bank_at="time_of_day:TimeOfDayBank",
            learned=True,
            kinds=(),
            cost_ns=10,
            bytes_per_channel=1128,
            warm_up="warmup_s, three days unless set",
            source="Holt 1957, Winters 1960, seasonal smoothing; surprise: Hosking and Wallis 1987",
        ),
        DetectorEntry(
            name="season",
            title="Unlike such a day at this hour",
            title_zh="与同类日子该时段规律不符",
            parameters_at="season:SeasonParameters",
            bank_at="season:SeasonBank",
            learned=True,
            kinds=(),
            cost_ns=19,
            bytes_per_channel=2344,
            warm_up="warmup_s, seven days unless set",
            source="Winters 1960; Hyndman, Koehler, Ord and Snyder 2008, damped trend in state-space form",
        ),
        DetectorEntry(
            name="half_space_trees",
            title="Rarely seen values and changes",
            title_zh="少见的数值与变化",
            parameters_at="half_space_trees:HalfSpaceTreesParameters",
            bank_at="half_space_trees:HalfSpaceTreesBank",
            learned=True,
            kinds=(),
            cost_ns=550,
            bytes_per_channel=31520,
            warm_up="a window of readings, then warmup_s, one day unless set",
            source="Tan, Ting and Liu 2011, Fast anomaly detection for streaming data",
        ),
        DetectorEntry(
            name="discord",
            title="A course not seen before",
            title_zh="未曾出现的走势",
            parameters_at="discord:DiscordParameters",
            bank_at="discord:DiscordBank",
            learned=True,
            kinds=(),
            cost_ns=1100,
            bytes_per_channel=54216,
            warm_up="four lengths of readings, then warmup_s, one day unless set",
            source="Yeh et al. 2016, Matrix profile; Lu et al. 2022, DAMP",
        ),
        DetectorEntry(
            name="nearest",
            title="Unlike the moments remembered",
            title_zh="与记住的时刻均不相似",
            parameters_at="nearest:NearestParameters",
            bank_at="nearest:NearestBank",
            learned=True,
            kinds=(),
            cost_ns=660,
            bytes_per_channel=25200,
            warm_up="about 350 readings, then warmup_s, one day unless set",
            source="Burnaev and Ishimtsev 2016, conformalised nearest neighbours; Laxhammar and Falkman 2014",
        ),
        DetectorEntry(
            name="river",
            title="One of river's detectors",
            title_zh="river 库的检测器",
            parameters_at="river.parameters:RiverParameters",
            bank_at="river.bank:RiverBank",
            learned=True,
            kinds=(),
            cost_ns=12000,
            bytes_per_channel=1211058,
            warm_up="a tenth of warmup_s, a window of points, then warmup_s, one day unless set",
            source="Montiel et al. 2021, River: machine learning for streaming data in Python",
            needs="river",
        ),
        DetectorEntry(
            name="room",
            title="Unlike the room's other readings",
            title_zh="与同室其他读数不一致",
            parameters_at="room:RoomParameters",
            bank_at="room:RoomBank",
            learned=True,
            kinds=("temperature", "humidity", "co2", "smoke", "co", "gas", "pressure", "light", "voc"),
            cost_ns=350,
            bytes_per_channel=584,
            warm_up="warmup_s, one day unless set",
            source="Mahalanobis 1936; MacGregor and Kourti 1995, multivariate process control",
            fewest=2,
            most=8,
        ),
    )
}


def _class_at(place: str) -> type:
    module, name = place.split(":")
    return cast(type, getattr(importlib.import_module(f"models.detectors.{module}"), name))


def entry_of(name: str) -> DetectorEntry:
    """The detector called `name`; ParameterError suggests near names."""
    if name in DETECTORS:
        return DETECTORS[name]
    near = difflib.get_close_matches(name, DETECTORS, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(DETECTORS)}"
    raise ParameterError(f"unknown detector {name!r} ({hint})")


def check_channels(entry: DetectorEntry, traits: Sequence[Trait]) -> None:
    """ParameterError when the detector lacks a channel it needs, or is given one on which it cannot work.

    A kind that nobody wrote down may be anything, so only a measured quantity is refused.
    """
    here = ", ".join(trait.name or trait.kind or "a channel" for trait in traits) or "none"
    if len(traits) < entry.fewest:
        needed = f"needs at least {entry.fewest} channels of one device or room"
        raise ParameterError(f"{entry.name}: {needed}, {len(traits)} given: {here}")
    if entry.most and len(traits) > entry.most:
        raise ParameterError(
            f"{entry.name}: judges at most {entry.most} channels together, {len(traits)} given: {here}"
        )
    for trait in traits:
        if not entry.works_on(trait.kind):
            suits = ", ".join(entry.kinds)
            raise ParameterError(
                f"{entry.name}: channel {trait.name or here} is of kind {trait.kind}; it works on {suits}"
            )


def make_bank(
    name: str,
    parameters: Mapping[str, Any],
    channels: Sequence[int],
    traits: Sequence[Trait] | None = None,
) -> Bank:
    """A fresh bank of the named detector.

    ParameterError when a parameter is unknown or out of range, or when it cannot work on these channels.

    >>> make_bank("limit", {"high": 60}, [1, 2]).channels
    (1, 2)
    """
    entry = entry_of(name)
    check_channels(entry, traits if traits is not None else [Trait(name=str(one)) for one in channels])
    bank: Bank = entry.bank(parse(entry.parameters, name, parameters), channels, traits)
    return bank
