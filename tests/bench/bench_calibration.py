"""Does a surprise of 3 come once in a thousand readings, and is the alarm budget kept?

`python tests/bench/bench_calibration.py` runs the default over all recordings there are (see recorded.py) and
writes docs/calibration.md and docs/results/calibration.json.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from recorded import Recorded, all_recorded

from models.configuration import TriggerConfig
from models.detectors.bank import Scores
from models.detectors.registry import make_bank
from models.readings import ReadingBlock
from models.trigger import Trigger

ROOT = Path(__file__).parents[2]
BUDGETS = (3.0, 1.0, 0.3, 0.1)
LEVELS = (2.0, 3.0)
ENOUGH = 20  # onsets or readings expected, to tell
_SECOND, _WEEK = 1_000_000_000, 604_800


def scored(one: Recorded) -> tuple[ReadingBlock, Scores]:
    block = ReadingBlock.of(np.zeros(len(one.value), np.int32), one.time_s * _SECOND, one.value)
    return block, make_bank("default", {}, [0]).score(block)


def onsets(one: Recorded, block: ReadingBlock, scores: Scores, wished: float) -> tuple[int, float]:
    """Onsets in the judged part, the labelled events left in, and its weeks."""
    trigger = Trigger(TriggerConfig(on=1.0, budget_per_week=wished), 1)
    moved = trigger.step(block, scores, np.zeros(1, np.int32), 0, 0)
    begin = int(np.argmax(one.calm))
    steps = np.diff(one.time_s[begin:])
    weeks = float(np.clip(steps, 0, 8 * np.median(steps)).sum()) / _WEEK
    return sum(move.fired and move.at >= block.time[begin] for move in moved), weeks


def main() -> None:
    seen: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    channels = []
    for one in all_recorded():
        if one.name.endswith(" light"):  # on or off: not for this detector
            continue
        block, scores = scored(one)
        group, calm = seen[one.group], scores.score[one.calm]
        group["channels"] += 1
        group["readings"] += len(calm)
        for level in LEVELS:
            group[f"at {level:g}"] += float(np.count_nonzero(calm >= level))
        if len(calm) * 10 ** -LEVELS[-1] >= ENOUGH:
            ratio = np.count_nonzero(calm >= LEVELS[-1]) / (len(calm) * 10 ** -LEVELS[-1])
            channels.append({"group": one.group, "channel": one.name, "readings": len(calm), "ratio": ratio})
        for wished in BUDGETS:
            found, weeks = onsets(one, block, scores, wished)
            group[f"onsets {wished:g}"] += found
            group["weeks"] += weeks / len(BUDGETS)
    result = {"groups": seen, "channels": channels}
    (ROOT / "docs" / "results" / "calibration.json").write_text(json.dumps(result, indent=1) + "\n")
    (ROOT / "docs" / "calibration.md").write_text(page(seen, channels))
    print(page(seen, channels))


def page(seen: dict[str, dict[str, float]], channels: list[dict[str, float]]) -> str:
    """The page in Markdown."""
    head = """# Calibration

Made by `python tests/bench/bench_calibration.py`: the detector `default` over every recording there is, in
one causal pass, nothing set. Labelled events are left out of the first two tables and kept in the last.

## A surprise of 3 comes once in a thousand readings

Channels with enough readings to tell (20 expected): how often 3 came, over how often it should.

| channel | readings | ratio |
|---|---|---|
"""
    rows = [f"| {c['channel']} ({c['group']}) | {c['readings']:,} | {c['ratio']:.2f} |" for c in channels]
    by_level = [
        f"| {group} | {one['channels']:.0f} | {one['readings']:,.0f} | "
        + " | ".join(f"{one[f'at {level:g}'] / (one['readings'] * 10**-level):.2f}" for level in LEVELS)
        + " |"
        for group, one in seen.items()
    ]
    middle = """

All recordings by group; the short ones (an office for days, motes for hours) have too few readings a channel
to tell, and much of what they hold had never happened before.

| group | channels | readings | at 2 | at 3 |
|---|---|---|---|---|
"""
    tail = (
        """

## The alarm budget

Onsets counted over onsets wished, after the first rows of a file, labelled events included. A dash: fewer
than 20 wished.

| group | weeks | """
        + " | ".join(f"{wished:g} a week" for wished in BUDGETS)
        + " |\n|---|---|"
        + "---|" * len(BUDGETS)
        + "\n"
    )
    budget = [
        f"| {group} | {one['weeks']:,.0f} | " + " | ".join(_kept(one, wished) for wished in BUDGETS) + " |"
        for group, one in [*seen.items(), ("all", _pooled(seen))]
    ]
    return head + "\n".join(rows) + middle + "\n".join(by_level) + tail + "\n".join(budget) + "\n"


def _pooled(seen: dict[str, dict[str, float]]) -> dict[str, float]:
    return {key: sum(one[key] for one in seen.values()) for key in next(iter(seen.values()))}


def _kept(one: dict[str, float], wished: float) -> str:
    expected = wished * one["weeks"]
    found = one[f"onsets {wished:g}"]
    return "-" if expected < ENOUGH else f"{found / expected:.2f} ({found:.0f})"


if __name__ == "__main__":
    main()
