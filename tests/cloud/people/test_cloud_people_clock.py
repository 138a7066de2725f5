"""The server's own clock: stepped while it runs, and gone back while it was off; deadlines stay as long."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cloud_people_street import START_NS, Street
from fault_results import record

from cloud.dispatch.tables import Deadline
from cloud.settings import Settings
from cloud.storage.engine import open_main
from models.clock import SECOND_NS, VirtualClock

LOOK_S = 1.0
MINUTE = 60


@pytest.fixture
def make_street(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Callable[[], Street]]:
    """As many streets as a story needs, each with databases and a clock of its own."""
    engines = []

    def make() -> Street:
        folder = tmp_path_factory.mktemp("street")
        shutil.copy(built / "lastmile.db", folder / "lastmile.db")
        settings = Settings(state=folder)
        engines.append(open_main(settings))
        return Street(settings, engines[-1], VirtualClock(START_NS))

    yield make
    for engine in engines:
        engine.dispose()


def fired_at(street: Street, steps: dict[int, float], minutes: int) -> list[int]:
    """Elapsed seconds at which clocks ran out, with steps of the wall clock (second -> by how much)."""
    street.take(street.alert())
    scheduler, found = street.scheduler(), []
    for second in range(minutes * MINUTE):
        street.clock.sleep(LOOK_S)
        if second in steps:
            street.clock.step(steps[second])
        if second == 7 * MINUTE:
            street.take(street.alert(hazard="water"))
        found += [second] * scheduler.look()
    return found


def twenty_steps(seed: int, seconds: int) -> dict[int, float]:
    chance = np.random.default_rng(seed)
    at = chance.choice(seconds, 20, replace=False).tolist()
    return dict(zip(at, chance.permutation([3600.0] * 10 + [-3600.0] * 10).tolist(), strict=True))


@pytest.mark.row("A14")
def test_twenty_steps_escalate_nothing_early_or_late(make_street: Callable[[], Street]) -> None:
    quiet = fired_at(make_street(), {}, 23)
    stepped = fired_at(make_street(), twenty_steps(1, 23 * MINUTE), 23)
    assert len(quiet) == len(stepped) >= 2
    assert max(abs(a - b) for a, b in zip(quiet, stepped, strict=True)) <= 1


@pytest.mark.row("A14")
@pytest.mark.parametrize("back_s", [3600.0, 56 * 365 * 86400.0])
def test_clock_that_went_back_while_the_server_was_off_is_followed_and_its_mending_too(
    street: Street, back_s: float
) -> None:
    """A dead battery: the machine comes back in the past, and later something sets its clock."""
    scheduler = street.scheduler()
    street.take(street.alert())
    street.after(scheduler, 5)
    street.clock.reboot("b2" * 16)
    street.clock.step(-back_s)
    fresh = street.scheduler()
    assert fresh.look() == 0
    assert street.after(fresh, 4) == 0
    street.clock.step(back_s + 120)  # two minutes it was off; they do not count
    assert fresh.look() == 0
    assert street.after(fresh, 5.5) == 0
    assert street.after(fresh, 1.0) == 1


def test_long_time_off_is_no_step(street: Street) -> None:
    scheduler = street.scheduler()
    street.take(street.alert())
    street.after(scheduler, 5)
    street.clock.reboot("b2" * 16)
    street.clock.step(3600)
    assert street.scheduler().look() == 1, "what ran out while the server was off is due at once"
    assert all(one.due_at > street.now - 3600 * SECOND_NS for one in street.all(Deadline))


@pytest.mark.soak
@pytest.mark.row("A14")
@pytest.mark.timeout(0)
def test_steps_of_the_servers_clock_over_seeds(make_street: Callable[[], Street]) -> None:
    quiet, runs = fired_at(make_street(), {}, 40), 5
    worst, wrong = 0, 0
    for seed in range(runs):
        stepped = fired_at(make_street(), twenty_steps(seed, 40 * MINUTE), 40)
        wrong += abs(len(quiet) - len(stepped))
        off = [abs(a - b) for a, b in zip(quiet, stepped, strict=False)]
        worst, wrong = max(worst, *off), wrong + sum(one > 1 for one in off)
    record(
        "A14", "test_steps_of_the_servers_clock_over_seeds", runs=runs,
        figure={"early_or_late": wrong, "worst_s": float(worst), "escalations": len(quiet) * runs}, unit="s",
        target="20 steps of +-1 h on the server: 0 early or late escalations (> 1 s)", ok=not wrong,
        command="pytest -m soak tests/cloud/people/test_cloud_people_clock.py",
    )  # fmt: skip
    assert not wrong
