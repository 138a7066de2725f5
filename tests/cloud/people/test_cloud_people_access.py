"""Who may do what, where: every route x role x site, with the real application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from cloud_people_browser import API, Browser
from cloud_people_street import PEOPLE, Street
from fastapi import FastAPI

from cloud.dispatch.tables import Task
from cloud.fleet.tables import Channel
from cloud.incidents.tables import EvidenceRow, Incident
from cloud.keys.signing import create_signing_key
from cloud.people.roles import ALL_SITES, MATRIX, Permission, Role
from cloud.storage.engine import transaction
from cloud.web.security.access import declared_permissions, needs

# What stands in for path and query parameters: things of the site `street`.
REQUESTS: dict[tuple[str, str], dict[str, Any]] = {
    ("DELETE", "/session"): {},
    ("GET", "/me"): {},
    ("PATCH", "/me"): {"json": {"language": "en"}},
    ("GET", "/sites"): {},
    ("GET", "/places"): {"query": {"site": "street"}},
    ("GET", "/grids"): {"query": {"site": "street"}},
    ("GET", "/people"): {"query": {"site": "street"}},
    ("GET", "/gateways"): {"query": {"site": "street"}},
    ("GET", "/gateways/{gateway_id}"): {"site": "street"},
    ("GET", "/gateways/{gateway_id}/desired"): {"site": "street"},
    ("PUT", "/gateways/{gateway_id}/desired"): {"site": "street", "json": {"document": {}, "reason": "test"}},
    ("GET", "/gateways/{gateway_id}/commands"): {"site": "street"},
    ("POST", "/gateways/{gateway_id}/commands"): {
        "site": "street",
        "json": {"name": "send_status", "reason": "test"},
    },
    ("POST", "/gateways/{gateway_id}/flags/{code}/clear"): {"site": "street", "json": {"reason": "test"}},
    ("POST", "/gateways/{gateway_id}/revoke"): {"site": "street", "json": {"reason": "test"}},
    ("GET", "/channels"): {"query": {"site": "street"}},
    ("GET", "/series"): {"site": "street", "query": {"channel": "{channel}"}},
    ("GET", "/series/raw"): {"site": "street", "query": {"gateway": "gw-1", "channel": "ceiling/smoke"}},
    ("GET", "/alerts"): {"query": {"site": "street"}},
    ("GET", "/alerts/{alert_id}"): {"site": "street"},
    ("GET", "/alerts/{alert_id}/evidence"): {"site": "street"},
    ("GET", "/alerts/{alert_id}/band"): {"site": "street"},
    ("GET", "/incidents"): {"query": {"site": "street"}},
    ("POST", "/incidents"): {"site": "street", "json": {"site": "street", "hazard": "gas"}},
    ("GET", "/incidents/{incident_id}"): {"site": "street"},
    ("POST", "/incidents/{incident_id}/acknowledge"): {"site": "street"},
    ("POST", "/incidents/{incident_id}/note"): {"site": "street", "json": {"text": "seen"}},
    ("POST", "/incidents/{incident_id}/resolve"): {"site": "street"},
    ("GET", "/tasks"): {"query": {"site": "street"}},
    ("GET", "/tasks/{task_id}"): {"site": "street"},
    ("POST", "/tasks/{task_id}/deliver"): {"site": "street"},
    ("POST", "/tasks/{task_id}/accept"): {"site": "street"},
    ("POST", "/tasks/{task_id}/arrive"): {"site": "street"},
    ("POST", "/tasks/{task_id}/outcome"): {
        "site": "street",
        "json": {"key": "key-of-test", "verdict": "no_access"},
    },
    ("GET", "/ledger"): {"site": "street", "query": {"gateway": "gw-1"}},
    ("GET", "/quarantine"): {},
    ("GET", "/summary"): {"query": {"site": "street"}},
}
# The stream does not end, so it is asked in a test of its own.
STREAMS = {("GET", "/events")}
PAGES = {"/", "/incidents/new", "/incidents/{incident_id}", "/work", "/work/{task_id}", "/fleet"}


@dataclass
class Things:
    """What is there to be asked for."""

    values: dict[str, str]

    @classmethod
    def of(cls, street: Street) -> Things:
        alert = street.alert()
        street.take(alert)
        street.take(street.alert(gateway="gw-h"))
        street.settings.keys.mkdir(exist_ok=True)
        create_signing_key(street.settings.keys)
        channel = next(row for row in street.all(Channel) if row.gateway_id == "gw-1")
        incident = next(row for row in street.all(Incident) if row.site_id == "street")
        task = next(row for row in street.all(Task) if row.site_id == "street")
        with transaction(street.engine) as session:
            session.add(EvidenceRow(alert_id=alert.id, site_id="street", received_at=street.now, body={}))
        return cls(
            {
                "gateway_id": "gw-1",
                "code": "clone",
                "channel": str(channel.id),
                "alert_id": alert.id,
                "incident_id": incident.id,
                "task_id": task.id,
            }
        )


def expected(roles: set[tuple[str, str]], permission: Permission, *, at_street: bool) -> str:
    """What the matrix says: `allowed`, `forbidden` or `hidden`."""
    may = {site for site, role in roles if permission in MATRIX[Role(role)]}
    if not may:
        return "forbidden"
    if not at_street or may & {"street", ALL_SITES}:
        return "allowed"
    sees = {site for site, role in roles if Permission.SEE in MATRIX[Role(role)]}
    return "forbidden" if sees & {"street", ALL_SITES} else "hidden"


def got(status: int, code: str) -> str:
    if status == 403 and code == "forbidden":
        return "forbidden"
    return "hidden" if status == 404 and code == "not_found" else "allowed"


def ask(browser: Browser, method: str, path: str, how: dict[str, Any], things: Things) -> tuple[int, str]:
    query = {name: str(value).format(**things.values) for name, value in how.get("query", {}).items()}
    answer = browser.client.request(
        method,
        API + path.format(**things.values),
        params=query,
        json=how.get("json"),
        headers=browser.headers,
    )
    content = answer.json() if answer.content else {}
    return answer.status_code, content.get("error", {}).get("code", "") if isinstance(content, dict) else ""


def declared(app: FastAPI) -> dict[tuple[str, str], Permission]:
    """Routes of the API that are not public, without its prefix."""
    found = declared_permissions(app)
    return {
        (method, path.removeprefix(API)): permission
        for (method, path), permission in found.items()
        if permission is not None and path.startswith(API)
    }


@pytest.mark.row("B16")
def test_every_route_is_in_this_table(browser: Browser) -> None:
    assert set(declared(browser.app)) == set(REQUESTS) | STREAMS


@pytest.mark.row("B16")
def test_public_routes_are_these(browser: Browser) -> None:
    public = {path for (_, path), one in declared_permissions(browser.app).items() if one is None}
    assert public == {
        f"{API}/session", f"{API}/enrol", f"{API}/renew", f"{API}/openapi.json",
        "/healthz", "/readyz", "/sign-in",
    }  # fmt: skip


@pytest.mark.row("B16")
def test_every_route_answers_a_person_as_declared(street: Street, browser: Browser) -> None:
    things = Things.of(street)
    assert _differences(browser, things, None) == {}
    for who, roles in PEOPLE.items():
        visitor = browser.other()
        visitor.sign_in(who)
        assert (who, _differences(visitor, things, {_site_first(role) for role in roles})) == (who, {})


@pytest.mark.row("B16")
def test_every_route_answers_a_token_as_declared(street: Street, browser: Browser) -> None:
    things = Things.of(street)
    for site in ("harbour", "street", "*"):
        for role in Role:
            machine = browser.with_token(role, site)
            assert (role, site, _differences(machine, things, {(site, role)})) == (role, site, {})


def _site_first(pair: tuple[str, str]) -> tuple[str, str]:
    return pair[1], pair[0]


def _differences(
    browser: Browser, things: Things, roles: set[tuple[str, str]] | None
) -> dict[tuple[str, str], object]:
    """Routes that do not answer as declared; `roles` None: nobody is signed in."""
    wrong: dict[tuple[str, str], object] = {}
    # Signing out comes last, as nothing can be asked after it.
    routes = sorted(declared(browser.app).items(), key=lambda one: "/session" in one[0])
    for (method, path), permission in routes:
        if (method, path) in STREAMS:
            continue
        how = REQUESTS[method, path]
        status, code = ask(browser, method, path, how, things)
        if roles is None:
            found, should = str(status), "401"
        else:
            at_street = "site" in how or "site" in how.get("query", {})
            found, should = got(status, code), expected(roles, permission, at_street=at_street)
        if found != should or status >= 500 or (roles is not None and status == 401):
            wrong[method, path] = (status, code, should)
    return wrong


@pytest.mark.row("B16")
def test_lists_hold_nothing_of_other_sites(street: Street, browser: Browser) -> None:
    Things.of(street)
    browser.sign_in("stranger")
    for path in (
        "/sites",
        "/places",
        "/grids",
        "/people",
        "/gateways",
        "/channels",
        "/alerts",
        "/incidents",
        "/tasks",
    ):
        for item in browser.items(path):
            belongs = item.get("site_id", item["id"] if path == "/sites" else "harbour")
            assert belongs == "harbour", (path, item)
    people = {person["login"]: person["roles"] for person in browser.items("/people")}
    assert people == {"stranger": [["harbour", "operator"], ["harbour", "worker"]], "root": [["*", "admin"]]}


@pytest.mark.row("B16")
def test_route_that_declares_no_permission_fails_the_build() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/forgotten")
    def forgotten() -> str:
        return "everything"

    with pytest.raises(TypeError, match="/forgotten"):
        declared_permissions(app)


@pytest.mark.row("B16")
def test_route_that_declares_two_permissions_fails_the_build() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/torn", dependencies=[needs(Permission.SEE), needs(Permission.WORK)])
    def torn() -> str:
        return ""

    with pytest.raises(TypeError, match="/torn"):
        declared_permissions(app)


def test_pages_send_strangers_to_sign_in(street: Street, browser: Browser) -> None:
    things = Things.of(street)
    paths = {
        path
        for (_, path), one in declared_permissions(browser.app).items()
        if one and not path.startswith(API)
    }
    assert paths >= PAGES
    for path in paths:
        answer = browser.client.get(path.format(**things.values))
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in?next=/")


def test_role_taken_away_is_gone_at_once(street: Street, browser: Browser) -> None:
    from cloud.people.accounts import account_id, revoke

    browser.sign_in("ying")
    assert browser.get("/gateways/gw-1").status_code == 200
    with transaction(street.engine) as session:
        revoke(session, account_id("ying"), "street", Role.ENGINEER)
    assert browser.get("/gateways/gw-1").status_code == 403
