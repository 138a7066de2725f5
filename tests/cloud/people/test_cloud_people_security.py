"""Sessions, other sites' pages, back-off, hostile words and failures."""

from __future__ import annotations

from typing import Any

import pytest
from cloud_people_browser import ADDRESS, API, Browser
from cloud_people_street import PASSWORD, Street
from sqlalchemy import text

from cloud.fleet.tables import Channel, Gateway
from cloud.people.accounts import account_id, disable_account
from cloud.people.tables import Audit, LoginSession, Token
from cloud.people.tokens import add_token, revoke_token
from cloud.storage.engine import transaction
from cloud.web.security.access import declared_permissions
from cloud.web.security.guard import MAX_BODY_BYTES
from cloud.web.security.sessions import COOKIE, LASTS_S
from models.clock import SECOND_NS

MARKUP = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.mark.row("B15")
def test_foreign_origin_is_refused_on_every_route(browser: Browser) -> None:
    browser.sign_in("root")
    for origin in ("https://evil.example", "null", "http://lastmile.test.evil.example", "file://"):
        for method, path in declared_permissions(browser.app):
            answer = browser.ask(method, path, Origin=origin)
            assert answer.status_code == 403, (origin, method, path)
    assert browser.get("/me").status_code == 200


@pytest.mark.row("B15")
def test_change_needs_csrf_token_and_origin(street: Street, browser: Browser) -> None:
    street.take(street.alert())
    browser.sign_in("duty")
    path = f"/incidents/{street.incident().id}/acknowledge"
    for changed in ({"X_LM_CSRF": None}, {"X_LM_CSRF": "0" * 64}, {"Origin": None}):
        answer = browser.post(path, **changed)
        assert answer.status_code == 403, changed
        assert answer.json()["error"]["code"] in ("csrf", "origin")
    assert street.incident().state == "open"
    assert browser.post(path).status_code == 200


@pytest.mark.row("B15")
def test_token_of_another_session_is_no_csrf_token(street: Street, browser: Browser) -> None:
    street.take(street.alert())
    browser.sign_in("duty")
    other = browser.other()
    other.sign_in("duty")
    browser.headers["X-LM-CSRF"] = other.headers["X-LM-CSRF"]
    assert browser.post(f"/incidents/{street.incident().id}/acknowledge").status_code == 403


def test_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    cookie = browser.sign_in("wang").headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


def test_session_secret_is_kept_as_a_hash_only(street: Street, browser: Browser) -> None:
    browser.sign_in("wang")
    secret = browser.client.cookies[COOKIE]
    (row,) = street.all(LoginSession)
    assert secret not in (row.secret_hash, row.account_id)
    assert len(secret) >= 43


def test_signing_in_gives_a_fresh_session_and_ends_the_old_one(street: Street, browser: Browser) -> None:
    browser.client.cookies.set(COOKIE, "chosen-by-somebody-else", domain="lastmile.test", path="/")
    browser.sign_in("wang")
    first = browser.client.cookies.get(COOKIE, domain="lastmile.test")
    assert first != "chosen-by-somebody-else"
    browser.sign_in("wang")
    assert len(street.all(LoginSession)) == 1


def test_signing_out_ends_the_session(browser: Browser) -> None:
    browser.sign_in("wang")
    secret = browser.client.cookies[COOKIE]
    assert browser.ask("DELETE", f"{API}/session").status_code == 204
    browser.client.cookies.set(COOKIE, secret)
    assert browser.get("/me").status_code == 401


def test_session_ends_with_time_and_with_the_account(street: Street, browser: Browser) -> None:
    browser.sign_in("wang")
    street.clock.sleep(LASTS_S - 1)
    assert browser.get("/me").status_code == 200
    street.clock.sleep(2)
    assert browser.get("/me").status_code == 401
    browser.sign_in("wang")
    with transaction(street.engine) as session:
        disable_account(session, account_id("wang"), street.now)
    assert browser.get("/me").status_code == 401
    assert browser.sign_in("wang").status_code == 401


def test_token_is_kept_as_a_hash_and_ends_when_revoked_or_old(street: Street, browser: Browser) -> None:
    machine = browser.with_token("engineer", "street")
    secret = machine.headers["Authorization"].removeprefix("Bearer ")
    (row,) = street.all(Token)
    assert secret not in (row.secret_hash, row.name)
    assert machine.get("/gateways").status_code == 200
    with transaction(street.engine) as session:
        revoke_token(session, "engineer-street", street.now)
        ends_at = street.now + 10 * SECOND_NS
        short = add_token(
            session, name="short", role="engineer", site_id="street", now=street.now, expires_at=ends_at
        )
    assert machine.get("/gateways").status_code == 401
    machine.headers["Authorization"] = f"Bearer {short}"
    assert machine.get("/gateways").status_code == 200
    street.clock.sleep(10)
    assert machine.get("/gateways").status_code == 401


