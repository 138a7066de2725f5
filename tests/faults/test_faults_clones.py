"""A card is copied: two real agents with one identity, one after the other and against each other."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest
from fault_renewals import Enrolled, enrolled_gateway
from fault_results import record
from real_parts import Process, start_ingest, wait_until
from sqlalchemy import Engine, select

from cloud.fleet.tables import GatewayFlag
from cloud.people.tables import Audit
from cloud.series.tables import BulkIdentity
from cloud.storage.engine import open_main, open_series, reading

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs("mosquitto"),
    pytest.mark.row("A23"),
    pytest.mark.timeout(300),
]
CEILING_S = 5 * 60.0
DEVICES = """
[[devices]]
name = "me"
driver = "health"
period_s = 0.2
[[devices.channels]]
name = "me/uptime"
kind = "duration"
unit = "s"
source = "uptime_s"
"""


def clone_and_run(parts: Enrolled, folder: Path) -> tuple[float, int, int]:
    """Copy a running gateway's folder and run both; seconds until flagged, rows changed, rows before."""
    main, series = open_main(parts.settings), open_series(parts.settings)
    toml = parts.gateway.settings
    toml.write_text(toml.read_text().split("# This machine's own health")[0] + DEVICES)
    with start_ingest(parts.settings.state):
        with run(parts.gateway.root, folder / "first.log"):
            wait_until(lambda: len(rows(series)) >= 3, "telemetry of the first")
            # As a card is copied: while the program is there, whatever is half written.
            time.sleep(0.5)
        copy = folder / "copy"
        shutil.copytree(parts.gateway.root, copy)
        with run(parts.gateway.root, folder / "first.log"):
            before = rows(series)
            wait_until(lambda: len(rows(series)) > len(before) + 1, "telemetry again")
            assert not flagged(main)
            before = rows(series)
            began = time.monotonic()
            with run(copy, folder / "second.log"):
                wait_until(lambda: flagged(main), "the flag", CEILING_S)
                flagged_s = time.monotonic() - began
        after = rows(series)
    with reading(main) as session:
        audited = session.scalars(select(Audit).filter_by(action="gateway.flagged")).all()
        assert [row.after["flag"] for row in audited] == ["clone"]
    changed = sum(after.get(identity) != digest for identity, digest in before.items())
    main.dispose()
    series.dispose()
    return flagged_s, changed, len(before)


def run(state: Path, log: Path) -> Process:
    return Process([sys.executable, "-m", "edge_agent.cli", "run", "--state", state], log)


def rows(series: Engine) -> dict[tuple[int, int], bytes]:
    """Digest of every telemetry message that is stored."""
    wanted = select(BulkIdentity.epoch, BulkIdentity.sequence, BulkIdentity.digest)
    with reading(series) as session:
        return {(epoch, sequence): bytes(digest) for epoch, sequence, digest in session.execute(wanted)}


def flagged(main: Engine) -> bool:
    up = select(GatewayFlag).filter_by(gateway_id="gw-a", code="clone", cleared_at=None)
    with reading(main) as session:
        return session.scalar(up) is not None


def test_copy_of_a_gateway_is_flagged_and_overwrites_nothing(tmp_path) -> None:
    with enrolled_gateway(tmp_path) as parts:
        flagged_s, changed, before = clone_and_run(parts, tmp_path)
    assert (changed, before > 3) == (0, True)
    assert flagged_s < CEILING_S


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_ten_copies_of_gateways_are_flagged_within_a_minute(tmp_path) -> None:
    figures = []
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        with enrolled_gateway(folder) as parts:
            figures.append(clone_and_run(parts, folder))
    slowest, changed = max(figure[0] for figure in figures), sum(figure[1] for figure in figures)
    ok = slowest <= 60 and changed == 0
    record(
        "A23", "copied state folder", runs=len(figures), figure=round(slowest, 1),
        unit="s from the copy's start to the flag, slowest",
        target="<= 60 s, 0 rows overwritten", ok=ok,
        command="pytest -m soak tests/faults/test_faults_clones.py",
        note=f"{changed} of {sum(figure[2] for figure in figures)} rows changed",
    )  # fmt: skip
    assert ok, figures
