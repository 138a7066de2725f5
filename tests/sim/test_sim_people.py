"""People: truthful by the scenario's truth, in their own time, over the API as it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sim_rig import NOON_S, make_plan

from firmware_sim.answers import find
from firmware_sim.chance import Chance
from firmware_sim.cloud_api import CloudApi
from firmware_sim.habits import Step, plan_visit
from firmware_sim.people import Officer, Worker
from firmware_sim.scenario import PersonSpec, load_scenario
from firmware_sim.street import Street
from firmware_sim.timeline import Happening, Timeline

STREET = load_scenario("street")
KITCHEN, LIFT = "b1/f1/101-kitchen", "b1/lift"
TRUTH = Timeline(
    [
        Happening(0, "smouldering_fire", 20.0, 30.0, places=(KITCHEN,)),
        Happening(1, "cooking", 400.0, 30.0, places=(KITCHEN,)),
        Happening(2, "spike", 500.0, 30.0, device="lift", channel="motor-temperature"),
    ]
)


@pytest.mark.parametrize(
    ("place", "word", "onset_s", "verdict", "cause"),
    [
        (KITCHEN, "fire", 31.0, "real", "smouldering"),
        (KITCHEN, "fire", 70.0, "real", "smouldering"),
        (KITCHEN, "fire", 405.0, "false_alarm", "cooking"),
        (KITCHEN, "fire", 300.0, "false_alarm", "nothing_found"),
        (LIFT, "fire", 31.0, "false_alarm", "nothing_found"),
        (LIFT, "spike", 505.0, "sensor_fault", "loose_plug"),
        (LIFT, "lift", 505.0, "sensor_fault", "loose_plug"),
    ],
)
def test_what_is_found_is_the_truth(place: str, word: str, onset_s: float, verdict: str, cause: str) -> None:
    finding = find(STREET, TRUTH, place, word, onset_s, "en")
    assert (finding.verdict, finding.cause) == (verdict, cause)


def test_notes_are_in_the_finders_language() -> None:
    english, chinese = (
        find(STREET, TRUTH, KITCHEN, "fire", 31.0, language).note for language in ("en", "zh")
    )
    assert english.isascii() and "smouldering" in english
    assert "阴燃" in chinese


def visits(person: PersonSpec, count: int = 400) -> list[list[tuple[float, Step]]]:
    return [plan_visit(person, Chance(1), n, f"t{n}", 100.0).steps for n in range(count)]


def person(**habits: Any) -> PersonSpec:
    return PersonSpec(login="wang", name="Wang", language="zh", **habits)


def test_steps_follow_each_other_in_time() -> None:
    for steps in visits(person(no_access=0.3, late=0.3)):
        assert [at for at, _ in steps] == sorted(at for at, _ in steps)
        assert [step for _, step in steps if step is not Step.NO_ACCESS] == [
            Step.DELIVER,
            Step.ACCEPT,
            Step.ARRIVE,
            Step.ANSWER,
        ]


def test_shares_of_silence_and_lateness_are_as_written() -> None:
    silent = sum(not steps for steps in visits(person(silent=0.25)))
    assert 70 < silent < 130
    slow = sum(steps[-1][0] > 110.0 for steps in visits(person(late=0.25)))
    assert 60 < slow < 140
    assert not any(steps[-1][0] > 110.0 for steps in visits(person()))


class FakeCloud:
    """The API's seam: one incident with one task, as docs/architecture.md has them."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.state = "issued"
        self.is_away = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.is_away:
            return httpx.Response(503, text="later")
        path = request.url.path.removeprefix("/api/v1")
        if request.method == "POST":
            return self._post(path, request)
        if path == "/me":
            return httpx.Response(200, json={"login": "wang", "csrf": "c5rf"})
        if path == "/incidents":
            listed = self._incident() | {"tasks": [{"id": "t1", "state": self.state}]}
            return httpx.Response(200, json={"items": [listed]})
        if path == "/tasks":
            return httpx.Response(200, json={"tasks": [self._task()]})
        if path == "/tasks/t1":
            return httpx.Response(200, json=self._task())
        return httpx.Response(200, json=self._incident())

    def _post(self, path: str, request: httpx.Request) -> httpx.Response:
        content = json.loads(request.content)
        if path != "/session" and request.headers.get("X-LM-CSRF") != "c5rf":
            return httpx.Response(403, text="no csrf")
        self.posted.append((path, content))
        after = {"deliver": "delivered", "accept": "accepted", "arrive": "on_site", "outcome": "verified"}
        if content.get("verdict") != "no_access":
            self.state = after.get(path.rsplit("/", 1)[1], self.state)
        return httpx.Response(200, json={})

    def _task(self) -> dict[str, Any]:
        return {"id": "t1", "state": self.state, "incident": "i1"}

    def _incident(self) -> dict[str, Any]:
        onset = int((NOON_S + 31) * 1e9)
        return {"id": "i1", "hazard": "fire", "place": {"path": KITCHEN}, "onset_at": onset}


