"""The HTTP API as its clients use it."""

from __future__ import annotations

from datetime import UTC, datetime

from cloud_people_browser import ADDRESS, Browser
from cloud_people_street import Street

from cloud.people.accounts import account_id
from cloud.people.tables import Audit
from models.clock import SECOND_NS


def answer(verdict: str = "false_alarm", key: str = "phone-0001") -> dict[str, object]:
    return {"key": key, "verdict": verdict, "cause": "cooking", "note": "onions"}


def test_worker_finds_accepts_and_answers_a_task(street: Street, browser: Browser) -> None:
    street.take(street.alert())
    browser.sign_in("wang")
    (task,) = browser.items("/tasks", mine=1)
    assert task["incident"]["place"]["path"] == "b1/f1/kitchen"
    assert task["incident"]["hazard"] == "fire"
    assert task["assignee"]["login"] == "wang"
    at = f"/tasks/{task['id']}"
    for step, state in (("deliver", "delivered"), ("accept", "accepted"), ("arrive", "on_site")):
        assert browser.post(f"{at}/{step}", {}).json() == {"changed": True, "state": state}
        assert browser.post(f"{at}/{step}").json() == {"changed": False, "state": state}
    first = browser.post(f"{at}/outcome", answer())
    again = browser.post(f"{at}/outcome", answer())
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert [one["verdict"] for one in first.json()["outcomes"]] == ["false_alarm"]
    assert browser.items("/incidents")[0]["state"] == "resolved"
    late = browser.post(f"{at}/accept")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "task_state")


def test_worker_keeps_hands_off_anothers_task(street: Street, browser: Browser) -> None:
    street.take(street.alert())
    browser.sign_in("li")
    refused = browser.post(f"/tasks/{street.task().id}/accept")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_yours")
    assert street.task().state == "issued"


def test_whoever_was_asked_before_may_still_say_what_was_found(street: Street, browser: Browser) -> None:
    street.take(street.alert())
    street.after(street.scheduler(), 16)
    assert street.task().assignee_id == account_id("li")
    browser.sign_in("wang")
    assert browser.post(f"/tasks/{street.task().id}/accept").status_code == 403
    assert browser.post(f"/tasks/{street.task().id}/outcome", answer()).status_code == 200


def test_operator_works_the_queue(street: Street, browser: Browser) -> None:
    street.take(street.alert())
    browser.sign_in("duty")
    (incident,) = browser.items("/incidents", state="open,acknowledged")
    at = f"/incidents/{incident['id']}"
    assert browser.post(f"{at}/acknowledge").json() == {"changed": True, "state": "acknowledged"}
    assert browser.post(f"{at}/note", {"text": "on the phone with them"}).status_code == 200
    assert browser.post(f"{at}/resolve", {"reason": "seen on camera"}).json()["state"] == "resolved"
    full = browser.get(at).json()
    codes = [entry["code"] for entry in full["timeline"]]
    assert codes[-4:] == ["acknowledged", "note", "resolved", "task_closed"]
    assert full["incident"]["acknowledged_by"]["login"] == "duty"
    assert [alert["id"] for alert in full["alerts"]] == [street.all_alert_ids()[0]]
    actions = [row.action for row in street.all(Audit) if row.subject == incident["id"]]
    assert actions == ["incident.acknowledge", "incident.note", "incident.resolve"]


def test_person_reports_and_somebody_is_sent(street: Street, browser: Browser) -> None:
    browser.sign_in("li")
    report = {"site": "street", "place": "b1/f1", "hazard": "gas", "severity": "severe", "summary": "smell"}
    made = browser.post("/incidents", report)
    assert made.status_code == 201
    assert made.json()["tasks"][0]["assignee"]["login"] == "wang"
    again = browser.post("/incidents", report)
    assert again.json()["id"] == made.json()["id"]
    assert len(browser.items("/tasks")) == 1
    wrong = browser.post("/incidents", report | {"place": "b9"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "place")


def test_list_goes_on_where_it_ended(street: Street, browser: Browser) -> None:
    for number in range(7):
        street.take(street.alert(hazard=f"hazard-{number}"))
    browser.sign_in("duty")
    for path in ("/incidents", "/tasks", "/alerts"):
        seen, cursor = [], None
        while True:
            page = browser.get(path, limit=3, **({"before": cursor} if cursor else {})).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 7
    assert browser.get("/alerts", before="no cursor").status_code == 422


def test_list_of_a_hundred_takes_few_queries(street: Street, browser: Browser) -> None:
    from sqlalchemy import event

    for number in range(40):
        street.take(street.alert(hazard=f"hazard-{number}"))
    browser.sign_in("duty")
    statements: list[str] = []
    event.listen(
        browser.app.state.web.main, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    assert len(browser.items("/incidents", limit=40)) == 40
    assert len(statements) < 16
    statements.clear()
    assert len(browser.items("/tasks", limit=40)) == 40
    assert len(statements) < 16


def test_summary_counts_and_measures(street: Street, browser: Browser) -> None:
    for late_s in (1, 2, 3):
        alert = street.alert(hazard=f"hazard-{late_s}", measured_at=street.now - late_s * SECOND_NS)
        street.take(alert)
    street.take(street.alert(trial=True))
    browser.sign_in("root")
    summary = browser.get("/summary").json()
    assert summary["incidents"] == {"open": 3}
    assert summary["tasks"] == {"issued": 3}
    assert summary["alerts"] == {"firing": 3, "trial": 1}
    assert summary["sensor_to_task_ms"] == {"count": 3, "p50": 2000.0, "p95": 2900.0, "p99": 2980.0}


def test_times_in_answers_are_iso_8601(street: Street, browser: Browser) -> None:
    street.take(street.alert())
    browser.sign_in("duty")
    (incident,) = browser.items("/incidents")
    opened = datetime.fromisoformat(incident["opened_at"])
    assert opened == datetime.fromtimestamp(street.now / 1e9, UTC)


def test_me_tells_who_and_what_one_may(browser: Browser) -> None:
    assert browser.get("/me").status_code == 401
    browser.sign_in("wang")
    me = browser.get("/me").json()
    assert (me["login"], me["permissions"]["work"]) == ("wang", ["street"])
    assert "decide" not in me["permissions"]
    assert me["csrf"] == browser.headers["X-LM-CSRF"]


def test_enrolment_with_a_wrong_code_is_slowed_down(browser: Browser) -> None:
    wrong = {"code": "AAAA-BBBB-CCCC-DDDD", "csr": "none"}
    (browser.street.settings.keys).mkdir(exist_ok=True)
    from cloud.keys.authority import Authority

    Authority.create(browser.street.settings.keys, browser.street.now)
    answers = [browser.post("/enrol", wrong) for _ in range(12)]
    assert {one.status_code for one in answers[:10]} == {422}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_wrong_requests_are_answered_with_errors_in_one_shape(browser: Browser) -> None:
    browser.sign_in("root")
    for answer_, status in (
        (browser.get("/nothing/here"), 404),
        (browser.get("/series", channel="x"), 422),
        (browser.get("/series", channel=10**6), 404),
        (browser.get("/gateways/none"), 404),
        (browser.ask("PUT", "/api/v1/me", {}), 405),
        (browser.ask("POST", "/api/v1/session", {"login": 5}), 422),
    ):
        assert answer_.status_code == status
        assert set(answer_.json()["error"]) == {"code", "message", "detail"}


def test_health_and_readiness_are_public(browser: Browser) -> None:
    assert browser.client.get(f"{ADDRESS}/healthz").json() == {"status": "ok"}
    assert browser.client.get(f"{ADDRESS}/readyz").status_code == 200
