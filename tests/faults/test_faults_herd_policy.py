"""A12, the rule itself: a thousand sessions on a virtual clock, with no rig's own pace in between.

The thousand real uplinks of `test_faults_herd.py` share two cores, which makes the first second after a short
outage theirs; here each session has all the time of the world.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from pathlib import Path

import pytest
from fault_results import record

from edge_agent.mqtt_connection import Connected, Disconnected
from edge_agent.outbox.outbox import Outbox
from edge_agent.uplink.actions import Connect
from edge_agent.uplink.session import Manners, Session
from models.clock import SECOND_NS

pytestmark = pytest.mark.row("A12")
GATEWAYS, CONNECTS_A_SECOND, BACK_S = 1000, 50, 180.0
OUTAGES_S = (0.0, 10.0, 60.0, 150.0, 600.0)
_STABLE_S = 100.0
_RECEIVE_MAXIMUM = 100
COMMAND = "python -m pytest -m soak tests/faults/test_faults_herd_policy.py --timeout 0"


def come_back(folder: Path, outage_s: float, seed: int) -> tuple[int, float]:
    """The most CONNECTs in one second once the broker is there again, and s until the last is back."""
    draw = random.Random(seed).random
    outbox = Outbox(folder / f"{seed}.db", "gw", max_mb=4, new_epoch=lambda: 1, now=lambda: 0)
    herd = [Session("gw", outbox, Manners(), draw) for _ in range(GATEWAYS)]
    lost = round(_STABLE_S * SECOND_NS)
    there = lost + round(outage_s * SECOND_NS)
    waiting: list[tuple[int, int]] = []
    for number, session in enumerate(herd):
        session.step(None, 1)
        session.step(Connected(session.generation, False, _RECEIVE_MAXIMUM), 2)
        session.step(Disconnected(session.generation, "the broker is gone"), lost)
        heapq.heappush(waiting, (session.due_ns, number))
    back: list[int] = []
    while waiting:
        now, number = heapq.heappop(waiting)
        session = herd[number]
        connects = any(isinstance(action, Connect) for action in session.step(None, now))
        if connects and now >= there:
            back.append(now)
            continue
        if connects:
            session.step(Disconnected(session.generation, "refused"), now)
        heapq.heappush(waiting, (session.due_ns, number))
    outbox.close()
    assert len(back) == GATEWAYS
    return max(Counter(at // SECOND_NS for at in back).values()), (max(back) - there) / SECOND_NS


@pytest.mark.parametrize("outage_s", OUTAGES_S)
def test_a_thousand_sessions_come_back_spread_over_time(tmp_path: Path, outage_s: float) -> None:
    most, last_s = come_back(tmp_path, outage_s, 1)
    assert most <= CONNECTS_A_SECOND
    assert last_s < BACK_S


@pytest.mark.soak
def test_thousands_of_sessions_come_back_over_seeds(tmp_path: Path) -> None:
    seen = [come_back(tmp_path, outage_s, seed) for outage_s in OUTAGES_S for seed in range(1, 41)]
    most, back_s = max(most for most, _ in seen), max(last_s for _, last_s in seen)
    record(
        "A12", "thousands_of_sessions_come_back_over_seeds", runs=len(seen), unit="CONNECT/s; s",
        figure={"most_a_second": most, "back_s": round(back_s, 1)}, command=COMMAND,
        target="1000 gateways -> back < 3 min, <= 50 CONNECT/s",
        ok=most <= CONNECTS_A_SECOND and back_s < BACK_S,
        note="sessions on a virtual clock; outages of 0, 10, 60, 150 and 600 s, 40 seeds each",
    )  # fmt: skip
    assert most <= CONNECTS_A_SECOND
    assert back_s < BACK_S
