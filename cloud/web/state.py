"""What every request needs: settings, databases, the clock. One object, made when the program is wired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cloud.series.store import SeriesStore
from cloud.settings import Settings
from cloud.storage import engine
from models.clock import Clock


@dataclass(frozen=True)
class WebState:
    """Lives as long as the application, in `app.state.web`."""

    settings: Settings
    main: Engine
    series: Engine
    store: SeriesStore
    clock: Clock

    @property
    def now(self) -> int:
        """UTC, ns."""
        return self.clock.wall_ns()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A view of the main database that waits for nobody."""
        with engine.reading(self.main) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One write transaction on the main database."""
        with engine.transaction(self.main) as session:
            yield session


def web_state(request: Request) -> WebState:
    """The state of the application that got this request."""
    return cast(WebState, request.app.state.web)


State = Annotated[WebState, Depends(web_state)]
