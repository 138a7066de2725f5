"""The hazard benchmark: which detectors find which hazards how soon, and what they cry wolf at.

    python tests/bench/bench_hazards.py [--set frozen|held-out|trial] [--detectors default,limits,ewma]
        [--hazards gas_leak,...] [--seeds N] [--jobs 2] [--cache DIR] [--out FILE]

Prints a table and, for whole sets, writes docs/results/hazards.json (`frozen`) or hazards-held-out.json.
Detectors are tuned on `frozen` (or on `trial`, which is nobody's); `held-out` is looked at once, at the end.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from fixed_limits import FACTORS
from hazard_detectors import detector_sets, limits_at
from hazard_runs import SETS, RunStore, judge_seed

from firmware_sim.benchmark.run import HAZARD_NAMES, make_run
from models.evaluation import Tally, add_tallies, lead_over, ratio_interval, wilson

Row = dict[str, Any]
Runs = Mapping[tuple[str, str], Sequence[Tally]]  # (detector, hazard) -> a tally for each seed, in order
RESULTS = Path(__file__).parents[2] / "docs" / "results"
EVERY = "all"
REFERENCE = limits_at(1.0)
SWEEP = [limits_at(factor) for factor in FACTORS]


def rows() -> list[Row]:
    """For `make bench`: what making a run costs. The benchmark itself takes minutes: a command of its own."""
    make_run("gas_leak", 1)
    seconds = []
    for seed in range(3):
        began = time.process_time()
        make_run("gas_leak", seed)
        seconds.append(time.process_time() - began)
    cost = round(sorted(seconds)[1], 3)
    name = "hazard benchmark: make a run, 14 days of 33 channels at 30 s"
    return [{"name": name, "value": cost, "unit": "s", "goal": "<= 1", "ok": cost <= 1.0}]


def run_all(
    seeds: Sequence[int], hazards: Sequence[str], detectors: Sequence[str], jobs: int, cache: Path | None
) -> Runs:
    """Tallies of all runs, made by `jobs` processes, a seed at a time."""
    work = functools.partial(_one_seed, hazards=tuple(hazards), detectors=tuple(detectors), cache=cache)
    by_seed: dict[int, dict[tuple[str, str], Tally]] = {}
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(work, seed): seed for seed in seeds}
        for done in as_completed(waiting):
            by_seed[waiting[done]] = done.result()
            print(f"\r{len(by_seed)}/{len(seeds)} seeds", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    keys = [(detector, hazard) for detector in detectors for hazard in hazards]
    return {key: [by_seed[seed][key] for seed in seeds] for key in keys}


def _one_seed(
    seed: int, hazards: Sequence[str], detectors: Sequence[str], cache: Path | None
) -> dict[tuple[str, str], Tally]:
    known = detector_sets()
    return judge_seed(seed, hazards, [known[name] for name in detectors], RunStore(cache))


def result_rows(runs: Runs, hazards: Sequence[str], detectors: Iterable[str]) -> list[Row]:
    """A row for each detector and hazard, and one for all hazards together."""
    groups = {hazard: [hazard] for hazard in hazards} | {EVERY: list(hazards)}
    return [_row(detector, name, of, runs) for detector in detectors for name, of in groups.items()]


def _row(detector: str, name: str, hazards: Sequence[str], runs: Runs) -> Row:
    tallies = _together(runs, detector, hazards)
    whole = add_tallies(tallies)
    lead = lead_over(add_tallies(_together(runs, REFERENCE, hazards)), whole)
    return {
        "detector": detector,
        "hazard": name,
        "runs": len(tallies),
        "recall": _rounded(whole.recall),
        "recall_95": [_rounded(end) for end in wilson(whole.detected, whole.events)],
        "false_alarm_ratio": _rounded(whole.false_alarm_ratio),
        "false_alarm_ratio_95": [_rounded(end) for end in ratio_interval(tallies) or ()],
        "false_per_run": _rounded(whole.false / len(tallies)),
        "false_by": dict(sorted(whole.false_by.items())),
        "median_delay_s": _rounded(whole.median_delay_s, 0),
        "median_lead_s": _rounded(lead.median_s, 0),
        "ours_alone": lead.ours_alone,
        "limits_alone": lead.reference_alone,
        "limits_at_equal_recall": _equal_recall(runs, hazards, whole.recall),
    }


def _together(runs: Runs, detector: str, hazards: Sequence[str]) -> list[Tally]:
    return [one for hazard in hazards for one in runs[detector, hazard]]


def _equal_recall(runs: Runs, hazards: Sequence[str], recall: float | None) -> Row | None:
    """The quietest fixed limits that find as many events; none when no factor does."""
    found: list[Row] = []
    for factor in FACTORS:
        if (limits_at(factor), hazards[0]) not in runs:
            continue
        limits = add_tallies(_together(runs, limits_at(factor), hazards))
        if recall is not None and limits.recall is not None and limits.recall >= recall:
            ratio = _rounded(limits.false_alarm_ratio)
            row = {"factor": factor, "recall": _rounded(limits.recall), "false_alarm_ratio": ratio}
            found.append(row)
    return min(found, key=lambda row: (row["false_alarm_ratio"] or 0.0, -row["factor"]), default=None)


def _rounded(value: float | None, digits: int = 3) -> float | str | None:
    """A number for JSON, which has no infinity: an endless lead is `endless`."""
    if value is None:
        return None
    if math.isinf(value):
        return "endless" if value > 0 else "-endless"
    return round(value, digits)


def table_of(given: Sequence[Row]) -> str:
    """The rows as aligned text."""
    head = "detector hazard runs recall [95 %] FAR [95 %] false/run delay lead alone FAR(limits) false by"
    lines = [head.replace("[95 %]", "95%").replace("false by", "false_by").split()]
    lines += [_cells(row) for row in given]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(row: Row) -> list[str]:
    equal = row["limits_at_equal_recall"]
    return [
        row["detector"],
        row["hazard"],
        str(row["runs"]),
        _shown(row["recall"]),
        "-".join(_shown(end) for end in row["recall_95"]),
        _shown(row["false_alarm_ratio"]),
        "-".join(_shown(end) for end in row["false_alarm_ratio_95"]),
        _shown(row["false_per_run"]),
        _minutes(row["median_delay_s"]),
        _minutes(row["median_lead_s"]),
        f"+{row['ours_alone']}/-{row['limits_alone']}",
        "-" if equal is None else f"{_shown(equal['false_alarm_ratio'])} (x{equal['factor']:g})",
        ", ".join(f"{what} {count}" for what, count in row["false_by"].items()),
    ]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _minutes(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or "-"
    return f"{value / 60.0:.1f} min"


def write(file: Path, fresh: Sequence[Row]) -> None:
    """Put rows into a result file in place of those of the same detectors."""
    named = {row["detector"] for row in fresh}
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    kept = [row for row in before if row["detector"] not in named]
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) for row in [*kept, *fresh]]
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--set", choices=SETS, default="frozen")
    known = list(detector_sets())
    usual = [name for name in known if name == REFERENCE or name not in SWEEP]
    parser.add_argument("--detectors", default=",".join(usual), help=f"of {', '.join(known)}")
    parser.add_argument("--hazards", default=",".join(HAZARD_NAMES))
    parser.add_argument("--seeds", type=int, default=50, help="only the first so many; fewer write no file")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-sweep", action="store_true", help="do not run limits under other factors")
    parser.add_argument("--cache", type=Path, help="keep runs here: 7 MB a run, 4 GB a set")
    parser.add_argument("--out", type=Path, help="result file (default: docs/results/hazards*.json)")
    asked = parser.parse_args(given)
    asked.detectors, asked.hazards = asked.detectors.split(","), asked.hazards.split(",")
    for what, names, all_of in (
        ("detector", asked.detectors, known),
        ("hazard", asked.hazards, HAZARD_NAMES),
    ):
        if unknown := [name for name in names if name not in all_of]:
            parser.error(f"no {what} {', '.join(unknown)}; known: {', '.join(all_of)}")
    return asked


def main(given: Sequence[str] | None = None) -> int:
    asked = _arguments(given)
    sweep = [] if asked.no_sweep else SWEEP
    detectors = list(dict.fromkeys([*asked.detectors, REFERENCE, *sweep]))
    seeds = list(SETS[asked.set])[: asked.seeds]
    began = time.monotonic()
    runs = run_all(seeds, asked.hazards, detectors, asked.jobs, asked.cache)
    shown = result_rows(runs, asked.hazards, asked.detectors)
    swept = [row for name in sweep for row in result_rows(runs, asked.hazards, [name])]
    print(table_of([*shown, *(row for row in swept if row["hazard"] == EVERY)]))
    print(f"{len(seeds)} seeds, {time.monotonic() - began:.0f} s", file=sys.stderr)
    is_whole = len(seeds) == 50 and len(asked.hazards) == len(HAZARD_NAMES) and asked.set != "trial"
    file = asked.out or (RESULTS / f"hazards{'' if asked.set == 'frozen' else '-held-out'}.json")
    if is_whole or asked.out:
        others = [row for row in swept if row["detector"] not in asked.detectors]
        write(file, [*shown, *others])
    return 0


if __name__ == "__main__":
    sys.exit(main())
