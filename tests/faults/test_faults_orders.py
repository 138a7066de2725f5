"""From `lastmile-cloud gateway command` to a gateway and back, all of it real."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from fault_renewals import Enrolled, enrolled_gateway
from real_parts import Process, make_state, run_cloud, start_ingest, wait_until
from sqlalchemy import Engine, select

from cloud.fleet.orders import send_command
from cloud.fleet.tables import Certificate, CommandRow, Gateway, GatewayFlag
from cloud.keys.signing import load_signing_key
from cloud.people.tables import Audit
from cloud.storage.engine import open_main, reading, transaction
from models.clock import SystemClock

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto"), pytest.mark.timeout(400)]
NAMES = ["send_status", "renew_certificate", "restart_agent", "run_action_test"]


def rows(engine: Engine, table: Any, **wanted: Any) -> list[Any]:
    with reading(engine) as session:
        return list(session.scalars(select(table).filter_by(**wanted)))


def order(parts: Enrolled, engine: Engine, name: str, **parameters: str) -> Any:
    """Order the gateway, and wait for its answer: the row."""
    with transaction(engine) as session:
        sent = send_command(
            session,
            gateway_id="gw-a",
            name=name,
            parameters=parameters,
            signing_key=load_signing_key(parts.settings.keys),
            actor="test",
            reason="a look",
            now=SystemClock().wall_ns(),
            life_s=3600.0,
        )

    def answered() -> Any:
        [row] = rows(engine, CommandRow, id=sent.id)
        return row if row.state != "sent" else None

    return wait_until(answered, f"the answer to {name}")


@pytest.mark.row("B7")
def test_orders_are_obeyed_and_answered_and_a_renewal_is_in_use_at_once(tmp_path) -> None:
    with enrolled_gateway(tmp_path) as parts, start_ingest(parts.settings.state):
        engine = open_main(parts.settings)
        toml = parts.gateway.settings
        toml.write_text(toml.read_text().split("# This machine's own health")[0])
        words = [sys.executable, "-m", "edge_agent.cli", "run", "--state", parts.gateway.root]
        with Process(words, tmp_path / "agent.log"):
            # Queued before the gateway was ever there: the broker kept nothing, the cloud sends it again.
            status = order(parts, engine, "send_status").result["output"]
            assert status["gateway"] == "gw-a"
            serial = order(parts, engine, "renew_certificate").result["output"]["serial"]
            assert serial != status["identity"]["serial"]
            wait_until(lambda: rows(engine, Gateway, certificate_serial=serial), "the new one in use")
            assert {row.serial for row in rows(engine, Certificate)} == {status["identity"]["serial"], serial}
            assert order(parts, engine, "restart_agent").state == "done"
            refused = order(parts, engine, "run_action_test", action="siren")
            assert (refused.state, refused.result["reason"]) == ("refused", "parameters")
        assert rows(engine, GatewayFlag, cleared_at=None) == []
        assert [row.after["name"] for row in rows(engine, Audit, action="gateway.command")] == NAMES
        engine.dispose()


def test_order_is_queued_by_the_command_line_and_an_unknown_one_is_refused(tmp_path) -> None:
    state = make_state(tmp_path / "cloud").state
    words = [
        "gateway",
        "command",
        "gw-a",
        "run_action_test",
        "--argument",
        "action=siren",
        "--reason",
        "a look",
    ]
    said = json.loads(run_cloud(state, *words, "--json"))
    [row] = json.loads(run_cloud(state, "gateway", "commands", "gw-a", "--json"))
    assert (row["id"], row["parameters"], row["state"]) == (said["id"], {"action": "siren"}, "sent")
    unknown = run_cloud(state, "gateway", "command", "gw-a", "format_disk", "--reason", "x", code=1)
    assert "is no command" in unknown
