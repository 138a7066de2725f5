"""Draws each detector on a recording, for docs/detectors.md.

    python tests/bench/draw_detectors.py [NAME...]

Each recording is one on which the detector shows what it is for; known events are those somebody else
labelled. The thresholds are fixed ones, chosen for the picture; what detectors are worth is measured in
docs/nab.md and docs/calibration.md, not here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from picture import Drawn, picture
from recorded import Recorded, all_recorded

from models.configuration import MonitorConfig, TriggerConfig
from models.detectors.registry import DETECTORS
from models.readings import ReadingBlock
from models.replay import Replay, replay
from models.wire.messages import ChannelEntry

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
_SECOND = 1_000_000_000
_CALM_BEFORE = 750  # rows a recording begins with, which are not calm because a detector begins there

_MACHINE = "realKnownCause/machine_temperature_system_failure.csv"
_ROOM = "realKnownCause/ambient_temperature_system_failure.csv"
_TAXI = "realKnownCause/nyc_taxi.csv"
_LATENCY = "realKnownCause/ec2_request_latency_system_failure.csv"
_SERVERS = "realKnownCause/cpu_utilization_asg_misconfiguration.csv"
_SERVER = "realAWSCloudwatch/ec2_cpu_utilization_825cc2.csv"
_LOAD = "realAWSCloudwatch/ec2_cpu_utilization_5f5533.csv"
_DATABASE = "realAWSCloudwatch/rds_cpu_utilization_e47b3b.csv"
_MENTIONS = "realTweets/Twitter_volume_CRM.csv"
_SILENT_MENTIONS = "realTweets/Twitter_volume_IBM.csv"
_MOTE = "singlehop 4 temperature"
_OFFICE = "datatraining"
_LIGHT = "datatest2 light"
TITLES = {
    _MACHINE: "Temperature inside a large machine",
    _ROOM: "Room temperature, °F",
    _TAXI: "Taxi passengers in New York, per half hour",
    _LATENCY: "Latency of a server's answers",
    _SERVERS: "Load of a group of servers, %",
    _SERVER: "Load of a server, %",
    _LOAD: "Load of a server, %",
    _DATABASE: "Load of a database server, %",
    _MENTIONS: "Mentions of a company, per 5 min",
    _SILENT_MENTIONS: "Mentions of a company, per 5 min",
    _MOTE: "Temperature beside a kettle, °C",
    f"{_OFFICE} temperature": "Temperature of an office, °C (with its humidity and CO2)",
    _LIGHT: "Whether there is light in an office",
    "PM10": "PM10 in Beijing, µg/m³",
    "PM2.5": "PM2.5 in Beijing, µg/m³",
}


class Case(NamedTuple):
    """Which recordings judged together, what the detector is told, where it fires, which days are shown."""

    recordings: tuple[str, ...]
    parameters: dict[str, Any]
    on: float = 5.0
    shown: tuple[str, str] = ("", "")


_HOLIDAYS = ("2014-07-04", "2014-09-01", "2014-11-27", "2014-12-25", "2015-01-01")
CASES = {
    "default": Case((_LOAD,), {}),
    "limit": Case((_MACHINE,), {"low": 60.0, "high": 102.0}),
    "dwell": Case((_MACHINE,), {"low": 70.0, "for_s": 7200.0}),
    "rate": Case((_MACHINE,), {"fall_per_s": 0.003, "window_s": 1800.0}),
    "flat_line": Case(("PM10",), {"for_s": 21600.0}, shown=("2013-03-16", "2013-03-21")),
    "absence": Case((_ROOM,), {"after_s": 20_000.0}),
    "state_duration": Case((_LIGHT,), {"state": 1.0, "tolerance": 0.5, "longest_s": 28_800.0}),
    "usual_duration": Case(("PM2.5",), {"active_above": 75.0}, shown=("2013-03-01", "2014-03-01")),
    "fault": Case(("PM10",), {}, shown=("2013-03-01", "2013-04-01")),
    "quiet": Case((_SILENT_MENTIONS,), {}),
    "counts": Case((_MENTIONS,), {"counting": "each", "utc_offset_s": -18000}),
    "ewma": Case((_MOTE,), {"warmup_s": 3600.0}),
    "cusum": Case((_LOAD,), {}),
    "robust": Case((_LATENCY,), {}),
    "level_shift": Case((_DATABASE,), {}),
    "variance": Case((_SERVERS,), {}, 4.0),
    "slope": Case((_MACHINE,), {}),
    "time_of_day": Case((_TAXI,), {}, 4.0, ("2014-12-20", "2015-02-01")),
    "season": Case((_TAXI,), {"holidays": _HOLIDAYS}, shown=("2014-10-25", "2014-12-05")),
    "half_space_trees": Case((_LOAD,), {}, 4.0),
    "discord": Case((_SERVER,), {}),
    "nearest": Case((_LATENCY,), {}),
    "room": Case((f"{_OFFICE} temperature", f"{_OFFICE} humidity", f"{_OFFICE} co2"), {}),
    "river": Case((_MACHINE,), {"model": "LODA"}),
}


def run(name: str, case: Case, series: list[Recorded]) -> Replay:
    """The detector over the recordings, the first of them as channel 0."""
    kinds = [one.name.rsplit(" ", 1)[-1] if one.group.startswith("office") else "" for one in series]
    table = {
        number: ChannelEntry(number=number, name=f"c{number}", kind="" if kind == "light" else kind)
        for number, kind in enumerate(kinds)
    }
    config = MonitorConfig(
        name="drawn",
        detector=name,
        parameters=case.parameters,
        channels=tuple(entry.name for entry in table.values()),
        hazard="drawn",
        trigger=TriggerConfig(on=case.on),
    )
    channel = np.repeat(np.arange(len(series), dtype=np.int32), [len(one.value) for one in series])
    time = np.concatenate([one.time_s for one in series]) * _SECOND
    value = np.concatenate([one.value for one in series])
    order = np.argsort(time, kind="stable")
    return replay(
        config, table, [ReadingBlock.of(channel[order], time[order], value[order])], gateway="drawn"
    )


def drawn(case: Case, first: Recorded, made: Replay) -> Drawn:
    """What is drawn of channel 0, of the days that are shown."""
    begin, end = _span_shown(case, first)
    own = np.concatenate([block.channel for block in made.readings]) == 0
    rows = (first.time_s >= begin) & (first.time_s < end)
    table = made.scores.table[:, own][:, rows]
    firing = [one for one in _firing(made) if one[1] > begin and one[0] < end]
    score_time, score = _with_alerts(first.time_s[rows], table[0], firing)
    told = ", ".join(f"{name} {_shown(value)}" for name, value in case.parameters.items())
    return Drawn(
        title=TITLES[first.name],
        told=told or "nothing set",
        time=first.time_s[rows],
        value=first.value[rows],
        lower=table[2],
        upper=table[3],
        score_time=score_time,
        score=score,
        on=case.on,
        alerts=[span[:2] for span in firing],
        events=[one for one in _events(first) if one[1] > begin and one[0] < end],
    )


def _firing(made: Replay) -> list[tuple[float, float, float]]:
    """When each alert of channel 0 fired and resolved, s, and its score."""
    ends = {one.id: one.resolved_at for one in made.alerts if one.resolved_at is not None}
    return [
        (one.fired_at / _SECOND, ends.get(one.id, int(made.time[-1])) / _SECOND, one.score)
        for one in made.alerts
        if one.resolved_at is None and one.channel == "c0"
    ]


def _with_alerts(
    time: np.ndarray, score: np.ndarray, firing: list[tuple[float, float, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of rows, and those of alerts without a row: in silence they last until something is heard."""
    silent = [one for one in firing if not ((time >= one[0]) & (time < one[1])).any()]
    more = [(at, height) for begin, end, height in silent for at in (begin, end - 1)]
    times = np.concatenate([time, np.array([at for at, _ in more])])
    scores = np.concatenate([score, np.array([height for _, height in more])])
    order = np.argsort(times, kind="stable")
    return times[order], scores[order]


def _events(one: Recorded) -> list[tuple[float, float]]:
    """Spans that somebody labelled."""
    rows = np.flatnonzero(~one.calm)
    rows = rows[rows >= min(int(0.15 * len(one.value)), _CALM_BEFORE)]
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return [(float(one.time_s[run[0]]), float(one.time_s[run[-1]])) for run in runs if len(run)]


def _span_shown(case: Case, first: Recorded) -> tuple[float, float]:
    """From when to when is drawn, s."""
    if not case.shown[0]:
        return float(first.time_s[0]), float(first.time_s[-1]) + 1.0
    return float(_seconds(case.shown[0])), float(_seconds(case.shown[1]))


def _seconds(day: str) -> int:
    return int(np.datetime64(day, "s").astype(np.int64))


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]} and {len(value) - 1} more"
    return f"{value:g}" if isinstance(value, float) else str(value)


def main(names: list[str]) -> None:
    recorded = {one.name: one for one in all_recorded()}
    PICTURES.mkdir(exist_ok=True)
    for name in names or DETECTORS:
        case = CASES[name]
        series = [recorded[one] for one in case.recordings]
        made = run(name, case, series)
        (PICTURES / f"{name}.svg").write_text(picture(drawn(case, series[0], made)), encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
