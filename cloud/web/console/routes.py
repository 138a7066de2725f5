"""Addresses of the pages. Each reads in one short session and renders; acts go through the JSON API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import RedirectResponse, Response

from cloud.errors import NotFoundError
from cloud.people.roles import Actor, Permission
from cloud.web.console.health import configuration_words, health_words
from cloud.web.console.queries.fleet import NOT_HEARD, fleet, presence
from cloud.web.console.queries.incidents import (
    ATTENTION,
    KINDS,
    SEVERITIES,
    IncidentRow,
    alerts_of,
    incident_with,
    queue,
    rows_by_id,
)
from cloud.web.console.queries.lead import lead_of
from cloud.web.console.queries.scope import narrowed, read_sites
from cloud.web.console.queries.tasks import task_with, tasks_of
from cloud.web.console.render import Viewer, render
from cloud.web.console.visitor import page, visitor
from cloud.web.security.access import PUBLIC
from cloud.web.state import State
from models.clock import SECOND_NS
from models.outcome import Verdict

router = APIRouter(include_in_schema=False, default_response_class=Response)

LIMIT = 200
DAY_NS = 86400 * SECOND_NS
STATES = ("attention", "open", "acknowledged", "resolved")
HAZARDS = "fire smoke gas water flooding freezer lift climate air power device person other".split()
CAUSES = (
    "cooking steam smouldering gas_leak burst_pipe leak door_open power_cut battery sensor dust weather"
).split()


def _actor(viewer: Viewer) -> Actor:
    assert viewer.actor is not None
    return viewer.actor


@router.get("/sign-in", dependencies=[PUBLIC])
def sign_in_page(viewer: Annotated[Viewer, Depends(visitor)]) -> Response:
    """Where everybody begins; whoever is signed in already goes on."""
    if viewer.actor is not None:
        return RedirectResponse("/", 303)
    return render("sign_in.html", viewer)


@router.get("/")
def queue_page(
    state: State,
    viewer: Viewer = page(Permission.SEE),
    site: Annotated[str, Query(max_length=64)] = "",
    show: Annotated[str, Query(max_length=16)] = "attention",
) -> Response:
    """What is wrong now, who has it, how long it has been waiting."""
    actor = _actor(viewer)
    shown = show if show in STATES else "attention"
    states = ATTENTION if shown == "attention" else (shown,)
    allowed = viewer.sites
    wanted = narrowed(allowed, site)
    with state.reading() as session:
        lists = [
            (
                kind,
                queue(
                    session,
                    wanted,
                    states=states,
                    kinds=kinds,
                    limit=LIMIT,
                    resolved_after=viewer.now - 7 * DAY_NS,
                ),
            )
            for kind, kinds in _lists(shown)
        ]
        lead = lead_of(session, wanted, viewer.now)
        sites = read_sites(session, allowed)
    return render(
        "queue.html",
        viewer,
        here="queue",
        is_live=True,
        lists=lists,
        lead=lead,
        severities=SEVERITIES,
        sites=sites,
        site=site if site in sites else "",
        shown=shown,
        is_filtered=bool(site) or shown != "attention",
        limit=LIMIT,
        may_report_here=bool(actor.sites(Permission.REPORT)),
    )


def _lists(shown: str) -> list[tuple[str, tuple[str, ...]]]:
    """The sections of the queue: hazards and maintenance apart; what is over in one."""
    if shown == "resolved":
        return [("resolved", KINDS)]
    return [(kind, (kind,)) for kind in KINDS]


@router.get("/incidents/new")
def report_page(state: State, viewer: Viewer = page(Permission.REPORT)) -> Response:
    """A person reports what no sensor saw."""
    with state.reading() as session:
        sites = read_sites(session, viewer.sites)
    return render(
        "new_incident.html", viewer, here="queue", sites=sites, hazards=HAZARDS, severities=SEVERITIES
    )


@router.get("/incidents/{incident_id}")
def incident_page(state: State, incident_id: str, viewer: Viewer = page(Permission.SEE)) -> Response:
    """One incident with its evidence, task and timeline."""
    with state.reading() as session:
        view = incident_with(session, incident_id, viewer.sites)
    if view is None:
        raise NotFoundError("incident", "no such incident")
    return render("incident.html", viewer, here="queue", is_live=True, view=view, row=view.row)


@router.get("/work")
def work_page(state: State, viewer: Viewer = page(Permission.SEE_TASKS)) -> Response:
    """A worker's own tasks."""
    actor = _actor(viewer)
    with state.reading() as session:
        tasks = tasks_of(session, actor.account_id or "", viewer.now - DAY_NS)
        incidents = rows_by_id(session, {task.incident_id for task in tasks})
    rank = {word: place for place, word in enumerate(SEVERITIES)}
    waiting = sorted(
        (task for task in tasks if task.is_waiting),
        key=lambda task: (rank.get(incidents[task.incident_id].severity, 9), task.step_at),
    )
    done = [task for task in tasks if not task.is_waiting]
    return render(
        "work.html", viewer, here="work", is_live=True, waiting=waiting, done=done, incidents=incidents
    )


@router.get("/work/{task_id}")
def task_page(state: State, task_id: str, viewer: Viewer = page(Permission.SEE_TASKS)) -> Response:
    """One task in a worker's hand."""
    actor = _actor(viewer)
    with state.reading() as session:
        task = task_with(session, task_id, viewer.sites)
        if task is None:
            raise NotFoundError("task", "no such task")
        row: IncidentRow = rows_by_id(session, {task.incident_id})[task.incident_id]
        alerts = alerts_of(session, task.incident_id)
    is_mine = task.assignee_id == actor.account_id
    may_work = actor.may(Permission.WORK, task.site_id) and (
        is_mine or task.assignee_id is None or actor.may(Permission.WORK_FOR_OTHERS, task.site_id)
    )
    spoken = [one.alert for one in alerts if one.alert is not None]
    return render(
        "task.html",
        viewer,
        here="work",
        is_live=True,
        task=task,
        row=row,
        alerts=alerts,
        is_mine=is_mine,
        may_work=may_work,
        verdicts=[verdict.value for verdict in Verdict],
        causes={code: viewer.words.word("cause", code) for code in CAUSES},
        unit=spoken[0].unit if spoken else "",
    )


@router.get("/fleet")
def fleet_page(state: State, viewer: Viewer = page(Permission.SEE)) -> Response:
    """Gateways: heard or not, what waits, which configuration is in force."""
    allowed = viewer.sites
    with state.reading() as session:
        rows = fleet(session, allowed, viewer.now)
        known, bad = presence(session, allowed, viewer.now)
        sites = read_sites(session, allowed)
    return render(
        "fleet.html",
        viewer,
        here="fleet",
        is_live=True,
        rows=rows,
        known=known,
        bad=bad,
        sites=sites,
        not_heard=NOT_HEARD,
        health=lambda row: health_words(row, viewer.words),
        configuration=lambda row: configuration_words(row, viewer.words),
    )
