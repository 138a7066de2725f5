"""The organisation file, enrolment, channels, desired documents, status."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cloud_data_street import table
from real_parts import ORGANISATION, make_request
from sqlalchemy import select

from cloud.errors import ConfigurationError, ConflictError, InvalidError, NotFoundError, ThrottledError
from cloud.events.tables import Event
from cloud.fleet.apply import apply_file
from cloud.fleet.channels import ChannelDirectory, take_table
from cloud.fleet.desired import latest_desired, put_desired
from cloud.fleet.enrolment import enrol, make_code, new_code
from cloud.fleet.registry import Registry, add_gateway, find_gateway
from cloud.fleet.status import clear_flag, mark_silent, take_health, take_reported
from cloud.fleet.tables import (
    Channel,
    Downlink,
    EnrolmentCode,
    Gateway,
    GatewayFlag,
    GatewayStatus,
    GridWorker,
    Place,
)
from cloud.keys.signing import load_signing_key
from cloud.people.tables import Account, Audit, Grant
from cloud.storage.engine import reading, transaction
from models.clock import EARLIEST_NS, SECOND_NS, VirtualClock
from models.errors import BodyError
from models.wire.envelope import open_envelope
from models.wire.messages import ChannelTable, Health, Presence, Reported, ReportedState, TrialPhase

NOW = time.time_ns()
TABLES = (Place, Account, Grant, GridWorker, Gateway)


def test_organisation_applied_twice_changes_nothing(settings, store) -> None:
    before = [store.count(table) for table in TABLES]
    with transaction(store.main) as session:
        counts = apply_file(session, settings.state / "organisation.toml", NOW)
        assert counts == {"sites": 1, "people": 2, "grids": 1, "places": 1, "gateways": 2}
        assert not session.dirty
    assert [store.count(table) for table in TABLES] == before == [3, 2, 2, 1, 2]
    kitchen, floor, building = (store.all(Place, path=path)[0] for path in ("b1/f1/kitchen", "b1/f1", "b1"))
    assert (kitchen.parent_id, floor.parent_id, building.parent_id) == (floor.id, building.id, None)
    assert [row.place_id for row in store.all(Gateway, id="gw-a")] == [building.id]


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ('workers = ["wang"]', 'workers = ["wong"]', 19, "grids.0.workers"),
        ('duty_officer = "duty"', 'duty_officer = "dirty"', 5, "sites.0.duty_officer"),
        ('timezone = "Asia/Shanghai"', 'timezone = "Asia/Atlantis"', 4, "sites.0.timezone"),
        ('role = "worker"', 'role = "wizard"', 10, "people.0.roles.0.role"),
        ('grid = "grid-1"', 'grid = "grid-2"', 24, "places.0.grid"),
        ('id = "gw-b"', 'id = "cloud-urgent"', 31, "gateways.1.id"),
        ('name = "Gateway B"', 'nam = "Gateway B"', 34, "gateways.1.nam"),
        ('language = "zh"', 'language = "zh"\npassword = "short"', 10, "people.0.password"),
    ],
)
def test_organisation_that_does_not_fit_names_file_line_and_key(
    store, tmp_path: Path, old: str, new: str, line: int, key: str
) -> None:
    file = tmp_path / "organisation.toml"
    # Under another login, as a password is looked at for a new person only.
    file.write_text(ORGANISATION.replace(old, new, 1).replace('"wang"', '"li"'))
    with pytest.raises(ConfigurationError) as caught, transaction(store.main) as session:
        apply_file(session, file, NOW)
    assert caught.value.file == str(file)
    assert (caught.value.key, caught.value.line) == (key, line)


def make(store, code: str, gateway: str = "gw-a", hours: float = 1.0) -> None:
    with transaction(store.main) as session:
        make_code(session, gateway, code, NOW, hours)


@pytest.mark.row("B6")
def test_code_enrols_one_machine_once(settings, store) -> None:
    code = new_code()
    make(store, code)
    assert code not in {row.code_hash for row in store.all(EnrolmentCode)}
    _, csr = make_request("gw-a")
    typed = code.replace("-", " ").lower()
    enrolled = enrol(store.main, settings, code=typed, csr=csr, source="s", now=NOW)
    assert (enrolled.gateway, enrolled.port) == ("gw-a", settings.broker.port)
    serial = store.all(Gateway, id="gw-a")[0].certificate_serial
    assert serial and store.count(Audit, action="gateway.enrolled") == 1
    with pytest.raises(InvalidError):
        enrol(store.main, settings, code=code, csr=csr, source="s", now=NOW)
    assert store.all(Gateway, id="gw-a")[0].certificate_serial == serial


@pytest.mark.row("B6")
def test_code_that_expired_or_was_replaced_enrols_nobody(settings, store) -> None:
    old, newer = new_code(), new_code()
    make(store, old)
    make(store, newer)
    _, csr = make_request("gw-a")
    for code, now in ((old, NOW), (newer, NOW + 3601 * SECOND_NS)):
        with pytest.raises(InvalidError) as caught:
            enrol(store.main, settings, code=code, csr=csr, source="s", now=now)
        assert caught.value.code == "code"


@pytest.mark.row("B6")
def test_request_for_another_gateway_does_not_spend_the_code(settings, store) -> None:
    code = new_code()
    make(store, code)
    with pytest.raises(InvalidError) as caught:
        enrol(store.main, settings, code=code, csr=make_request("gw-b")[1], source="s", now=NOW)
    assert caught.value.code == "csr_name"
    assert enrol(store.main, settings, code=code, csr=make_request("gw-a")[1], source="s", now=NOW)


@pytest.mark.row("B6")
def test_guesses_are_throttled_by_source(settings, store) -> None:
    code = new_code()
    make(store, code)
    _, csr = make_request("gw-a")
    for _ in range(settings.enrolment.wrong_codes):
        with pytest.raises(InvalidError):
            enrol(store.main, settings, code=new_code(), csr=csr, source="guesser", now=NOW)
    with pytest.raises(ThrottledError) as caught:
        enrol(store.main, settings, code=code, csr=csr, source="guesser", now=NOW)
    assert 0 < caught.value.retry_after_s <= settings.enrolment.window_s
    later = NOW + round((settings.enrolment.window_s + 1) * SECOND_NS)
    assert enrol(store.main, settings, code=code, csr=csr, source="guesser", now=later)


def test_gateway_is_added_once_with_a_name_of_its_own(store) -> None:
    with transaction(store.main) as session:
        args = {"site_id": "street", "name": "C", "now": NOW}
        add_gateway(session, gateway_id="gw-c", place_path="b1/f1", **args)
        with pytest.raises(ConflictError):
            add_gateway(session, gateway_id="gw-c", place_path=None, **args)
        for name in ("cloud-bulk", "a/b", "", "A"):
            with pytest.raises(InvalidError):
                add_gateway(session, gateway_id=name, place_path=None, **args)
        with pytest.raises(NotFoundError):
            add_gateway(session, gateway_id="gw-d", place_path="nowhere", **args)


def test_registry_learns_of_a_new_gateway_soon(store) -> None:
    clock = VirtualClock(EARLIEST_NS)
    registry = Registry(store.main, clock)
    assert registry.where("gw-a").site_id == "street"
    assert registry.where("gw-c") is None
    with transaction(store.main) as session:
        add_gateway(session, gateway_id="gw-c", site_id="street", name="C", place_path=None, now=NOW)
    clock.sleep(1)
    assert registry.where("gw-c").site_id == "street"


def names(*pairs: tuple[int, str]) -> ChannelTable:
    return ChannelTable.model_validate(
        {"channels": [{"number": number, "name": name, "place": "b1/f1/kitchen"} for number, name in pairs]}
    )


def test_numbers_mean_one_channel_for_a_whole_epoch(store) -> None:
    with transaction(store.main) as session:
        gateway = find_gateway(session, "gw-a")
        assert take_table(session, gateway, 1, names((0, "stove/t"), (1, "stove/s"))) == 2
        assert take_table(session, gateway, 1, names((0, "stove/t"), (2, "new/t"))) == 1
        assert take_table(session, gateway, 2, names((0, "new/t"))) == 1
    with pytest.raises(BodyError) as caught, transaction(store.main) as session:
        take_table(session, find_gateway(session, "gw-a"), 1, names((5, "more/t"), (0, "other/t")))
    assert caught.value.code == "channel_conflict"
    directory = ChannelDirectory(store.main)
    ids = {row.name: row.id for row in store.all(Channel)}
    assert set(ids) == {"stove/t", "stove/s", "new/t"}
    assert directory.numbers("gw-a", 1) == {0: ids["stove/t"], 1: ids["stove/s"], 2: ids["new/t"]}
    assert set(directory.on_the_wire([ids["new/t"]])) == {
        (ids["new/t"], "gw-a", 1, 2),
        (ids["new/t"], "gw-a", 2, 0),
    }
    place = store.all(Place, path="b1/f1/kitchen")[0].id
    assert {row.place_id for row in store.all(Channel)} == {place}


def test_channel_somewhere_unknown_is_where_its_gateway_is(store) -> None:
    body = ChannelTable.model_validate_json(open_envelope(table("gw-a")).body)
    with transaction(store.main) as session:
        take_table(session, find_gateway(session, "gw-a"), 1, body)
    with reading(store.main) as session:
        building = session.scalar(select(Place.id).filter_by(path="b1"))
    assert {row.place_id for row in store.all(Channel)} == {building}


def desire(store, settings, document: dict) -> int:
    with transaction(store.main) as session:
        return put_desired(
            session,
            gateway_id="gw-a",
            document=document,
            signing_key=load_signing_key(settings.keys),
            actor="test",
            reason="because",
            now=NOW,
        )


def test_desired_versions_rise_and_are_queued_once_each(settings, store) -> None:
    assert [desire(store, settings, {}), desire(store, settings, {"version": 7})] == [1, 7]
    for document in ({"version": 7}, {"version": 2}):
        with pytest.raises(ConflictError):
            desire(store, settings, document)
    assert store.count(Downlink, kind="desired", retained=True) == 2
    with reading(store.main) as session:
        row, document = latest_desired(session, "gw-a")
        assert (row.version, document.version, document.issued_at) == (7, 7, NOW)


@pytest.mark.parametrize(
    "document", [{"gateway": "gw-b"}, {"surprise": 1}, {"monitors": [{"name": "m"}]}, {"version": 0}]
)
def test_desired_document_that_cannot_be_obeyed_is_refused(settings, store, document) -> None:
    with pytest.raises(InvalidError):
        desire(store, settings, document)
    assert store.count(Downlink) == 0


def health(presence: Presence, hello: bool = False) -> Health:
    return Health(presence=presence, hello=hello, sent_at=NOW)


def kinds(store) -> list[tuple[str, str]]:
    return [(row.kind, row.payload.get("presence", "")) for row in store.all(Event, subject="gw-a")]


@pytest.mark.row("A20")
def test_gateway_that_says_nothing_is_told_of_as_silent_once(store) -> None:
    def listen(at_s: float, since_s: float = 0) -> list[str]:
        with transaction(store.main) as session:
            return mark_silent(session, NOW + round(at_s * SECOND_NS), 75, NOW + round(since_s * SECOND_NS))

    with transaction(store.main) as session:
        take_health(session, "gw-a", "street", health(Presence.ONLINE), NOW, is_live=True)
    assert listen(60) == []
    assert listen(200, since_s=150) == []
    assert listen(80) == ["gw-a"]
    assert listen(90) == []
    assert kinds(store) == [("gateway.changed", "online"), ("gateway.changed", "silent")]
    with transaction(store.main) as session:
        take_health(session, "gw-a", "street", health(Presence.ONLINE), NOW, is_live=True)
    assert kinds(store)[-1] == ("gateway.changed", "online")


def test_retained_health_is_no_sign_of_life(store) -> None:
    with transaction(store.main) as session:
        take_health(session, "gw-a", "street", health(Presence.OFFLINE), NOW, is_live=True)
        take_health(session, "gw-a", "street", health(Presence.ONLINE), NOW + 1, is_live=False)
    assert [row.presence for row in store.all(GatewayStatus)] == ["offline"]


def test_reported_configuration_is_told_when_it_changes(store) -> None:
    for sent_at, version in ((1, 1), (2, 1), (3, 2)):
        said = Reported(version=version, state=ReportedState.APPLIED, sent_at=sent_at)
        with transaction(store.main) as session:
            take_reported(session, "gw-a", "street", said, NOW)
    assert [row.payload["version"] for row in store.all(Event, kind="config.reported")] == [1, 2]


@pytest.mark.row("B8")
def test_document_that_is_not_ours_is_flagged_once_however_often_it_is_offered(store) -> None:
    def report(at: int, reason: str, offered: int) -> None:
        said = Reported(
            version=4, offered=offered, state=ReportedState.REFUSED, reason=reason, sent_at=at, detail="d"
        )
        with transaction(store.main) as session:
            take_reported(session, "gw-a", "street", said, NOW + at)

    for at, reason in enumerate(["signature", "key", "version", "expired", "address", "undecodable"] * 20):
        report(at, reason, at % 7)
    [flag] = store.all(GatewayFlag, gateway_id="gw-a")
    assert (flag.code, flag.cleared_at) == ("config_refused", None)
    assert flag.detail["reason"] == "undecodable"
    told = [row for row in store.all(Event, kind="gateway.changed") if row.payload.get("flag")]
    assert len(told) == store.count(Audit, action="gateway.flagged") == 1
    # A document of ours that does not fit this gateway is its engineer's matter, and so is one that flooded.
    with transaction(store.main) as session:
        assert clear_flag(session, "gw-a", "config_refused", NOW, actor="person/duty", reason="looked")
    for at, reason in enumerate(["unusable", "flood", "crash"]):
        report(1000 + at, reason, 9)
    assert [row.cleared_at for row in store.all(GatewayFlag, gateway_id="gw-a")] == [NOW]
    assert store.count(Audit, action="gateway.flag_cleared", actor="person/duty") == 1


def test_document_that_was_reverted_is_told_with_its_reason(store) -> None:
    for phase in (TrialPhase.TRIAL, TrialPhase.REVERTED):
        is_bad = phase is TrialPhase.REVERTED
        said = Reported(
            version=4 if is_bad else 5, offered=5, phase=phase, sent_at=1,
            state=ReportedState.REFUSED if is_bad else ReportedState.APPLIED,
            reason="flood" if is_bad else "", parameters={"onsets": 31, "allowed": 10} if is_bad else {},
        )  # fmt: skip
        with transaction(store.main) as session:
            take_reported(session, "gw-a", "street", said, NOW)
    trial, reverted = (row.payload for row in store.all(Event, kind="config.reported"))
    assert trial["phase"] == "trial"
    assert (reverted["version"], reverted["phase"], reverted["reason"]) == (4, "reverted", "flood")
    assert reverted["parameters"] == {"onsets": 31, "allowed": 10}
