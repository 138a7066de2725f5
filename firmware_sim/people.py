"""The people of the street at work: signed in, looking at their tasks, going, answering truthfully."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from firmware_sim.answers import Finding, find, nobody_home
from firmware_sim.cloud_api import CloudApi, rows_of
from firmware_sim.errors import ApiError
from firmware_sim.habits import Step, Visit, plan_visit
from firmware_sim.scenario import PersonSpec
from firmware_sim.street import Street

LIVE = frozenset({"issued", "delivered", "accepted", "on_site"})
RESOLVES_AFTER_S = 10.0
Say = Callable[..., None]


def seconds_of(moment: Any) -> float:
    """UTC seconds of a time in an API answer: ISO 8601, or nanoseconds since 1970."""
    if isinstance(moment, str):
        return datetime.fromisoformat(moment).timestamp()
    return float(moment) / 1e9


class Worker:
    """One person with tasks. `turn` does what is due and returns; failures are tried again next time."""

    def __init__(self, person: PersonSpec, password: str, api: CloudApi, street: Street, say: Say) -> None:
        self._person, self._password, self._api, self._street = person, password, api, street
        self._say = say
        self._visits: dict[str, Visit] = {}
        self._seen = 0

    def turn(self, now_s: float) -> None:
        """Look at the task list, then do the steps whose time has come. ApiError when the cloud is away."""
        if not self._api.is_signed_in:
            self._api.sign_in(self._person.login, self._password)
        tasks = {task["id"]: task for task in rows_of(self._api.get("/tasks", mine=1, state="live"))}
        mine = {key: task for key, task in tasks.items() if task.get("state") in LIVE}
        for gone in set(self._visits) - set(mine):
            del self._visits[gone]
        for key, task in mine.items():
            if key not in self._visits:
                self._notice(key, task, now_s)
            self._proceed(self._visits[key], now_s)

    def _notice(self, key: str, task: dict[str, Any], now_s: float) -> None:
        self._visits[key] = plan_visit(self._person, self._street.chance, self._seen, key, now_s)
        self._seen += 1
        silent = not self._visits[key].steps
        self._say("task", person=self._person.login, task=key, silent=silent, **self._about(task))

    def _proceed(self, visit: Visit, now_s: float) -> None:
        step = visit.due(now_s)
        if step is None:
            return
        if step in (Step.ANSWER, Step.NO_ACCESS):
            self._answer(visit.task, step)
        else:
            self._api.post(f"/tasks/{visit.task}/{step}")
        visit.done()

    def _answer(self, key: str, step: Step) -> None:
        about = self._about(self._api.get(f"/tasks/{key}"))
        if step is Step.NO_ACCESS:
            finding = nobody_home(self._person.language)
        else:
            finding = self._look(about)
        # Derived, so that an answer sent twice is one answer.
        name = f"{key}/{step}/{self._person.login}"
        self._api.post(f"/tasks/{key}/outcome", finding.report(uuid.uuid5(uuid.NAMESPACE_URL, name).hex))
        self._say("outcome", person=self._person.login, task=key, **vars(finding), **about)

    def _look(self, about: dict[str, Any]) -> Finding:
        onset_s = seconds_of(about["onset_at"]) - self._street.began_s
        return find(
            self._street.scenario,
            self._street.timeline,
            about["place"],
            about["hazard"],
            onset_s,
            self._person.language,
        )

    def _about(self, task: dict[str, Any]) -> dict[str, Any]:
        """Place, hazard and onset of a task; asks for the incident when the task does not tell."""
        incident = task.get("incident")
        if not isinstance(incident, dict):
            incident = self._api.get(f"/incidents/{incident or task.get('incident_id')}")
            incident = incident.get("incident", incident)
        place = incident.get("place") or {}
        path = place.get("path", "") if isinstance(place, dict) else str(place)
        return {"place": path, "hazard": incident["hazard"], "onset_at": incident["onset_at"]}


class Officer(Worker):
    """A worker who also closes real matters once the hazard behind them is over."""

    def turn(self, now_s: float) -> None:
        super().turn(now_s)
        for incident in rows_of(self._api.get("/incidents", state="acknowledged")):
            if self._is_over(incident, now_s):
                self._api.post(f"/incidents/{incident['id']}/resolve")

    def _is_over(self, incident: dict[str, Any], now_s: float) -> bool:
        """Whether everybody who was sent has answered, and the hazard at its place is past."""
        tasks = incident.get("tasks", [])
        if not tasks or any(task["state"] != "verified" for task in tasks):
            return False
        place = incident.get("place") or {}
        path = place.get("path", "") if isinstance(place, dict) else str(place)
        since = now_s - self._street.began_s
        return not self._street.timeline.hazards_at(path, since, RESOLVES_AFTER_S)


def hire(street: Street, passwords: dict[str, str], address: str, say: Say) -> list[Worker]:
    """Everybody of the scenario, each with an own session."""
    return [
        (Officer if person.role == "operator" else Worker)(
            person, passwords[person.login], CloudApi(address), street, say
        )
        for person in street.scenario.people
    ]


def take_turns(workers: list[Worker], now_s: float, say: Say) -> None:
    """One turn of everybody; what the cloud refuses is said and tried again."""
    for worker in workers:
        try:
            worker.turn(now_s)
        except ApiError as error:
            say("trouble", error=str(error))
