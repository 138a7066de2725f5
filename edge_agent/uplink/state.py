"""What can be told of the uplink from outside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class UplinkState:
    """What can be said of the uplink right now. `last_receipt_at` is wall time in ns."""

    is_connected: bool = False
    connects: int = 0
    receipts: int = 0
    last_receipt_at: int = 0
    refused_messages: int = 0
    problem: str = "not yet connected"
