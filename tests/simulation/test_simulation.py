"""Seeded worlds of gateway, network, broker and cloud: nothing is lost and nothing twice."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import pytest
from fault_results import record
from planted_bugs import BUGS, PlantedBug
from run import RESULTS, SEEDS
from simulated_story import Stage, stage

pytestmark = [pytest.mark.row("A27"), pytest.mark.timeout(600)]
CHUNK, LONG_RUN = 50, 10_000
COMMAND = "python -m pytest -m soak tests/simulation --timeout 0"


@pytest.fixture(scope="module")
def scene() -> Iterator[Stage]:
    logging.disable(logging.CRITICAL)
    try:
        with stage() as made:
            yield made
    finally:
        logging.disable(logging.NOTSET)


def story_of(scene: Stage, seed: int) -> str:
    """What a failing seed says, how to see it again, and the end of its trace."""
    again = scene.play(seed, keep_trace=True)
    told = "\n".join([*again.violations, *again.trace[-60:]])
    return f"seed {seed}; again with: python tests/simulation/run.py --seed {seed} --trace\n{told}"


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_invariants_hold_whatever_strikes(scene: Stage, first: int) -> None:
    for seed in range(first, first + CHUNK):
        assert scene.play(seed).holds, story_of(scene, seed)


def test_a_seed_tells_the_same_story_twice(scene: Stage) -> None:
    for seed in (3, 29, 104):
        once = scene.play(seed, keep_trace=True)
        assert len(once.trace) > 20
        assert scene.play(seed, keep_trace=True).trace == once.trace


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_planted_bug_is_found(scene: Stage, bug: PlantedBug) -> None:
    with bug.planted():
        assert any(not scene.play(seed).holds for seed in likely_seeds(bug)), bug.mistake


def likely_seeds(bug: PlantedBug) -> list[int]:
    """The seeds that found it when the table was written, then all others."""
    lines = json.loads(RESULTS.read_text())
    first = [found["seed"] for line in lines if line["bug"] == bug.name for found in line["found_by"]]
    return [*first, *(seed for seed in range(1, SEEDS + 1) if seed not in first)]


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_invariants_hold_in_ten_thousand_worlds(scene: Stage) -> None:
    began, failed, readings = time.monotonic(), [], 0
    for seed in range(1, LONG_RUN + 1):
        outcome = scene.play(seed)
        readings += outcome.readings
        if not outcome.holds:
            failed.append(seed)
    figure = {
        "failed": len(failed), "readings": readings, "seeds_per_s": LONG_RUN / (time.monotonic() - began)
    }  # fmt: skip
    record(
        "A27", "invariants_hold_in_ten_thousand_worlds", runs=LONG_RUN, unit="seeds; readings",
        figure={name: round(value, 1) for name, value in figure.items()},
        target="500 seeds per commit -> no loss, no double, one alert an event; a failing seed is a test",
        ok=not failed, command=COMMAND,
    )  # fmt: skip
    assert not failed, story_of(scene, failed[0])
