"""The fault benchmark: twelve faults of equipment, told apart from hazards by what a site has by default.

    python tests/bench/bench_faults.py [--seeds 4001-4020] [--faults spike,...] [--jobs 2] [--no-recordings]
        [--out FILE] [--list]

Prints a table and, for the seeds reported and all faults, writes docs/results/fault_recognition.json and the
tables of docs/faults.md. What is tuned is tuned on other seeds. Takes some ten minutes.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

# The folder `models` of the tests must not stand before the package of that name.
sys.path += [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
from fault_heard import Quiet
from fault_house import house_outcomes
from fault_recorded import recorded_outcomes
from fault_results import record
from fault_runs import Outcome
from fault_series import DRIFT, FAULT_TYPES, STUCK, FaultType
from recorded import folder_of_recordings

Row = dict[str, Any]
REPORTED = range(4001, 4021)
ROOT = Path(__file__).parents[2] / "docs"
RESULTS, PAGE = ROOT / "results" / "fault_recognition.json", ROOT / "faults.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
PERIODS = 3.0  # to recognise what tells itself by its values
RESTS = 3.0  # longest calm runs to recognise what stands still
UNTIMED = ("loose contact", "silent", DRIFT)  # no aim: the delay is told
HEAD = (
    *("fault", "runs", "told", "right word", "in time", "periods, median", "95 %", "one alert"),
    *("no hazard alert", "scores back", "answers within 5 %"),
)


def rows() -> list[Row]:
    """For `make bench`: one household. The benchmark itself takes minutes: a command of its own."""
    timed = [fault.name for fault in FAULT_TYPES if fault.name not in UNTIMED]
    outcomes, _ = house_outcomes(5001, timed)
    share = round(sum(map(in_time, outcomes)) / len(outcomes), 3)
    name = f"fault benchmark: told in time, {len(outcomes)} faults of one household"
    return [{"name": name, "value": share, "unit": "share", "goal": ">= 0.95", "ok": share >= 0.95}]


def in_time(outcome: Outcome) -> bool:
    """Whether the first alert came within three periods, or three of the longest calm run."""
    if outcome.fault == STUCK:
        return outcome.periods + 1.0 <= RESTS * outcome.longest + 0.5  # clocks jitter
    return outcome.periods <= PERIODS


def row_of(fault: FaultType, outcomes: Sequence[Outcome]) -> Row:
    """One fault's line of the table; shares 0..1."""
    periods = np.array([one.periods for one in outcomes])
    back = [one for outcome in outcomes for one in outcome.back]
    median, late = (float(np.quantile(periods, q, method="higher")) for q in (0.5, 0.95))
    return {
        "fault": fault.name,
        "runs": len(outcomes),
        "told": _share(math.isfinite(one.periods) for one in outcomes),
        "right": _share(one.code in fault.codes for one in outcomes),
        "in_time": None if fault.name in UNTIMED else _share(in_time(one) for one in outcomes),
        "periods_median": _finite(median),
        "periods_95": _finite(late),
        "one_alert": _share(one.maintenance == 1 for one in outcomes),
        "no_hazard": _share(not one.hazards for one in outcomes),
        "hazard_monitors": dict(Counter(name for one in outcomes for name in one.hazards)),
        "back": _share(one.is_back for one in back),
        "answers": _share(one.answers for one in back),
        "mean_apart": round(float(np.mean([one.mean for one in back])), 4) if back else None,
    }


def _share(claims: Iterable[bool]) -> float | None:
    held = list(claims)
    return round(sum(held) / len(held), 3) if held else None


def _finite(periods: float) -> float | None:
    return round(periods, 1) if math.isfinite(periods) else None