def worker(
    folder: Path, cloud: FakeCloud, kind: type[Worker] = Worker, **habits: Any
) -> tuple[Worker, Street, list[str]]:
    street = make_plan(folder).street(NOON_S)
    street.timeline = TRUTH
    api = CloudApi("http://cloud", transport=httpx.MockTransport(cloud))
    said: list[str] = []
    return (
        kind(person(**habits), "pass", api, street, lambda event, **_: said.append(event)),
        street,
        said,
    )


def test_worker_signs_in_goes_and_answers_truthfully(tmp_path: Path) -> None:
    cloud = FakeCloud()
    wang, _, said = worker(tmp_path, cloud)
    for second in range(40):
        wang.turn(NOON_S + 35 + second)
    paths = [path for path, _ in cloud.posted]
    assert paths == ["/session", *(f"/tasks/t1/{s}" for s in ("deliver", "accept", "arrive", "outcome"))]
    answer = cloud.posted[-1][1]
    assert (answer["verdict"], answer["cause"]) == ("real", "smouldering")
    assert len(answer["key"]) == 32
    assert said == ["task", "outcome"]


def test_worker_who_found_nobody_comes_back(tmp_path: Path) -> None:
    cloud = FakeCloud()
    wang, _, _ = worker(tmp_path, cloud, no_access=1.0)
    for second in range(60):
        wang.turn(NOON_S + 35 + second)
    verdicts = [content["verdict"] for path, content in cloud.posted if path.endswith("outcome")]
    assert verdicts == ["no_access", "real"]


def test_officer_closes_a_matter_once_it_is_answered_and_over(tmp_path: Path) -> None:
    cloud = FakeCloud()
    duty, _, _ = worker(tmp_path, cloud, Officer, silent=1.0)
    resolved = [("/incidents/i1/resolve", {})]
    duty.turn(NOON_S + 90)
    assert cloud.posted[1:] == [], "nobody has looked yet"
    cloud.state = "verified"
    duty.turn(NOON_S + 45)
    assert cloud.posted[1:] == [], "it still smoulders"
    duty.turn(NOON_S + 90)
    assert cloud.posted[1:] == resolved


def test_silent_worker_leaves_the_task_untouched(tmp_path: Path) -> None:
    cloud = FakeCloud()
    wang, _, _ = worker(tmp_path, cloud, silent=1.0)
    for second in range(60):
        wang.turn(NOON_S + 35 + second)
    assert [path for path, _ in cloud.posted] == ["/session"]


def test_worker_tries_again_when_the_cloud_was_away(tmp_path: Path) -> None:
    from firmware_sim.errors import ApiError

    cloud = FakeCloud()
    wang, _, _ = worker(tmp_path, cloud)
    wang.turn(NOON_S + 35)
    cloud.is_away = True
    for second in range(20):
        with pytest.raises(ApiError, match="503"):
            wang.turn(NOON_S + 36 + second)
    cloud.is_away = False
    for second in range(5):
        wang.turn(NOON_S + 60 + second)
    assert cloud.posted[-1][1]["verdict"] == "real"
    assert sum(path.endswith("outcome") for path, _ in cloud.posted) == 1
