"""Templates into pages: one environment, autoescaped, with the words every page says things with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from cloud.people.roles import Actor, Permission
from cloud.web.console import explanation, happenings, moments, quantities
from cloud.web.console.past import past
from cloud.web.console.queries.incidents import AlertView, IncidentRow
from cloud.web.console.queries.tasks import STEPS, TaskRow
from cloud.web.console.wording import LANGUAGES, Wording
from models.clock import SECOND_NS

_TEMPLATES = Path(__file__).parent / "templates"
# Beginnings of the keys of texts that modules need: of every page, and of each.
EVERYWHERE = ("shell.", "ago.", "span.", "task.due_in", "task.overdue")
MODULE_TEXTS: dict[str, tuple[str, ...]] = {
    "queue.html": ("queue.fresh", "queue.gone"),
    "incident.html": ("chart.",),
    "work.html": ("work.",),
    "task.html": ("work.",),
    "fleet.html": ("fleet.ledger", "fleet.stream"),
    "sign_in.html": ("sign_in.",),
    "new_incident.html": ("report.",),
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever looks at a page, in which language and appearance.

    `actor` is None before sign-in; `sites` are those at which they may see this page.
    """

    actor: Actor | None
    sites: frozenset[str]
    words: Wording
    theme: str  # auto | light | dark
    now: int


@cache
def environment() -> Environment:
    """The one environment: everything is escaped, an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, viewer: Viewer, *, status_code: int = 200, **values: Any) -> HTMLResponse:
    """A page; nobody may keep a copy, as what is wrong now is not what was wrong then."""
    context = _context(template, viewer) | values
    html = environment().get_template(template).render(context)
    return HTMLResponse(html, status_code, headers={"Cache-Control": "no-store"})


def _context(template: str, viewer: Viewer) -> dict[str, Any]:
    words, now, actor = viewer.words, viewer.now, viewer.actor
    texts = words.some(*EVERYWHERE, *MODULE_TEXTS.get(template, ()))
    return {
        "words": words,
        "say": words.say,
        "theme": viewer.theme,
        "languages": LANGUAGES,
        "page_words": "\n".join(f"{key}\t{text}" for key, text in texts.items()),
        "actor": actor,
        "links": _links(actor),
        "here": "",
        "is_live": False,
        "now": now,
        "now_ms": now // 1_000_000,
        "steps": STEPS,
        "asset": asset,
        "iso": moments.iso,
        "exact": moments.exact,
        "ago": lambda at: moments.ago(at, now, words),
        "since": lambda at: moments.span((now - at) / SECOND_NS, words),
        "between": lambda one, other: moments.span(abs(one - other) / SECOND_NS, words),
        "title": partial(title, words=words),
        "where": partial(where, words=words),
        "purpose": partial(purpose, words=words),
        "reasons": lambda view: explanation.reasons(view, words),
        "parts": lambda view: explanation.parts(view, words),
        "past": lambda view, zone: past(view, zone, words),
        "quantity": lambda view: explanation.quantity(view, words),
        "surprise": lambda view: explanation.surprise(view, words),
        "band": lambda view: explanation.band(view.alert, quantities.digits_for(view.resolution)),
        "digits": lambda view: quantities.digits_for(view.resolution),
        "measured": quantities.measured,
        "number": quantities.number,
        "chart_data": lambda view: chart_data(view, words),
        "happening": lambda entry, zone: happenings.happening(entry, words, zone),
        "actor_of": lambda entry: happenings.actor(entry, words),
        "may_decide": lambda site: actor is not None and actor.may(Permission.DECIDE, site),
        "may_report": lambda site: actor is not None and actor.may(Permission.REPORT, site),
        "may_see_ledger": lambda site: actor is not None and actor.may(Permission.SEE_LEDGER, site),
    }


def asset(name: str) -> str:
    """Address of a file of ours; browsers ask each time whether it changed."""
    return f"/static/{name}"


def title(row: IncidentRow, words: Wording) -> str:
    """What an incident is called: a person's sentence, else the hazard and where it is."""
    if row.origin == "person" and row.summary:
        return row.summary
    place = row.place[-1] if row.place else words.say("incident.unplaced")
    return words.say("incident.untitled", hazard=words.word("hazard", row.hazard), place=place)


def where(row: IncidentRow, words: Wording) -> str:
    """Place names from the outside in."""
    return " / ".join(row.place) or words.say("incident.unplaced")


def purpose(task: TaskRow, words: Wording) -> str:
    """What a task is for; the second and later tasks of one matter say so."""
    base, _, count = task.purpose.partition("-")
    name = words.texts.get(f"task.purpose_{base}", base)
    return words.say("task.purpose_again", purpose=name, n=count) if count.isdecimal() else name


def chart_data(view: AlertView, words: Wording) -> str:
    """What the chart must know of an alert, as JSON for a data attribute. Times in ms UTC."""
    alert = view.alert
    if alert is None:
        return "{}"
    data: Mapping[str, Any] = {
        "id": view.id,
        "channel": view.channel_id,
        "name": f"{explanation.quantity(view, words)} · {view.channel}",
        "unit": quantities.unit_symbol(alert.unit),
        "digits": quantities.digits_for(view.resolution),
        "onset": alert.onset_at // 1_000_000,
        "fired": alert.fired_at // 1_000_000,
        "over": alert.resolved_at // 1_000_000 if alert.resolved_at else None,
        "expected": alert.expected,
        "lower": alert.lower,
        "upper": alert.upper,
        "limit": explanation.limit(alert),
        "severity": view.severity,
        "evidence": view.evidence is not None,
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _links(actor: Actor | None) -> list[tuple[str, str]]:
    """Pages this person has; worker's work comes first for those who only work."""
    if actor is None:
        return []
    every = [("queue", "/"), ("work", "/work"), ("fleet", "/fleet")]
    roles = {role.value for _, role in actor.grants}
    return [every[1], every[0], every[2]] if roles == {"worker"} else every
