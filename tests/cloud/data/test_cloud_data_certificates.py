"""Certificates renewed by their own key, given up when replaced, ended when revoked."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from real_parts import Identity, enrol_gateway, make_request

from cloud.errors import ConflictError, ForbiddenError, InvalidError, ThrottledError
from cloud.fleet.certificates import ended_serials, flag_expiring, serial_of, settle
from cloud.fleet.clones import note_hello
from cloud.fleet.renewal import PURPOSE, renew
from cloud.fleet.revocation import revoke
from cloud.fleet.tables import Certificate, Gateway, GatewayFlag
from cloud.people.tables import Audit
from cloud.storage.engine import transaction
from models.clock import SECOND_NS
from models.wire.messages import Health, Presence

pytestmark = pytest.mark.row("B7")
DAY_NS = 86_400 * SECOND_NS
NOW = time.time_ns() + 3600 * SECOND_NS  # gateways are enrolled by the machine's own clock, before it


def sign(identity: Identity, csr: str) -> str:
    key = load_pem_private_key(identity.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return base64.b64encode(key.sign(PURPOSE + csr.encode(), ec.ECDSA(hashes.SHA256()))).decode()


def ask(store: Any, settings: Any, identity: Identity, csr: str, /, now: int = NOW, **changes: str) -> Any:
    words = {
        "certificate": identity.certificate.read_text(), "csr": csr, "signature": sign(identity, csr),
        "source": "s", **changes,
    }  # fmt: skip
    return renew(store.main, settings, now=now, **words)


def hello(store: Any, serial: str, now: int, run: str = "") -> None:
    health = Health(presence=Presence.ONLINE, hello=True, sent_at=now, certificate=serial, run=run)
    with transaction(store.main) as session:
        note_hello(session, "gw-a", health, now)


def serial(pem: str) -> str:
    return serial_of(x509.load_pem_x509_certificate(pem.encode()))


def flags(store: Any) -> set[str]:
    return {row.code for row in store.all(GatewayFlag, gateway_id="gw-a", cleared_at=None)}


@pytest.fixture
def identity(settings) -> Identity:
    return enrol_gateway(settings, "gw-a")


def test_request_signed_by_the_old_key_is_given_the_next_certificate_and_the_same_again(
    settings, store, identity
) -> None:
    _, csr = make_request("gw-a")
    first = ask(store, settings, identity, csr)
    assert ask(store, settings, identity, csr, now=NOW + 1) == first
    assert serial(first.certificate) != serial(identity.certificate.read_text())
    assert store.count(Audit, action="gateway.renewed") == 1
    # Nothing is ended by it: the gateway may have lost the answer.
    assert ended(store) == []


def ended(store: Any, now: int = NOW) -> list[str]:
    with transaction(store.main) as session:
        return sorted(ended_serials(session, now))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": base64.b64encode(b"x" * 70).decode()}, "proof"),
        ({"signature": "no base64!"}, "proof"),
        ({"csr": make_request("gw-a")[1]}, "proof"),
        ({"certificate": "nothing"}, "certificate"),
    ],
)
def test_request_without_its_proof_is_refused_and_counted(settings, store, identity, changes, code) -> None:
    _, csr = make_request("gw-a")
    for _ in range(settings.enrolment.wrong_codes):
        with pytest.raises(InvalidError) as caught:
            ask(store, settings, identity, csr, **changes)
        assert caught.value.code == code
    with pytest.raises(ThrottledError):
        ask(store, settings, identity, csr)


def test_certificate_of_another_authority_and_another_gateways_name_are_refused(
    settings, store, identity, tmp_path
) -> None:
    from cloud.keys.authority import Authority

    foreign = Authority.create(tmp_path / "foreign", NOW)
    foreign.issue_client(tmp_path, "gw-a", NOW)
    theirs = Identity("gw-a", tmp_path / "ca.crt", tmp_path / "gw-a.crt", tmp_path / "gw-a.key")
    with pytest.raises(InvalidError) as caught:
        ask(store, settings, theirs, make_request("gw-a")[1])
    assert caught.value.code == "certificate"
    with pytest.raises(InvalidError) as caught:
        ask(store, settings, identity, make_request("gw-b")[1])
    assert caught.value.code == "csr_name"


def test_certificate_that_expired_is_renewed_within_its_grace_and_not_beyond(
    settings, store, identity
) -> None:
    _, csr = make_request("gw-a")
    life, grace = settings.enrolment.certificate_days, settings.enrolment.grace_days
    late = NOW + round((life + 100) * DAY_NS)
    renewed = ask(store, settings, identity, csr, now=late)
    assert serial(renewed.certificate) != serial(identity.certificate.read_text())
    with pytest.raises(ForbiddenError) as caught:
        ask(store, settings, identity, csr, now=NOW + round((life + grace + 1) * DAY_NS))
    assert caught.value.code == "expired"
    assert "new code" in caught.value.message


def test_old_certificate_is_given_up_when_the_new_one_was_in_use_for_a_while(
    settings, store, identity
) -> None:
    old = serial(identity.certificate.read_text())
    hello(store, old, NOW)
    new = serial(ask(store, settings, identity, make_request("gw-a")[1], now=NOW + 1).certificate)
    unused = serial(ask(store, settings, identity, make_request("gw-a")[1], now=NOW + 2).certificate)
    with transaction(store.main) as session:
        assert settle(session, NOW + 5 * DAY_NS, 1.0) == []
    hello(store, new, NOW + DAY_NS)
    for at, given_up in ((1.5, []), (2.5, [old])):
        with transaction(store.main) as session:
            assert settle(session, NOW + round(at * DAY_NS), 1.0) == given_up
    assert ended(store) == [old]
    assert store.all(Gateway, id="gw-a")[0].certificate_serial == new
    assert not flags(store)
    assert {row.serial: row.ended_at for row in store.all(Certificate)}[unused] is None


def test_who_comes_with_a_replaced_certificate_is_flagged_and_neither_is_ended(
    settings, store, identity
) -> None:
    old = serial(identity.certificate.read_text())
    new = serial(ask(store, settings, identity, make_request("gw-a")[1]).certificate)
    hello(store, new, NOW + 1)
    assert not flags(store)
    hello(store, old, NOW + 2)
    assert flags(store) == {"clone"}
    with transaction(store.main) as session:
        assert settle(session, NOW + 9 * DAY_NS, 1.0) == []


def test_renewal_with_a_certificate_that_was_given_up_is_refused_and_flagged(
    settings, store, identity
) -> None:
    new = serial(ask(store, settings, identity, make_request("gw-a")[1]).certificate)
    hello(store, new, NOW)
    with transaction(store.main) as session:
        settle(session, NOW + 2 * DAY_NS, 1.0)
    with pytest.raises(ForbiddenError) as caught:
        ask(store, settings, identity, make_request("gw-a")[1], now=NOW + 2 * DAY_NS)
    assert caught.value.code == "superseded"
    assert flags(store) == {"clone"}


@pytest.mark.row("B2")
def test_revoked_gateway_is_renewed_by_nothing_but_a_new_code(settings, store, identity) -> None:
    old = serial(identity.certificate.read_text())
    with transaction(store.main) as session:
        assert revoke(session, "gw-a", actor="person/duty", reason="stolen", now=NOW) == [old]
    with pytest.raises(ConflictError), transaction(store.main) as session:
        revoke(session, "gw-a", actor="person/duty", reason="again", now=NOW)
    with pytest.raises(ForbiddenError) as caught:
        ask(store, settings, identity, make_request("gw-a")[1])
    assert caught.value.code == "revoked"
    assert ended(store) == [old]
    assert flags(store) == {"revoked"}
    [row] = store.all(Audit, action="gateway.revoked")
    assert (row.actor, row.after["reason"]) == ("person/duty", "stolen")
    again = enrol_gateway(settings, "gw-a")
    assert store.all(Gateway, id="gw-a")[0].revoked_at is None
    assert not flags(store)
    assert ended(store) == [old]
    assert ask(store, settings, again, make_request("gw-a")[1])


def test_gateway_enrolled_before_certificates_were_kept_is_renewed_and_revoked_alike(
    settings, store, identity
) -> None:
    old = serial(identity.certificate.read_text())
    with transaction(store.main) as session:
        session.delete(session.get(Certificate, old))
    assert ask(store, settings, identity, make_request("gw-a")[1])
    with transaction(store.main) as session:
        session.delete(session.get(Certificate, old))
    with transaction(store.main) as session:
        assert old in revoke(session, "gw-a", actor="cli", reason="old", now=NOW)


def test_certificate_near_its_end_is_flagged_once_until_it_is_renewed(settings, store, identity) -> None:
    life = round(settings.enrolment.certificate_days * DAY_NS)
    for at in (0.5, 0.8, 0.9):
        with transaction(store.main) as session:
            flag_expiring(session, NOW + round(at * life))
    [flag] = store.all(GatewayFlag, gateway_id="gw-a")
    assert (flag.code, flag.count) == ("certificate_expiring", 1)
    new = ask(store, settings, identity, make_request("gw-a")[1], now=NOW + life - DAY_NS)
    hello(store, serial(new.certificate), NOW + life - DAY_NS)
    assert not flags(store)


@pytest.mark.row("A23")
def test_run_that_comes_back_after_another_is_a_clone_and_one_after_the_other_is_not(store) -> None:
    for at, run in enumerate(["a", "a", "b", "c", "c"]):
        hello(store, "", NOW + at, run)
    assert not flags(store)
    hello(store, "", NOW + 10, "b")
    assert flags(store) == {"clone"}
    assert store.count(Audit, action="gateway.flagged", subject="gw-a") == 1
    for at in range(100):
        hello(store, "", NOW + 11 + at, "cb"[at % 2])
    [flag] = store.all(GatewayFlag, gateway_id="gw-a")
    assert flag.count > 90
    assert store.count(Audit, action="gateway.flagged", subject="gw-a") == 1
