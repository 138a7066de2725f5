"""Charts, raw readings, bands and ledgers over real stored telemetry."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest
from cloud_people_browser import Browser
from cloud_people_street import Street

from cloud.fleet.channels import take_table
from cloud.fleet.tables import Channel, Gateway
from cloud.incidents.tables import EvidenceRow
from cloud.ingest.tables import LedgerRecord, Quarantine, UrgentIdentity
from cloud.series.store import Arrival
from cloud.storage.engine import transaction
from models.alert import Alert, AlertState, Evidence
from models.clock import SECOND_NS
from models.configuration import MonitorConfig
from models.monitor import Monitor
from models.readings import Quality, ReadingBlock
from models.wire.columns import encode_columns
from models.wire.messages import ChannelEntry, ChannelTable

NAME = "boiler/temperature"
PER_MESSAGE = 50


def store_hour(street: Street, browser: Browser) -> tuple[int, np.ndarray, np.ndarray]:
    """An hour of one reading a second, one of them NaN, in messages of 50; channel id, times, values."""
    entry = ChannelEntry(number=3, name=NAME, device="boiler", kind="temperature", unit="Cel", resolution=0.1)
    with transaction(street.engine) as session:
        take_table(session, session.get_one(Gateway, "gw-1"), 1, ChannelTable(channels=(entry,)))
        channel = session.query(Channel).filter_by(name=NAME).one().id
    times = street.now - np.arange(3600, 0, -1, dtype=np.int64) * SECOND_NS
    values = np.round(20 + np.sin(np.arange(3600) / 100), 1)
    values[100] = math.nan
    quality = np.zeros(3600, np.uint8)
    quality[100] = Quality.INVALID
    arrivals = []
    for number, start in enumerate(range(0, 3600, PER_MESSAGE)):
        rows = slice(start, start + PER_MESSAGE)
        block = ReadingBlock.of(np.full(PER_MESSAGE, 3), times[rows], values[rows], quality[rows])
        body = encode_columns(block, np.full(PER_MESSAGE, 0.1))
        arrivals.append(
            Arrival(
                gateway_id="gw-1",
                epoch=1,
                sequence=number + 1 + (number >= 10),  # number 11 never came
                digest=bytes(16),
                received_at=street.now,
                body=body,
                min_time=int(times[rows].min()),
                max_time=int(times[rows].max()),
                readings=PER_MESSAGE,
            )
        )
    browser.app.state.web.store.put(arrivals)
    return channel, times, values


def test_raw_readings_come_whole_page_by_page(street: Street, browser: Browser) -> None:
    _, times, values = store_hour(street, browser)
    machine = browser.with_token("operator", "street")
    found_times: list[int] = []
    found_values: list[float | None] = []
    after = None
    while True:
        query = {"after": after} if after else {}
        page = machine.get("/series/raw", gateway="gw-1", channel=NAME, limit=700, **query).json()
        assert len(page["times_ns"]) <= 700
        found_times += page["times_ns"]
        found_values += page["values"]
        after = page["next"]
        if after is None:
            break
    assert found_times == times.tolist()
    assert found_values[100] is None
    expected = [None if math.isnan(value) else value for value in values.tolist()]
    assert found_values == expected


def test_chart_is_as_long_as_asked_and_keeps_peaks(street: Street, browser: Browser) -> None:
    channel, times, values = store_hour(street, browser)
    browser.sign_in("wang")
    span = {"start": str(int(times[0])), "end": str(street.now)}
    chart = browser.get("/series", channel=channel, points=60, **span).json()
    assert 50 <= len(chart["times"]) <= 60
    assert max(one for one in chart["maximum"] if one is not None) == np.nanmax(values)
    assert chart["unit"] == "Cel"
    assert all(len(chart[name]) == len(chart["times"]) for name in ("values", "minimum", "quality"))
    default = browser.get("/series", channel=channel).json()
    assert len(default["times"]) > 0


def test_series_without_readings_is_empty(street: Street, browser: Browser) -> None:
    browser.sign_in("wang")
    channel = next(row for row in street.all(Channel) if row.gateway_id == "gw-1")
    chart = browser.get("/series", channel=channel.id, start="2026-01-01T00:00:00Z", end="2026-01-02").json()
    assert (chart["times"], chart["values"]) == ([], [])
    raw = browser.with_token("admin", "*").get("/series/raw", gateway="gw-1", channel="ceiling/smoke").json()
    assert raw == {"times_ns": [], "values": [], "quality": [], "next": None}


def raise_alert(street: Street) -> Alert:
    """An alert of a real monitor over real readings, with its evidence in the store."""
    config = MonitorConfig(
        name="smoke", detector="limit", parameters={"high": 60.0}, channels=("ceiling/smoke",), hazard="fire"
    )
    entry = ChannelEntry(number=1, name="ceiling/smoke", unit="dB/m")
    monitor = Monitor(config, {1: entry}, gateway="gw-1")
    snapshot = monitor.snapshot()
    times = street.now - np.arange(30, 0, -1, dtype=np.int64) * SECOND_NS
    window = ReadingBlock.of(np.ones(30), times, np.where(np.arange(30) < 25, 20.0, 80.0))
    (alert,) = monitor.observe(window)
    evidence = Evidence(
        alert=alert.id,
        monitor="smoke",
        configuration=config.model_dump(mode="json"),
        channels={1: "ceiling/smoke"},
        window=base64.b64encode(encode_columns(window, np.zeros(30))).decode(),
        snapshot=base64.b64encode(snapshot).decode(),
        start_at=int(times[0]),
        end_at=int(times[-1]),
    )
    street.take(alert)
    with transaction(street.engine) as session:
        body = evidence.model_dump(mode="json")
        session.add(EvidenceRow(alert_id=alert.id, site_id="street", received_at=street.now, body=body))
    return alert


def test_band_is_the_same_detector_over_the_same_readings(street: Street, browser: Browser) -> None:
    alert = raise_alert(street)
    assert alert.state is AlertState.FIRING
    browser.sign_in("duty")
    full = browser.get(f"/alerts/{alert.id}").json()
    assert full["has_evidence"]
    assert Alert.model_validate(full["alert"]) == alert
    evidence = Evidence.model_validate(browser.get(f"/alerts/{alert.id}/evidence").json())
    assert evidence.alert == alert.id
    band = browser.get(f"/alerts/{alert.id}/band").json()
    assert len(band["times"]) == len(band["score"]) == len(band["upper"]) == 30
    assert band["score"] == [0.0] * 25 + [10.0] * 5
    assert band["values"][-1] == 80.0


def test_evidence_of_another_site_is_not_shown(street: Street, browser: Browser) -> None:
    alert = street.alert()
    street.take(alert)
    with transaction(street.engine) as session:
        session.add(EvidenceRow(alert_id=alert.id, site_id="harbour", received_at=street.now, body={}))
    browser.sign_in("duty")
    assert browser.get(f"/alerts/{alert.id}/evidence").status_code == 404


def test_ledger_tells_what_is_missing_and_set_aside(street: Street, browser: Browser) -> None:
    store_hour(street, browser)
    with transaction(street.engine) as session:
        for number, quarantined in ((1, False), (2, True), (5, False)):
            session.add(
                UrgentIdentity(
                    gateway_id="gw-1",
                    epoch=1,
                    sequence=number,
                    digest=bytes(16),
                    received_at=street.now,
                    quarantined=quarantined,
                )
            )
        session.add(
            LedgerRecord(
                site_id="street", gateway_id="gw-1", kind="outage", from_at=1, to_at=2, record={"reason": "x"}
            )
        )
    ledger = browser.with_token("engineer", "street").get("/ledger", gateway="gw-1").json()
    urgent, bulk = ledger["streams"]
    assert (urgent["highest"], urgent["stored"], urgent["missing"], urgent["quarantined"]) == (5, 3, 2, 1)
    assert (bulk["highest"], bulk["stored"], bulk["missing"], bulk["duplicates"]) == (73, 72, 1, 0)
    assert bulk["outages"] == 1
    assert browser.with_token("admin", "*").get("/summary").json()["readings"] == 3600


@pytest.mark.parametrize(("who", "seen"), [("operator", ["bad"]), ("admin", ["bad", "nameless"])])
def test_quarantine_shows_ones_own_site_and_the_nameless_to_all_sites(
    street: Street, browser: Browser, who: str, seen: list[str]
) -> None:
    with transaction(street.engine) as session:
        for site, code in (("street", "bad"), ("harbour", "theirs"), (None, "nameless")):
            session.add(
                Quarantine(
                    site_id=site,
                    gateway_id=None,
                    topic="lm/1/x/up/bulk",
                    epoch=None,
                    stream=None,
                    sequence=None,
                    code=code,
                    detail="",
                    payload=b"1234",
                    payload_hash=code,
                    received_at=street.now,
                )
            )
    items = browser.with_token(who, "*" if who == "admin" else "street").items("/quarantine")
    assert [item["code"] for item in items if item["code"] != "theirs"] == sorted(seen, reverse=True)
    assert {item["bytes"] for item in items} == {4}
