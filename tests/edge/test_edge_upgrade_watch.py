"""The health window in virtual time: looks a second apart, and what is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.trial.verdict import Bounds, Verdict
from edge_agent.upgrade.signs import Signs
from edge_agent.upgrade.watch import Watch, Window
from models.clock import EARLIEST_NS, SECOND_NS

BOUNDS = Bounds(trial_s=60, crashes=2, onsets=10, cpu_percent=80, memory_mb=256)
WINDOW = Window(BOUNDS, start_s=100, stale_s=30)
NEW = "0.2.0"


def status(second: int, *, version: str = NEW, pid: int = 7, up_s: float | None = None, **more: Any) -> Signs:
    """As an agent writes it `second` s after the switch, all well."""
    now = EARLIEST_NS + second * SECOND_NS
    told: dict[str, Any] = {
        "code_version": version,
        "phase": "running",
        "pid": pid,
        "up_s": float(second) if up_s is None else up_s,
        "written_at": now,
        "cpu_s": second * 0.05,
        "memory_mb": 150.0,
        "firing": [],
        "devices": [
            {"name": "boiler", "is_up": True, "is_polled": True, "period_s": 1.0, "last_reading_at": now}
        ],
        "judge": {"judged_readings": second, "onsets": 0, "failed_monitors": [], "behind_bytes": 0},
        "uplink": {"is_connected": True, "last_receipt_at": now},
    }
    return Signs({**told, **more})


def watched(*, crashes: int = 0) -> Watch:
    before = status(1000, version="0.1.0", pid=6)
    assert before.has_receipts
    return Watch(
        WINDOW,
        NEW,
        before.before(),
        wants_receipt=before.has_receipts,
        since_at=EARLIEST_NS,
        since_ns=0,
        crashes=crashes,
    )


def story(watch: Watch, look: Any, seconds: int = 400) -> tuple[int, Verdict | None]:
    """When there was a verdict, and which. `look(second)` gives signs, and perhaps the processes seen."""
    for second in range(1, seconds):
        seen = look(second)
        signs, pids = seen if isinstance(seen, tuple) else (seen, [])
        verdict = watch.look(signs, pids, second * SECOND_NS)
        if verdict is not None:
            return second, verdict
    return seconds, None


def reason(look: Any) -> str:
    _, verdict = story(watched(), look)
    assert verdict is not None
    return "good" if verdict.is_good else verdict.reason


def test_release_that_is_like_the_one_before_is_confirmed_at_the_end_of_its_window():
    second, verdict = story(watched(), status)
    assert (second, verdict) == (61, Verdict(True))


def test_release_that_never_tells_of_itself_is_left():
    assert story(watched(), lambda second: None)[0] == 101
    assert reason(lambda second: None) == "start"
    assert reason(lambda second: status(second, version="0.1.0", pid=6)) == "start"


def test_release_that_ends_before_it_tells_of_itself_is_left_at_its_second_end():
    second, verdict = story(watched(), lambda second: (None, [100 + second // 5]))
    assert (second, verdict.reason) == (10, "crash")


def test_release_that_ends_by_itself_is_left_at_its_second_end():
    assert reason(lambda second: status(second, pid=7 + second // 20, up_s=second % 20)) == "crash"


def test_one_end_by_itself_is_forgiven_but_the_window_begins_anew():
    look = lambda second: status(second, pid=7 + (second > 30), up_s=second - 31 * (second > 30))  # noqa: E731
    second, verdict = story(watched(), look)
    assert verdict == Verdict(True)
    assert second == 91


def test_ends_before_a_power_cut_count_too():
    look = lambda second: status(second, pid=7 + (second > 30), up_s=second - 31 * (second > 30))  # noqa: E731
    _, verdict = story(watched(crashes=1), look)
    assert verdict.reason == "crash"


def test_release_that_hangs_is_left():
    second, verdict = story(watched(), lambda second: status(min(second, 20)))
    assert (second, verdict.reason) == (51, "silence")


def test_polled_device_that_answered_and_does_not_is_a_reason():
    def look(second: int) -> Signs:
        signs = status(second)
        signs.told["devices"][0]["last_reading_at"] = EARLIEST_NS
        return signs

    assert reason(look) == "silence"


def test_receipts_are_waited_for_twice_as_long_and_missed_then():
    def look(second: int, comes: int = 10_000) -> Signs:
        there = second >= comes
        at = EARLIEST_NS + second * SECOND_NS if there else 0
        return status(second, uplink={"is_connected": there, "last_receipt_at": at})

    second, verdict = story(watched(), look)
    assert (second, verdict.reason) == (121, "receipts")
    assert story(watched(), lambda second: look(second, comes=90)) == (90, Verdict(True))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"memory_mb": 500.0}, "memory"),
        ({"judge": {"judged_readings": 9, "onsets": 50}}, "flood"),
        ({"judge": {"judged_readings": 9, "failed_monitors": ["hot"]}}, "crash"),
        ({"judge": {"judged_readings": 0}}, "judged"),
    ],
)
def test_release_that_is_worse_is_left(more, why):
    assert reason(lambda second: status(second, **more)) == why


def test_release_that_eats_the_processor_is_left():
    assert reason(lambda second: status(second, cpu_s=second * 0.95)) == "cpu"


def test_keys_that_a_newer_release_has_left_out_are_not_judged_by():
    bare = {"code_version": NEW, "phase": "running", "pid": 7}
    looks = lambda second: Signs({**bare, "up_s": float(second), "judge": {"judged_readings": 5},  # noqa: E731
                                  "uplink": {"last_receipt_at": EARLIEST_NS + SECOND_NS}})  # fmt: skip
    assert reason(looks) == "good"