def table_of(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for row in rows:
        shares = [_shown(row[key]) for key in ("told", "right", "in_time")]
        periods = [_periods(row[key]) for key in ("periods_median", "periods_95")]
        last = [_shown(row[key]) for key in ("one_alert", "no_hazard", "back", "answers")]
        lines.append("| " + " | ".join([row["fault"], str(row["runs"]), *shares, *periods, *last]) + " |")
    return "\n".join(lines)


def _shown(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:.0f} %"


def _periods(value: float | None) -> str:
    return "never" if value is None else f"{value:,.1f}"


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """A line for each fault there is an outcome of."""
    return [
        row_of(fault, own)
        for fault in FAULT_TYPES
        if (own := [one for one in outcomes if one.fault == fault.name])
    ]


def calm_line(quiet: Sequence[Quiet]) -> str:
    """Maintenance alerts of days without a fault, in words."""
    days = sum(one.days for one in quiet)
    said = Counter(code for one in quiet for code in one.codes)
    told = ", ".join(f"{count} {code}" for code, count in said.most_common()) or "none"
    return f"Without a fault, in {days:,.0f} channel days: {told}."


def falls_short(outcome: Outcome) -> str:
    """What is not as it should be, in words; empty when all is."""
    found = []
    if outcome.code not in _BY_NAME[outcome.fault].codes:
        found.append(f"says {outcome.code or 'nothing'}")
    if outcome.fault not in UNTIMED and not in_time(outcome):
        found.append(f"{outcome.periods:.1f} periods (longest rest {outcome.longest:.0f})")
    if outcome.maintenance != 1:
        found.append(f"{outcome.maintenance} alerts")
    found += [f"hazard: {name}" for name in outcome.hazards]
    for one in outcome.back:
        if not one.is_back:
            found.append(f"{one.monitor}: {100.0 * one.apart:.1f} % of scores apart")
        if not one.answers:
            found.append(f"{one.monitor}: answers {one.probe[0]:.1f} for {one.probe[1]:.1f}")
    where = f"{outcome.fault}: {outcome.kind} {outcome.channel} {outcome.seed or ''}".strip()
    return f"{where}: {'; '.join(found)}" if found else ""


_BY_NAME = {fault.name: fault for fault in FAULT_TYPES}


def write(
    house: Sequence[Outcome], calm: Sequence[Quiet], real: Sequence[Outcome], still: Sequence[Quiet]
) -> None:
    """The result file, and the tables of the page."""
    content = {
        "seeds": [REPORTED[0], REPORTED[-1]],
        "house": rows_of(house),
        "house_calm": calm_line(calm),
        "recordings": rows_of(real),
        "recordings_calm": calm_line(still),
        "short": [words for one in (*house, *real) if (words := falls_short(one))],
    }
    RESULTS.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    tables = "\n\n".join(
        (
            "### The house",
            table_of(rows_of(house)),
            calm_line(calm),
            "### Real recordings",
            table_of(rows_of(real)),
            calm_line(still),
        )
    )
    page = PAGE.read_text(encoding="utf-8")
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    PAGE.write_text(f"{page[:begin]}\n\n{tables}\n\n{page[end:]}", encoding="utf-8")


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", default=f"{REPORTED[0]}-{REPORTED[-1]}", help="first-last")
    parser.add_argument("--faults", default="", help=f"of {', '.join(one.name for one in FAULT_TYPES)}")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-recordings", action="store_true")
    parser.add_argument("--list", action="store_true", help="print every run that falls short")
    asked = parser.parse_args(given)
    first, last = asked.seeds.split("-")
    asked.seeds, asked.faults = range(int(first), int(last) + 1), tuple(filter(None, asked.faults.split(",")))
    return asked


def main(given: Sequence[str] | None = None) -> None:
    asked = _arguments(given)
    house: list[Outcome] = []
    calm: list[Quiet] = []
    with ProcessPoolExecutor(asked.jobs) as pool:
        work = functools.partial(house_outcomes, only=asked.faults)
        for number, (outcomes, quiet) in enumerate(pool.map(work, asked.seeds), 1):
            house += outcomes
            calm += quiet
            print(f"\r{number}/{len(asked.seeds)} seeds", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    real: list[Outcome] = []
    still: list[Quiet] = []
    if not asked.no_recordings and folder_of_recordings():
        real, still = recorded_outcomes(asked.faults)
    for outcomes, quiet in ((house, calm), (real, still)):
        print(table_of(rows_of(outcomes)), calm_line(quiet), sep="\n")
    if asked.list:
        print(*filter(None, map(falls_short, (*house, *real))), sep="\n")
    if asked.seeds == REPORTED and not asked.faults and real:
        write(house, calm, real, still)
        record_row([*house, *real])


def record_row(outcomes: Sequence[Outcome]) -> None:
    """Row A19 of docs/results/faults.json, from all runs."""
    timed = [one for one in outcomes if one.fault not in UNTIMED]
    told = [one for one in outcomes if one.maintenance]
    share = {
        "in_time": sum(map(in_time, timed)) / len(timed),
        "told": len(told) / len(outcomes),
        "one_alert_at_most": sum(one.maintenance <= 1 for one in outcomes) / len(outcomes),
        "no_hazard_alert": sum(not one.hazards for one in outcomes) / len(outcomes),
        "scores_back": float(np.mean([back.is_back for one in outcomes for back in one.back])),
    }
    record(
        "A19", "twelve faults over twenty seeds and the recordings", runs=len(outcomes), unit="share",
        figure={name: round(value, 3) for name, value in share.items()}, ok=min(share.values()) == 1.0,
        target="seen in 3 periods, stuck within 3x the longest calm run, <= 1 maintenance alert each, "
        "0 hazard alerts, score back within 5 %",
        command="python tests/bench/bench_faults.py", note="fault by fault: docs/faults.md",
    )  # fmt: skip


if __name__ == "__main__":
    main()
