"""An alert arrives: it is kept, and becomes or joins a matter. Calls nothing above this package."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.errors import NotFoundError
from cloud.events.bus import publish
from cloud.fleet.tables import Channel, Gateway, Place
from cloud.incidents import matter
from cloud.incidents.severity import Claim, judge_severity
from cloud.incidents.states import IncidentState
from cloud.incidents.tables import AlertRow, Incident
from cloud.incidents.timeline import add_entry
from models.alert import Alert, AlertKind, AlertState, Severity, next_state
from models.clock import SECOND_NS

# What began longer ago than this and is over on arrival is history: kept and shown, not paged as fresh.
LATE_AFTER_NS = 3600 * SECOND_NS


class TakenAs(enum.StrEnum):
    """What an alert's arrival did."""

    OPENED = "opened"
    JOINED = "joined"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    SAME = "same"  # heard before: nothing changed
    REFUSED = "refused"  # a step back, as a late `firing` after `resolved`: nothing changed
    FOREIGN = "foreign"  # the id belongs to another gateway's alert: nothing changed
    TRIAL = "trial"  # kept for judging its detector, made nothing


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an alert. `is_quiet`: nothing of the incident fires any more."""

    what: TakenAs
    incident: Incident | None = None
    is_late: bool = False
    is_quiet: bool = False

    @property
    def needs_task(self) -> bool:
        """Whether somebody has to look now."""
        fresh = self.what in (TakenAs.OPENED, TakenAs.JOINED, TakenAs.REOPENED)
        return fresh and not self.is_late


def is_late(alert: Alert, received_at: int) -> bool:
    """Whether this first word of an alert tells of something old and over.

    What still fires is never late, however long its message took: somebody has to look.
    """
    return alert.state is AlertState.RESOLVED and received_at - alert.onset_at > LATE_AFTER_NS


def take_alert(session: Session, alert: Alert, received_at: int) -> Taken:
    """Store the alert's state and open, join, reopen or quieten its incident, in the caller's transaction.

    Taking the same alert again changes nothing. NotFoundError when its gateway is unknown.
    """
    row = session.get(AlertRow, alert.id)
    if row is not None:
        return _take_again(session, row, alert, received_at)
    row = _store(session, alert, received_at)
    _tell(session, row, received_at)
    if alert.trial:
        return Taken(TakenAs.TRIAL)
    late = is_late(alert, received_at)
    taken = _gather(session, row, alert, late, received_at)
    assert taken.incident is not None
    if late:
        add_entry(
            session,
            taken.incident,
            "late",
            f"gateway/{alert.gateway}",
            received_at,
            alert=alert.id,
            onset_at=alert.onset_at,
            received_at=received_at,
        )
    else:
        _judge(session, taken.incident, received_at)
    quiet = _settle_quiet(session, taken.incident, received_at)
    if taken.what is TakenAs.JOINED:
        matter.announce(session, taken.incident, "incident.changed", "alert_joined", received_at)
    return Taken(taken.what, taken.incident, late, quiet)


def _take_again(session: Session, row: AlertRow, alert: Alert, received_at: int) -> Taken:
    if row.gateway_id != alert.gateway:
        return Taken(TakenAs.FOREIGN)
    state, reason = next_state(AlertState(row.state), alert.state)
    incident = session.get(Incident, row.incident_id) if row.incident_id else None
    if reason != "moved":
        return Taken(TakenAs.SAME if reason == "same" else TakenAs.REFUSED, incident)
    row.state, row.resolved_at = state.value, alert.resolved_at or received_at
    row.body = alert.model_dump(mode="json")
    row.score = max(row.score, alert.score)
    session.flush()
    _tell(session, row, received_at)
    if incident is None:
        return Taken(TakenAs.RESOLVED)
    add_entry(
        session,
        incident,
        "alert_resolved",
        f"gateway/{alert.gateway}",
        received_at,
        alert=alert.id,
        monitor=alert.monitor,
        channel=alert.channel,
    )
    quiet = _settle_quiet(session, incident, received_at)
    matter.announce(
        session, incident, "incident.changed", "quiet" if quiet else "alert_resolved", received_at
    )
    return Taken(TakenAs.RESOLVED, incident, is_quiet=quiet)


def _store(session: Session, alert: Alert, received_at: int) -> AlertRow:
    gateway = session.get(Gateway, alert.gateway)
    if gateway is None:
        raise NotFoundError("gateway", f"no gateway {alert.gateway!r} is registered")
    named = select(Channel).where(Channel.gateway_id == alert.gateway, Channel.name == alert.channel)
    channel = session.scalar(named)
    over = alert.state is AlertState.RESOLVED
    row = AlertRow(
        id=alert.id,
        site_id=gateway.site_id,
        gateway_id=gateway.id,
        channel_id=channel.id if channel else None,
        place_id=(channel.place_id if channel else _named_place(session, gateway, alert)) or gateway.place_id,
        incident_id=None,
        monitor=alert.monitor,
        kind=alert.kind.value,
        hazard=alert.hazard,
        severity=alert.severity.value,
        state=alert.state.value,
        trial=alert.trial,
        exercise=alert.exercise,
        score=alert.score,
        onset_at=alert.onset_at,
        measured_at=alert.measured_at,
        received_at=received_at,
        resolved_at=(alert.resolved_at or received_at) if over else None,
        body=alert.model_dump(mode="json"),
    )
    session.add(row)
    session.flush()
    return row


def _named_place(session: Session, gateway: Gateway, alert: Alert) -> str | None:
    """The place the alert itself names: urgent messages overtake the table that places channels."""
    named = select(Place.id).where(Place.site_id == gateway.site_id, Place.path == alert.place)
    return session.scalar(named)


def _gather(session: Session, row: AlertRow, alert: Alert, late: bool, now: int) -> Taken:
    """Find the matter the alert belongs to, or open one."""
    key = matter.open_key(row.site_id, row.place_id, row.hazard, row.kind, row.exercise)
    like = {name: getattr(row, name) for name in ("site_id", "place_id", "hazard", "kind", "exercise")}
    incident = matter.find_open(session, key)
    what = TakenAs.JOINED
    if incident is None:
        since = (alert.onset_at if late else now) - matter.REOPEN_WITHIN_NS
        incident = matter.find_resolved(session, like, since)
        if incident is not None and late and incident.onset_at > (row.resolved_at or now):
            incident = None  # over before that matter began
        elif incident is not None and not late:
            matter.reopen(session, incident, key, f"gateway/{alert.gateway}", alert.id, now)
            what = TakenAs.REOPENED
    if incident is None:
        fields = like | {
            "id": matter.derive_id("incident", alert.id),
            "open_key": key,
            "severity": row.severity,
            "origin": "alert",
            "summary": "",
            "onset_at": row.onset_at,
        }
        incident, made = matter.open_or_find(session, fields, now)
        what = TakenAs.OPENED if made else TakenAs.JOINED
    _attach(session, row, incident, what, alert, now)
    return Taken(what, incident)


def _attach(
    session: Session, row: AlertRow, incident: Incident, what: TakenAs, alert: Alert, now: int
) -> None:
    row.incident_id = incident.id
    incident.onset_at = min(incident.onset_at, row.onset_at)
    actor = f"gateway/{alert.gateway}"
    if what is TakenAs.OPENED:
        add_entry(
            session,
            incident,
            "opened",
            actor,
            now,
            hazard=row.hazard,
            severity=row.severity,
            alert=row.id,
        )
        matter.announce(session, incident, "incident.opened", "alert", now)
    else:
        add_entry(
            session,
            incident,
            "alert_joined",
            actor,
            now,
            alert=row.id,
            monitor=row.monitor,
            channel=alert.channel,
            severity=row.severity,
        )
    session.flush()


def _judge(session: Session, incident: Incident, now: int) -> None:
    """Raise the severity where what fires now says so. Faults do not corroborate each other."""
    if incident.kind == AlertKind.MAINTENANCE:
        return
    severity, reason = judge_severity(Severity(incident.severity), _claims(session, incident))
    if reason != "same":
        matter.raise_severity(session, incident, severity, reason, now)


def _claims(session: Session, incident: Incident) -> list[Claim]:
    """What fires now, each device once a severity: a storm of alerts is still a few rows."""
    sensor = func.coalesce(func.nullif(Channel.device, ""), Channel.name, AlertRow.monitor)
    firing = (
        select(AlertRow.gateway_id, sensor, AlertRow.severity)
        .outerjoin(Channel, Channel.id == AlertRow.channel_id)
        .where(AlertRow.incident_id == incident.id, AlertRow.state == AlertState.FIRING.value)
        .distinct()
    )
    rows = session.execute(firing)
    return [Claim(f"{gateway}/{name}", Severity(severity)) for gateway, name, severity in rows]


def _settle_quiet(session: Session, incident: Incident, now: int) -> bool:
    """Mark since when nothing of the incident fires; whether that is so and it is not resolved."""
    if incident.state == IncidentState.RESOLVED:
        return False
    firing = select(func.count()).where(
        AlertRow.incident_id == incident.id, AlertRow.state == AlertState.FIRING.value
    )
    if session.scalar(firing):
        incident.quiet_since = None
        return False
    if incident.quiet_since is None:
        incident.quiet_since = now
        add_entry(session, incident, "quiet", "system", now)
    return True


def _tell(session: Session, row: AlertRow, at: int) -> None:
    kind = "alert.resolved" if row.state == AlertState.RESOLVED else "alert.fired"
    payload = {
        "gateway": row.gateway_id,
        "channel": row.channel_id,
        "monitor": row.monitor,
        "hazard": row.hazard,
        "kind": row.kind,
        "severity": row.severity,
        "trial": row.trial,
        "exercise": row.exercise,
    }
    publish(session, site_id=row.site_id, kind=kind, subject=row.id, payload=payload, at=at)
