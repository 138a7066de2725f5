"""The key under configurations and orders is changed, by the cloud's and the gateway's own code."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from real_parts import enrol_gateway, make_state
from sqlalchemy import select

from cloud.errors import ConflictError
from cloud.fleet import signing_change
from cloud.fleet.desired import put_desired
from cloud.fleet.orders import take_result
from cloud.fleet.tables import Downlink
from cloud.keys.signing import load_signing_key, public_signing_key
from cloud.people.tables import Audit
from cloud.storage.engine import open_main, transaction
from edge_agent.commands.commander import Commander
from edge_agent.commands.table import Means
from edge_agent.obedience import DesiredStore, fitting_key, pinned_keys, read_offer
from edge_agent.settings import parse_settings
from edge_agent.state import StateFolder, replace_file
from edge_agent.tls import Moment
from models.clock import SystemClock
from models.wire.messages import CommandResult, SignedDocument
from models.wire.signing import key_id

pytestmark = pytest.mark.row("B8")


class FarGateway:
    """What a gateway does with what was queued for it, by its own code; `asleep`: nothing reaches it."""

    def __init__(self, folder: Path, settings: Any) -> None:
        self.state = StateFolder(folder)
        self.state.make()
        replace_file(self.state.settings, b'[gateway]\nid = "gw-a"\n')
        replace_file(self.state.signing_key, base64.b64encode(public_signing_key(settings.keys)))
        self.results: list[CommandResult] = []
        self.version, self.text = 0, ""

    def hear(self, session: Any, now: int) -> None:
        """Take everything queued, and hand the answers to the cloud."""
        for row in session.scalars(select(Downlink).filter_by(sent_at=None).order_by(Downlink.id)):
            row.sent_at = now
            if row.kind == "desired":
                self._obey(row.payload, now)
            else:
                self._order(row.payload, now)
        for result in self.results:
            take_result(session, "gw-a", "street", result, now)
        self.results.clear()

    def offer(self, raw: bytes, now: int) -> str:
        """Why a document is refused; "" when it is obeyed, `same` when it is in force."""
        key = fitting_key(raw, pinned_keys(self.state))
        return read_offer(
            raw, key=key, gateway="gw-a", in_force=self.version, in_force_text=self.text, now_ns=now
        ).reason

    def _obey(self, raw: bytes, now: int) -> None:
        reason = self.offer(raw, now)
        assert reason in ("", "same"), reason
        DesiredStore(self.state).save(raw)
        self.text, self.version = SignedDocument.model_validate_json(raw).document, 1

    def _order(self, raw: bytes, now: int) -> None:
        settings = parse_settings(self.state.settings.read_text())
        means = Means(self.state, settings, SystemClock(), status=dict, renew=dict, restart=lambda: None)
        commander = Commander(
            means, "gw-a", keys=lambda: pinned_keys(self.state), now=lambda: Moment(now),
            tell=self.results.append,
        )  # fmt: skip
        commander.start()
        commander.offered(raw)
        commander.stop(10.0)


def test_gateway_follows_the_cloud_to_its_next_key_and_the_old_one_is_worth_nothing_then(tmp_path) -> None:
    settings = make_state(tmp_path / "cloud")
    enrol_gateway(settings, "gw-a")
    engine, keys, now = open_main(settings), settings.keys, SystemClock().wall_ns()
    gateway = FarGateway(tmp_path / "gateway", settings)
    said = {"actor": "cli", "reason": "yearly", "now": now}

    def desire(key: bytes) -> None:
        with transaction(engine) as session:
            put_desired(
                session, gateway_id="gw-a", document={}, signing_key=key, actor="cli", reason="r", now=now
            )

    old = load_signing_key(keys)
    desire(old)
    with transaction(engine) as session:
        gateway.hear(session, now)
        assert signing_change.begin(session, keys, **said).waiting == ["gw-a"]
    with pytest.raises(ConflictError, match="gw-a"), transaction(engine) as session:
        signing_change.switch(session, keys, **said)
    with transaction(engine) as session:
        gateway.hear(session, now)
    with transaction(engine) as session:
        assert signing_change.begin(session, keys, **said).waiting == []
        assert len(pinned_keys(gateway.state)) == 2
        signing_change.switch(session, keys, **said)
    # Told to forget before the document came under the new key: it must not lose what is in force.
    with transaction(engine) as session:
        assert signing_change.finish(session, keys, **said).waiting == ["gw-a"]
        documents = list(session.scalars(select(Downlink).filter_by(sent_at=None, kind="desired")))
        for row in documents:
            row.sent_at = 1
        gateway.hear(session, now)
        assert len(pinned_keys(gateway.state)) == 2
        for row in documents:
            row.sent_at = None
        gateway.hear(session, now)
    with transaction(engine) as session:
        assert signing_change.finish(session, keys, **said).waiting == ["gw-a"]
        gateway.hear(session, now)
    with transaction(engine) as session:
        assert signing_change.finish(session, keys, **said).waiting == []
    assert [key_id(key) for key in pinned_keys(gateway.state)] == [key_id(public_signing_key(keys))]
    in_force = DesiredStore(gateway.state).load(pinned_keys(gateway.state), "gw-a")
    assert in_force is not None and in_force.version == 1
    assert sorted(path.name for path in keys.glob("signing*")) == ["signing.key"]

    def last_desired() -> bytes:
        with transaction(engine) as session:
            newest = select(Downlink).filter_by(kind="desired").order_by(Downlink.id.desc()).limit(1)
            return session.scalars(newest).one().payload

    desire(old)
    assert gateway.offer(last_desired(), now) == "key"
    desire(load_signing_key(keys))
    assert gateway.offer(last_desired(), now) == ""
    with transaction(engine) as session:
        acts = session.scalars(select(Audit.action).where(Audit.action.like("signing_key.%"))).all()
    assert acts == ["signing_key.begun"] * 2 + ["signing_key.switched", "signing_key.finished"]
    engine.dispose()
