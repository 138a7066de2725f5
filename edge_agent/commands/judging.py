"""Which orders are obeyed, and which refused and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from edge_agent.commands.ledger import Ledger
from edge_agent.tls import Moment
from models.errors import BodyError
from models.wire.messages import Command, SignedDocument
from models.wire.signing import key_id, verify_command

MAX_BYTES = 64 << 10
REPEATED = "repeated"  # the broker or the cloud may deliver an order twice, in good faith


@dataclass(frozen=True, slots=True)
class Verdict:
    """Obeyed when `reason` is empty. `command` is None where the words cannot be believed."""

    command: Command | None
    reason: str = ""
    detail: str = ""


def judge_command(
    raw: bytes, *, keys: Sequence[bytes], gateway: str, ledger: Ledger, moment: Moment
) -> Verdict:
    """Judge a signed order: signature by a pinned key, address, counter never taken before, expiry.

    Where the clock is not set, the time is what it is at least: an order may then be obeyed after it expired,
    but never twice. Reasons: `size, unpinned, undecodable, key, signature, document, address, repeated,
    replay, expired`.
    """
    if len(raw) > MAX_BYTES:
        return Verdict(None, "size", f"{len(raw)} bytes, at most {MAX_BYTES} are taken")
    if not keys:
        return Verdict(None, "unpinned", "no signing key was pinned; enrol this gateway")
    try:
        signed = SignedDocument.model_validate_json(raw)
        key = next((one for one in keys if key_id(one) == signed.key), keys[0])
        command = verify_command(signed, key)
    except ValidationError:
        return Verdict(None, "undecodable", "not a signed order")
    except BodyError as wrong:
        return Verdict(None, wrong.code, str(wrong))
    if command.gateway != gateway:
        return Verdict(command, "address", f"addressed to {command.gateway or 'nobody'}")
    if command.counter in ledger.taken:
        return Verdict(command, REPEATED)
    if command.counter <= ledger.floor:
        return Verdict(command, "replay", f"counter {command.counter}, all up to {ledger.floor} are gone")
    if command.expires_at <= max(moment.ns, ledger.issued_at):
        return Verdict(command, "expired", f"expired at {command.expires_at}")
    return Verdict(command)
