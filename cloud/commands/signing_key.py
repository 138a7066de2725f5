"""Commands that change the key under configurations and orders."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from cloud.commands.fleet import ACTOR
from cloud.fleet import signing_change
from cloud.settings import Settings
from cloud.storage.engine import open_main, transaction
from models.clock import Clock


def begin(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Make the next key; done again, it says who has answered and tells who does not know."""
    with transaction(open_main(settings)) as session:
        answers = signing_change.begin(
            session, settings.keys, actor=ACTOR, reason=arguments.reason, now=clock.wall_ns()
        )
    return {"answered": answers.done, "waiting": answers.waiting}


def switch(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Sign with the next key from now on."""
    with transaction(open_main(settings)) as session:
        signing_change.switch(
            session,
            settings.keys,
            actor=ACTOR,
            reason=arguments.reason,
            now=clock.wall_ns(),
            all_of_them=not arguments.leave,
        )
    return {"signs": "next"}


def finish(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Have the old key forgotten; done again until nobody waits."""
    with transaction(open_main(settings)) as session:
        answers = signing_change.finish(
            session, settings.keys, actor=ACTOR, reason=arguments.reason, now=clock.wall_ns()
        )
    return {"answered": answers.done, "waiting": answers.waiting}
