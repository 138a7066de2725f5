"""What the demo came to, as one JSON line."""

from __future__ import annotations

from typing import Any

import psutil

from firmware_sim.cloud_api import CloudApi, rows_of
from firmware_sim.demo.stack import Stack
from firmware_sim.verification import Comparison

LIVE = frozenset({"issued", "delivered", "accepted", "on_site"})


def all_tasks(api: CloudApi) -> list[dict[str, Any]]:
    """Every task, page by page."""
    found: list[dict[str, Any]] = []
    before = None
    while True:
        page = api.get("/tasks", limit=500, before=before)
        found += rows_of(page)
        before = page.get("next")
        if before is None:
            return found


def waiting_tasks(api: CloudApi) -> int:
    """Tasks somebody is still busy with."""
    return sum(task["state"] in LIVE and task["state"] != "issued" for task in all_tasks(api))


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB (10^6 bytes); 0 when it is gone."""
    try:
        return round(psutil.Process(pid).memory_info().rss / 1e6, 1)
    except psutil.Error:
        return 0.0


def config_versions(api: CloudApi) -> dict[str, int]:
    """The version of its document each gateway says is in force; 0 is its own file."""
    return {
        row["id"]: int((row["reported"] or {}).get("version", 0)) for row in rows_of(api.get("/gateways"))
    }


def summarise(stack: Stack, api: CloudApi, compared: Comparison, caught_up: bool) -> dict[str, Any]:
    """The counts of the whole run. `closed` counts outcomes on tasks that came from a device's reading."""
    summary = api.get("/summary")
    tasks = all_tasks(api)
    closed = [task for task in tasks if task["measured_at"] and task["outcomes"]]
    latency = summary["sensor_to_task_ms"]
    return {
        "readings": summary["readings"] - stack.history_readings,
        "history_readings": stack.history_readings,
        "channels": summary["channels"],
        "alerts": sum(count for state, count in summary["alerts"].items() if state != "trial"),
        "trial_alerts": summary["alerts"].get("trial", 0),
        "incidents": sum(summary["incidents"].values()),
        "tasks": sum(summary["tasks"].values()),
        "outcomes": sum(summary["outcomes"].values()),
        "verdicts": summary["outcomes"],
        "closed": len(closed),
        "sensor_to_task_ms": {key: latency[key] for key in ("p50", "p95", "p99")},
        "told": compared.told,
        "sure": compared.sure,
        "stored": compared.stored,
        "lost": compared.lost,
        "duplicated": compared.duplicated,
        "wrong": compared.wrong,
        "caught_up": caught_up,
        "config_version": config_versions(api),
        "resident_mb": {name: resident_mb(agent.process.pid) for name, agent in stack.agents.items()},
        "examples": compared.examples,
    }


def has_closed(result: dict[str, Any]) -> bool:
    """Whether the circle closed and nothing was lost, doubled or changed on the way."""
    return bool(result["closed"] > 0 and result["lost"] == result["duplicated"] == result["wrong"] == 0)
