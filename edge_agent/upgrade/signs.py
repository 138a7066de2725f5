"""What a running agent tells of itself in status.json, as whoever judges a release reads it.

The file of a newer release is read here by an older one: the keys used below keep name and meaning for two
releases, and one that is missing is only not judged by.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.trial.verdict import Before, Now
from models.clock import SECOND_NS

# A receipt this old still says that the cloud answers.
RECEIPT_S = 120.0


@dataclass(frozen=True, slots=True)
class Signs:
    """One look at status.json."""

    told: dict[str, Any]

    @property
    def version(self) -> str:
        return str(self.told.get("code_version", ""))

    @property
    def pid(self) -> int:
        return int(self.told.get("pid", 0))

    @property
    def is_running(self) -> bool:
        return self.told.get("phase") == "running"

    @property
    def mark(self) -> tuple[int, float]:
        """Differs from one writing to the next."""
        return self.pid, float(self.told.get("up_s", 0.0))

    @property
    def up_s(self) -> float:
        return float(self.told.get("up_s", 0.0))

    @property
    def cpu_s(self) -> float:
        return float(self.told.get("cpu_s", 0.0))

    @property
    def memory_mb(self) -> float:
        return float(self.told.get("memory_mb", 0.0))

    @property
    def judged(self) -> int:
        return int(self.told.get("judge", {}).get("judged_readings", 0))

    @property
    def has_receipts(self) -> bool:
        """Whether the cloud has confirmed something of late."""
        uplink = self.told.get("uplink", {})
        age_s = (self._written_at - int(uplink.get("last_receipt_at") or 0)) / SECOND_NS
        return bool(uplink.get("is_connected")) and age_s < RECEIPT_S

    def received_after(self, at: int) -> bool:
        """Whether a receipt came after wall time `at`, ns."""
        return int(self.told.get("uplink", {}).get("last_receipt_at") or 0) > at

    def before(self) -> Before:
        """How it was, for `judge_trial`: polled devices that answer are expected to go on."""
        gaps = {name: max(period_s, quiet_s) for name, period_s, quiet_s in self._polled()}
        share = self.cpu_s / self.up_s if self.up_s > 0 else 0.0
        return Before(
            firing=len(self.told.get("firing", ())), cpu_share=share, memory_mb=self.memory_mb, gaps=gaps
        )

    def now(self, elapsed_s: float, crashes: int, cpu_share: float) -> Now:
        """How it is, `elapsed_s` after the release came into force."""
        judge = self.told.get("judge", {})
        return Now(
            elapsed_s=elapsed_s,
            crashes=crashes,
            onsets=int(judge.get("onsets", 0)),
            cpu_share=cpu_share,
            memory_mb=self.memory_mb,
            quiet={name: min(quiet_s, self.up_s) for name, _, quiet_s in self._devices()},
            failed=tuple(judge.get("failed_monitors", ())),
            is_behind=int(judge.get("behind_bytes", 0)) > 0,
        )

    @property
    def _written_at(self) -> int:
        return int(self.told.get("written_at", 0))

    def _polled(self) -> list[tuple[str, float, float]]:
        polled = {d["name"] for d in self.told.get("devices", ()) if d.get("is_polled") and d.get("is_up")}
        return [device for device in self._devices() if device[0] in polled]

    def _devices(self) -> list[tuple[str, float, float]]:
        """Name, period and time since the last reading, s."""
        return [
            (
                str(device["name"]),
                float(device.get("period_s") or 0.0),
                max(0.0, (self._written_at - int(device.get("last_reading_at") or 0)) / SECOND_NS),
            )
            for device in self.told.get("devices", ())
        ]


def read_signs(status: Path) -> Signs | None:
    """What status.json says; None where there is none yet, or half of one."""
    try:
        told = json.loads(status.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return Signs(told) if isinstance(told, dict) else None