def test_wrong_password_and_unknown_login_read_the_same(browser: Browser) -> None:
    wrong, unknown = browser.sign_in("wang", "wrong password"), browser.sign_in("nobody", "wrong password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


@pytest.mark.row("B13")
def test_wrong_passwords_are_slowed_down_and_the_victim_can_sign_in(street: Street, browser: Browser) -> None:
    statuses = []
    for _ in range(100):
        statuses.append(browser.sign_in("wang", "guess").status_code)
        street.clock.sleep(0.1)
    assert statuses[:5] == [401] * 5
    assert statuses.count(401) <= 12
    assert set(statuses) == {401, 429}
    throttled = browser.sign_in("wang")
    assert throttled.status_code == 429  # the right password, too: guessing must not pay
    assert int(throttled.headers["Retry-After"]) >= 1
    elsewhere = browser.other()
    elsewhere.client = type(elsewhere.client)(
        elsewhere.app, base_url=ADDRESS, client=("192.0.2.7", 4000), raise_server_exceptions=False
    )
    assert elsewhere.sign_in("wang").status_code == 200
    street.clock.sleep(301)
    assert browser.sign_in("wang").status_code == 200


@pytest.mark.row("B17")
def test_markup_in_names_and_words_is_inert(street: Street, browser: Browser) -> None:
    with transaction(street.engine) as session:
        for gateway in session.query(Gateway):
            gateway.name = MARKUP
        for channel in session.query(Channel):
            channel.device = channel.kind = MARKUP[:60]
    street.take(street.alert(hazard=MARKUP[:60], device=MARKUP, unit=MARKUP))
    browser.sign_in("duty")
    report = {"site": "street", "hazard": "gas", "summary": MARKUP}
    reported = browser.post("/incidents", report).json()["id"]
    alerted = next(one["id"] for one in browser.items("/incidents") if one["id"] != reported)
    browser.post(f"/incidents/{reported}/note", {"text": MARKUP})
    for path in ("/", f"/incidents/{reported}", f"/incidents/{alerted}", "/work", "/fleet"):
        page = browser.client.get(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text, path
        assert "<img src=x" not in page.text, path
    for path in ("/incidents", "/gateways", "/channels", f"/incidents/{reported}"):
        answer = browser.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.row("B17")
def test_error_pages_say_nothing_of_what_was_asked(browser: Browser) -> None:
    browser.sign_in("duty")
    for path in (f"/incidents/{MARKUP}", f"/{MARKUP}", f"{API}/gateways/{MARKUP}", f"/?site={MARKUP}"):
        answer = browser.client.get(path)
        assert "<script>alert" not in answer.text, path
        assert "Traceback" not in answer.text
    wrong = browser.ask("POST", f"{API}/session", {"login": MARKUP * 9, "password": PASSWORD})
    assert wrong.status_code == 422
    assert "<script" not in wrong.text
    assert PASSWORD not in wrong.text


@pytest.mark.row("B17")
@pytest.mark.parametrize(
    "path", ["/sign-in", "/", "/nothing", f"{API}/me", f"{API}/nothing", "/healthz", "/static/style.css"]
)
def test_security_headers_are_on_every_answer(browser: Browser, path: str) -> None:
    headers = browser.client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.row("B17")
def test_failure_of_ours_shows_no_stack_trace(street: Street, browser: Browser) -> None:
    browser.sign_in("duty")
    with street.engine.begin() as connection:
        connection.execute(text("ALTER TABLE grid RENAME TO gone"))
    answer = browser.get("/grids")
    assert answer.status_code in (500, 503)
    assert set(answer.json()["error"]) == {"code", "message", "detail"}
    for word in ("Traceback", "sqlite", "SELECT", "grid"):
        assert word not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_body_too_large_is_refused(browser: Browser) -> None:
    browser.sign_in("duty")
    answer = browser.post("/incidents", {"summary": "x" * (MAX_BODY_BYTES + 1)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    answer = browser.client.post(
        f"{API}/session", content=(b"x" * 65536 for _ in range(100)), headers=browser.headers
    )
    assert answer.status_code in (400, 413)


def test_audit_knows_every_change_and_no_secret(street: Street, browser: Browser) -> None:
    street.take(street.alert())
    browser.sign_in("wang")
    task = f"/tasks/{street.task().id}"
    browser.post(f"{task}/accept")
    outcome: dict[str, Any] = {"key": "answer-1", "verdict": "false_alarm"}
    browser.post(f"{task}/outcome", outcome)
    browser.post(f"{task}/outcome", outcome)
    acts = [(row.actor, row.action) for row in sorted(street.all(Audit), key=lambda row: row.id)]
    assert acts == [("person/wang", one) for one in ("session.begin", "task.accept", "task.outcome")]
    told = repr([(row.before, row.after) for row in street.all(Audit)])
    assert PASSWORD not in told
    assert browser.client.cookies[COOKIE] not in told
