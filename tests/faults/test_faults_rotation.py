"""Keys are renewed, whatever happens in the middle, and a gateway comes back from a long absence."""

from __future__ import annotations

import random

import pytest
from fault_renewals import Enrolled, enrolled_gateway, was_killed
from fault_results import record

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs("mosquitto"),
    pytest.mark.row("B7"),
    pytest.mark.timeout(400),
]


def kill_at(parts: Enrolled, steps: list[int]) -> tuple[int, list[int]]:
    """Renew once for each step, killed there; how many were killed, and after which none worked."""
    killed, broken = 0, []
    for step in steps:
        code, said = parts.renew(at=step)
        assert was_killed(code) or code == 0, said
        killed += was_killed(code)
        if not parts.works():
            broken.append(step)
    return killed, broken


def test_renewal_killed_at_any_step_leaves_one_working_identity(tmp_path) -> None:
    with enrolled_gateway(tmp_path) as parts:
        before = parts.gateway.key.read_bytes()
        code, said = parts.renew()
        assert code == 0, said
        count = int(said.split()[0])
        assert parts.works()
        assert parts.gateway.key.read_bytes() != before
        steps = [1 + number * (count - 1) // 7 for number in range(8)]
        killed, broken = kill_at(parts, steps)
        assert (killed >= 7, broken) == (True, [])
        assert parts.renew()[0] == 0
        assert parts.works()


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_fifty_renewals_killed_in_the_middle_leave_one_working_identity(tmp_path) -> None:
    with enrolled_gateway(tmp_path) as parts:
        count = int(parts.renew()[1].split()[0])
        steps = list(range(1, count + 1))
        draw = random.Random(7)
        steps += [draw.randint(1, count) for _ in range(max(0, 50 - count))]
        killed, broken = kill_at(parts, steps)
        is_well = parts.renew()[0] == 0 and parts.works()
    ok = killed >= 50 and not broken and is_well
    record(
        "B7", "renewal killed at every step", runs=killed, figure=len(broken), unit="without an identity",
        target="0 of 50", ok=ok, command="pytest -m soak tests/faults/test_faults_rotation.py",
        note=f"{count} steps that touch files or the network, each at least once",
    )  # fmt: skip
    assert ok, (killed, broken, is_well)


def test_gateway_away_for_a_hundred_days_renews_by_its_old_key(tmp_path) -> None:
    with enrolled_gateway(tmp_path) as parts:
        parts.was_away(100)
        assert not parts.works()
        code, said = parts.renew()
        assert code == 0, said
        assert parts.works()


def test_gateway_away_for_too_long_comes_back_by_a_new_code_with_its_outbox(tmp_path) -> None:
    with enrolled_gateway(tmp_path) as parts:
        kept = parts.gateway.root / "outbox.db"
        kept.write_bytes(b"what was not sent")
        parts.was_away(parts.settings.enrolment.grace_days + 1)
        code, said = parts.renew()
        assert code == 1
        assert "enrol this gateway again with a new code" in said
        assert not parts.works()
        assert parts.enrol() == 0
        assert parts.works()
        assert kept.read_bytes() == b"what was not sent"
