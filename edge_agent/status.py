"""What a running gateway says of itself: status.json, and the measures of its heartbeat."""

from __future__ import annotations

import os
from collections.abc import Sequence

import models
from edge_agent.devices import Running
from edge_agent.pipeline import Pipeline
from edge_agent.trial.load import processor_s
from edge_agent.uplink.uplink import Uplink
from models.alert import Alert
from models.clock import SECOND_NS
from models.configuration import GatewayDocument


def describe(
    facts: dict[str, object], pipeline: Pipeline, uplink: Uplink | None, devices: list[Running]
) -> dict[str, object]:
    """Everything `lastmile-edge status` shows, as JSON-ready values."""
    judge, spool = pipeline.judge, pipeline.spool
    return {
        **facts,
        "code_version": models.__version__,
        "pid": os.getpid(),
        "memory_mb": round(resident_mb(), 1),
        "cpu_s": round(processor_s(), 2),
        "devices": [_device(running) for running in devices],
        "judge": {
            "judged_readings": judge.judged,
            "behind_bytes": max(0, spool.end - judge.position),
            "alerts": judge.alerts,
            "onsets": judge.onsets,
            "failed_monitors": judge.failed,
            "start_to_first_judged_ms": _first_judged_ms(judge.first_judged_at),
        },
        "spool": {
            "bytes": spool.end - spool.start,
            "uncut_bytes": spool.end - pipeline.cutter.position,
            "damaged_bytes": spool.damaged_bytes,
            "problem": spool.problem,
        },
        "firing": [_alert(alert) for alert in judge.firing],
        "outbox": {**pipeline.outbox.counts(), "problem": pipeline.outbox.problem},
        "uplink": _uplink(uplink),
    }


def monitors_told(document: GatewayDocument, failed: Sequence[str]) -> list[dict[str, object]]:
    """The monitors in force, and which of them broke."""
    return [
        {
            "name": one.name,
            "detector": one.detector,
            "hazard": one.hazard,
            "severity": one.severity.value,
            "is_failed": one.name in failed,
        }
        for one in document.monitors
    ]


def measures() -> dict[str, float]:
    """The heartbeat's figures; what this machine cannot tell is left out."""
    from edge_agent.drivers.health import measure

    names = ("cpu_temperature_c", "cpu_percent", "load_1m", "memory_percent", "disk_percent")
    values = {name: measure(name) for name in names}
    values["memory_mb"] = round(resident_mb(), 1)
    return {name: value for name, value in values.items() if value == value}


def resident_mb() -> float:
    """Memory this process holds; 0 where it cannot be told."""
    import psutil

    return psutil.Process().memory_info().rss / 1e6


def _alert(alert: Alert) -> dict[str, object]:
    names = ("id", "monitor", "channel", "place", "hazard", "severity", "fired_at", "trial")
    return alert.model_dump(mode="json", include=set(names))


def _device(running: Running) -> dict[str, object]:
    state = running.loop.state
    return {
        "name": running.config.name,
        "driver": running.config.driver,
        "period_s": running.config.period_s,
        "is_polled": running.loop.is_polled,
        "is_up": state.is_up,
        "readings": state.readings,
        "last_reading_at": state.last_reading_at,
        "failures": state.failures,
        "skipped_polls": state.skipped_polls,
        "problem": state.problem,
    }


def _uplink(uplink: Uplink | None) -> dict[str, object]:
    if uplink is None:
        return {"is_connected": False, "connects": 0, "problem": "no [uplink] host"}
    state = uplink.state
    return {
        "is_connected": state.is_connected,
        "connects": state.connects,
        "last_receipt_at": state.last_receipt_at,
        "refused_messages": state.refused_messages,
        "problem": state.problem,
    }


def _first_judged_ms(first_judged_at: int) -> float | None:
    """From the start of this process, interpreter and imports included."""
    import psutil

    started = round(psutil.Process().create_time() * SECOND_NS)
    return round((first_judged_at - started) / 1e6, 1) if first_judged_at else None
