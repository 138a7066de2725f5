"""Evidence and what came after it: kept once, whichever comes first, and only of one's own alerts."""

from __future__ import annotations

import base64
import itertools

import numpy as np
import pytest
from cloud_data_street import T0, Store, alert, block, urgent

from cloud.fleet.channels import take_table
from cloud.fleet.registry import Registry
from cloud.fleet.tables import Channel, Gateway
from cloud.incidents.tables import EvidenceRow
from cloud.ingest.inspection import inspect
from cloud.ingest.tables import Quarantine
from cloud.ingest.urgent import Fate, take_urgent
from cloud.storage.engine import transaction
from models.alert import Aftermath, Evidence
from models.clock import VirtualClock
from models.identity import Stream, alert_id
from models.wire.columns import encode_columns
from models.wire.envelope import Kind
from models.wire.messages import ChannelEntry, ChannelTable

ALERT = alert_id("gw-a", "smoke", "0" * 32, 1)
WINDOW = base64.b64encode(encode_columns(block(1), np.array([0.1]))).decode()
EVIDENCE = Evidence(
    alert=ALERT, monitor="smoke", configuration={}, channels={0: "stove/temperature"}, window=WINDOW,
    snapshot="", start_at=T0, end_at=T0 + 1,
)  # fmt: skip
AFTER = Aftermath(alert=ALERT, windows=(WINDOW,), start_at=T0 + 2, end_at=T0 + 3)


class Intake:
    """Takes urgent messages of gateways, numbered as they come."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._where = Registry(store.main, VirtualClock(T0)).where
        self._numbers = itertools.count(1)

    def take(self, kind: Kind, body: Evidence | Aftermath, gateway: str = "gw-a") -> Fate:
        return self.raw(urgent(gateway, next(self._numbers), kind, body.model_dump_json().encode()), gateway)

    def raw(self, raw: bytes, gateway: str = "gw-a") -> Fate:
        topic = f"lm/1/{gateway}/up/urgent"
        found = inspect(topic, raw, Stream.URGENT, self._where)
        return take_urgent(self._store.main, topic, raw, found, T0)


@pytest.mark.parametrize("order", list(itertools.permutations(("evidence", "after", "after"))))
def test_evidence_and_aftermath_meet_in_one_row_in_any_order(store: Store, order):
    intake = Intake(store)
    for what in order:
        kind, body = (Kind.EVIDENCE, EVIDENCE) if what == "evidence" else (Kind.AFTERMATH, AFTER)
        assert intake.take(kind, body) is Fate.STORED
    [row] = store.all(EvidenceRow)
    assert Evidence.model_validate(row.body) == EVIDENCE
    assert row.body["after"] == {"windows": [WINDOW], "start_at": T0 + 2, "end_at": T0 + 3}
    assert store.count(Quarantine) == 0


def test_evidence_of_anothers_alert_is_quarantined(store: Store):
    intake = Intake(store)
    assert intake.raw(alert("gw-a", 900)) is Fate.STORED
    for kind, body in ((Kind.EVIDENCE, EVIDENCE), (Kind.AFTERMATH, AFTER)):
        assert intake.take(kind, body, gateway="gw-b") is Fate.QUARANTINED
    assert {row.code for row in store.all(Quarantine)} == {"foreign"}
    assert store.count(EvidenceRow) == 0


def test_widest_error_of_thinning_is_remembered(store: Store):
    for error in (0.0, 0.5, 0.2, 0.0):
        entry = ChannelEntry(number=3, name="stove/flow", thinned_within=error)
        with transaction(store.main) as session:
            take_table(session, session.get_one(Gateway, "gw-a"), 1, ChannelTable(channels=(entry,)))
    [channel] = [row for row in store.all(Channel) if row.name == "stove/flow"]
    assert channel.thinned_within == 0.5
