"""Everything for the time without a cloud, in one place: watch, actions, page, wishes for tests."""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edge_agent.alone.actions import Actions
from edge_agent.alone.guarded import Guard
from edge_agent.alone.log import ActionLog
from edge_agent.alone.watch import CloudWatch
from edge_agent.settings import Settings
from edge_agent.state import StateFolder
from models.alert import Alert
from models.clock import Clock
from models.wire.messages import ActionNote

if TYPE_CHECKING:
    from edge_agent.alone.page import StatusPage

log = logging.getLogger(__name__)


class Alone:
    """Steps once a second, with the agent. Without actions no guard is started, without a port no page."""

    def __init__(self, state: StateFolder, settings: Settings, clock: Clock) -> None:
        self.cloud = CloudWatch(clock, settings.alone.after_s)
        self._wish = state.test_wish
        self._tests: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._guard: Guard | None = None
        self._actions: Actions | None = None
        if settings.actions:
            self._guard = Guard(settings.actions, settings.gateway.id, clock)
            self._actions = Actions(settings.actions, self._guard, ActionLog(state.actions), clock)
        self._page = self._make_page(settings.alone.page_port)

    @property
    def notes(self) -> tuple[ActionNote, ...]:
        """The last lines of the log of actions."""
        return self._actions.notes if self._actions is not None else ()

    def start(self) -> None:
        """Outputs go to their safe state before anything else runs."""
        self._wish.unlink(missing_ok=True)
        if self._actions is not None:
            self._actions.step((), is_alone=False)
        if self._page is not None:
            self._page.start()

    def step(
        self, firing: Sequence[Alert], *, last_receipt_at: int, is_connected: bool, backlog: int
    ) -> None:
        was = self.cloud.is_alone
        self.cloud.step(last_receipt_at=last_receipt_at, is_connected=is_connected, backlog=backlog)
        if was != self.cloud.is_alone:
            log.warning("alone: %s", "the cloud answers again" if was else "no receipt from the cloud")
        if self._actions is None:
            return
        self._take_wishes(self._actions)
        self._actions.step(firing, is_alone=self.cloud.is_alone)

    def stop(self) -> None:
        """Everything off; then the page."""
        if self._guard is not None:
            self._guard.stop()
        if self._page is not None:
            self._page.stop()

    def show(self, told: dict[str, Any]) -> None:
        """A new status, for the page."""
        if self._page is not None:
            self._page.show(told)

    def describe(self) -> dict[str, Any]:
        """What the status says of all this."""
        return {
            "is_alone": self.cloud.is_alone,
            "unheard_s": round(self.cloud.unheard_s, 1),
            "page_port": self._page.port if self._page is not None else 0,
            "actions": self._actions.describe() if self._actions is not None else [],
            "action_log": [note.model_dump(mode="json") for note in self.notes],
        }

    def _make_page(self, port: int) -> StatusPage | None:
        if not port:
            return None
        from edge_agent.alone.page import StatusPage  # most gateways have none

        try:
            return StatusPage(port, self._tests.put)
        except OSError as taken:
            log.error("status page: port %d: %s", port, taken)
            return None

    def _take_wishes(self, actions: Actions) -> None:
        with contextlib.suppress(FileNotFoundError, OSError):
            name = self._wish.read_text().strip()
            self._wish.unlink()
            self._tests.put(name)
        with contextlib.suppress(queue.Empty):
            while True:
                actions.test(self._tests.get_nowait())
