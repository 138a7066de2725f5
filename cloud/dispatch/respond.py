"""From an alert to somebody on the way, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.dispatch.assign import issue_task
from cloud.dispatch.tables import Task
from cloud.incidents.intake import Taken, take_alert
from models.alert import Alert


@dataclass(frozen=True, slots=True)
class Response:
    """What an alert's arrival led to; `task` only when it was issued just now."""

    taken: Taken
    task: Task | None


def respond_to_alert(session: Session, alert: Alert, received_at: int) -> Response:
    """Take an alert and issue the task it calls for, in the caller's transaction.

    Doing it again with the same alert changes nothing. NotFoundError when the gateway is unknown.
    """
    taken = take_alert(session, alert, received_at)
    task = None
    if taken.needs_task and taken.incident is not None:
        measured_at = alert.measured_at if alert.clock_trusted else None
        task = issue_task(session, taken.incident, measured_at, received_at)
    return Response(taken, task)
