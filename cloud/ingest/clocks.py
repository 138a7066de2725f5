"""Gateways whose clock was not set: what they tell once it is, and how what they told before is mended."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cloud.incidents.tables import AlertRow, Incident
from cloud.ingest.tables import LedgerRecord
from cloud.storage.engine import reading
from models.alert import Alert
from models.clock import SECOND_NS
from models.mending import RightTime, moved_ns
from models.wire.messages import ClockRecord

CLOCK = "clock"
_SLACK_NS = 5 * SECOND_NS
_TIMES = ("onset_at", "fired_at", "measured_at", "resolved_at")


def take_clock(session: Session, site_id: str, gateway_id: str, epoch: int, record: ClockRecord) -> int:
    """Keep the record, and mend the alerts it is about; how many those were."""
    now = record.monotonic_ns + record.offset_ns
    session.add(
        LedgerRecord(
            site_id=site_id,
            gateway_id=gateway_id,
            kind=CLOCK,
            from_at=min(now, record.monotonic_ns + record.before_offset_ns),
            to_at=now,
            record=record.model_dump(mode="json") | {"epoch": epoch},
        )
    )
    return _mend_alerts(session, gateway_id, record) if record.mends else 0


def records_of(session: Session, gateway_id: str) -> list[ClockRecord]:
    """What mends times of this gateway, in the order it was told."""
    query = select(LedgerRecord.record).filter_by(gateway_id=gateway_id, kind=CLOCK)
    found = (ClockRecord.model_validate(one) for one in session.scalars(query.order_by(LedgerRecord.id)))
    return [record for record in found if record.mends]


class Clocks:
    """What the series store asks to mend times, answered from the main database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def right(self, gateway_id: str, boot: str, offset_ns: int) -> RightTime | None:
        """Right times for what was measured in `boot` under a clock `offset_ns` above monotonic time; None
        while the gateway has not told."""
        with reading(self._engine) as session:
            record = _nearest(records_of(session, gateway_id), boot, offset_ns)
        return None if record is None else _right(record)


def mend_alert(session: Session, alert: Alert) -> Alert:
    """The alert with right times, if its clock was not trusted and its gateway has told the right time."""
    if alert.clock_trusted:
        return alert
    told = [record for record in records_of(session, alert.gateway) if record.boot == alert.boot]
    return _mended(alert, told[-1]) if told else alert


def _mend_alerts(session: Session, gateway_id: str, record: ClockRecord) -> int:
    begin = record.before_offset_ns - _SLACK_NS
    end = record.before_offset_ns + record.monotonic_ns + _SLACK_NS
    within = AlertRow.onset_at.between(begin, end)
    count = 0
    for row in session.scalars(select(AlertRow).where(AlertRow.gateway_id == gateway_id, within)):
        alert = Alert.model_validate(row.body)
        if alert.clock_trusted or alert.boot != record.boot:
            continue
        mended = _mended(alert, record)
        incident = session.get(Incident, row.incident_id) if row.incident_id else None
        if incident is not None and incident.onset_at == row.onset_at:
            incident.onset_at = mended.onset_at
        row.onset_at, row.measured_at = mended.onset_at, mended.measured_at
        row.resolved_at = mended.resolved_at if mended.resolved_at is not None else row.resolved_at
        row.body = mended.model_dump(mode="json")
        count += 1
    session.flush()
    return count


def _mended(alert: Alert, record: ClockRecord) -> Alert:
    times = {name: time for name in _TIMES if (time := getattr(alert, name)) is not None}
    moved = moved_ns(np.array(list(times.values()), np.int64), record.before_offset_ns, _right(record))
    pairs = zip(times.items(), moved.tolist(), strict=True)
    return alert.model_copy(update={name: time + by for (name, time), by in pairs})


def _nearest(records: Iterable[ClockRecord], boot: str, offset_ns: int) -> ClockRecord | None:
    """The clock may have been lost and set again in one boot: the record that names this wrong time."""
    told = [record for record in records if record.boot == boot]
    return min(told, key=lambda record: abs(record.before_offset_ns - offset_ns), default=None)


def _right(record: ClockRecord) -> RightTime:
    return RightTime(record.offset_ns, record.monotonic_ns, record.clock)
