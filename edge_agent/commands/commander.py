"""Hears orders, obeys them one after the other in a thread of its own, and answers each."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from edge_agent.commands.errors import CommandError
from edge_agent.commands.judging import REPEATED, Verdict, judge_command
from edge_agent.commands.ledger import LedgerStore
from edge_agent.commands.table import HANDLERS, Means
from edge_agent.tls import Now
from models.clock import SECOND_NS
from models.wire.messages import Command, CommandName, CommandResult, CommandState

log = logging.getLogger(__name__)
_WAITING_AT_MOST = 16
_OUTPUT_BYTES = 64 << 10
# Who sends what is not ours may send a lot: of a kind one refusal in this time is told.
_TELL_AGAIN_NS = 60 * SECOND_NS
_NOBODY = "0" * 32


class Commander:
    """`tell` puts an answer where it cannot be lost; `keys` are those pinned now."""

    def __init__(
        self,
        means: Means,
        gateway: str,
        *,
        keys: Callable[[], Sequence[bytes]],
        now: Now,
        tell: Callable[[CommandResult], object],
    ) -> None:
        self._means, self._gateway, self._keys, self._now, self._tell = means, gateway, keys, now, tell
        self._store = LedgerStore(means.state.commands)
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_WAITING_AT_MOST)
        self._told: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, limit_s: float = 2.0) -> None:
        """End after the order that is being obeyed, or leave it behind."""
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        if self._thread.ident is not None:
            self._thread.join(limit_s)

    def offered(self, raw: bytes) -> None:
        """An order came. From any thread; beyond sixteen that wait, it is let go and said so."""
        try:
            self._waiting.put_nowait(raw)
        except queue.Full:
            log.warning("an order was let go: too many wait")

    def _run(self) -> None:
        self._answer_what_was_begun()
        while (raw := self._waiting.get()) is not None:
            try:
                self._take(raw)
            except Exception:  # the next order must find this thread alive
                log.exception("an order could not be taken")

    # ---- one order

    def _take(self, raw: bytes) -> None:
        verdict = judge_command(
            raw, keys=self._keys(), gateway=self._gateway, ledger=self._store.ledger, moment=self._now()
        )
        if verdict.reason == REPEATED:
            return
        if verdict.command is None or verdict.reason:
            self._refuse(verdict)
            return
        command = verdict.command
        self._store.begin(command, self._now().ns)
        log.info("order %s: %s", command.id[:8], command.name)
        result = self._obey(command)
        if result is not None:
            self._tell(result)
            self._store.answered()

    def _obey(self, command: Command) -> CommandResult | None:
        handler = HANDLERS.get(command.name)  # type: ignore[call-overload]
        if handler is None:
            known = ", ".join(CommandName)
            return self._result(command, CommandState.REFUSED, "unknown_command", f"known are {known}")
        try:
            output = handler(self._means, command.parameters)
        except CommandError as wrong:
            state = CommandState.REFUSED if wrong.reason == "parameters" else CommandState.FAILED
            return self._result(command, state, wrong.reason, str(wrong))
        except Exception as wrong:
            log.exception("order %s failed", command.name)
            return self._result(command, CommandState.FAILED, "failed", str(wrong) or repr(wrong))
        return None if output is None else self._done(command, output)

    def _done(self, command: Command, output: dict[str, Any]) -> CommandResult:
        size = len(json.dumps(output, default=str))
        if size > _OUTPUT_BYTES:
            output = {"left_out": f"{size} bytes, at most {_OUTPUT_BYTES} are sent"}
        return self._result(command, CommandState.DONE, output=output)

    def _result(
        self,
        command: Command,
        state: CommandState,
        reason: str = "",
        detail: str = "",
        output: dict[str, Any] | None = None,
    ) -> CommandResult:
        return CommandResult(
            id=command.id,
            name=command.name[:64],
            state=state,
            reason=reason,
            detail=detail[:500],
            output=output or {},
            at=self._now().ns,
        )

    def _refuse(self, verdict: Verdict) -> None:
        """What is not ours is told under no order's name: whoever made it must not answer for another."""
        now = self._means.clock.monotonic_ns()
        if now - self._told.get(verdict.reason, -_TELL_AGAIN_NS) < _TELL_AGAIN_NS:
            return
        self._told[verdict.reason] = now
        log.warning("an order was refused (%s): %s", verdict.reason, verdict.detail)
        is_ours = verdict.command is not None and verdict.reason == "expired"
        self._tell(
            CommandResult(
                id=verdict.command.id if is_ours and verdict.command else _NOBODY,
                name=verdict.command.name[:64] if verdict.command else "",
                state=CommandState.REFUSED,
                reason=verdict.reason,
                detail=verdict.detail[:500],
                at=self._now().ns,
            )
        )

    # ---- after a start

    def _answer_what_was_begun(self) -> None:
        begun = self._store.ledger.begun
        if begun is None:
            return
        is_done = begun.name == CommandName.RESTART_AGENT
        result = CommandResult(
            id=begun.id,
            name=begun.name,
            state=CommandState.DONE if is_done else CommandState.FAILED,
            reason="" if is_done else "cut_off",
            detail="" if is_done else "the program ended while it obeyed; it is not done again by itself",
            at=self._now().ns,
        )
        self._tell(result)
        self._store.answered()
