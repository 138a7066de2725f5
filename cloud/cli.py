"""`lastmile-cloud`: the commands people and other programs type.

Exit codes: 0 done, 1 refused or failed, 2 typed wrongly, 78 a configuration that must be mended first.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cloud import app
from cloud.commands import fleet, gateways, people, quarantine, signing_key, supervisor
from cloud.errors import ConfigurationError
from cloud.settings import Settings
from models.clock import Clock, SystemClock
from models.errors import LastmileError

ROLES = ("operator", "engineer", "worker", "admin")
_PARENT_S = 1.0

Answer = dict[str, Any] | list[dict[str, Any]]
Command = Callable[[Settings, argparse.Namespace, Clock], Answer]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    # Databases and keys are for their owner alone, whoever starts us.
    os.umask(0o077)
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        code: int = parsed.run(parsed)
    except ConfigurationError as wrong:
        print(f"lastmile-cloud: {wrong}", file=sys.stderr)
        return ConfigurationError.exit_code
    except LastmileError as wrong:
        print(f"lastmile-cloud: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lastmile-cloud", description="The cloud of Lastmile.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    init = _add(commands, "init", "make settings, keys, databases and the broker's folder", _init)
    init.add_argument("--broker-port", type=int)
    init.add_argument("--http-port", type=int)
    _answering(commands, "apply", "make the databases say what a file says", fleet.apply).add_argument(
        "file", type=Path
    )
    _answering(commands, "migrate", "bring the databases to this release", _migrate)

    _gateway_commands(_group(commands, "gateway", "gateways and their configuration"))
    _key_commands(_group(commands, "signing-key", "the key that signs configurations and orders"))
    _people_commands(commands)
    kept = _group(commands, "quarantine", "messages that could not be used")
    newest = _answering(kept, "ls", "list them, the newest first", quarantine.listing)
    newest.add_argument("--gateway")
    newest.add_argument("--limit", type=int, default=200)
    _answering(kept, "show", "one of them whole", quarantine.show).add_argument("number", type=int)

    _add(commands, "serve", "run everything until stopped", _serve)
    for name, run in (("ingest", app.run_ingest), ("web", app.run_web), ("scheduler", app.run_scheduler)):
        alone = _add(commands, name, f"run {name} alone until stopped", _running(run))
        alone.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    return parser


def _gateway_commands(group: Any) -> None:
    add = _answering(group, "add", "register a gateway", fleet.add)
    add.add_argument("gateway")
    add.add_argument("--site", required=True)
    add.add_argument("--place")
    add.add_argument("--name")
    code = _answering(group, "code", "make a one-time code for enrolment", fleet.code)
    code.add_argument("gateway")
    code.add_argument("--hours", type=float, help="how long it is good")
    desired = _answering(group, "desired", "sign and queue a configuration", fleet.desired)
    desired.add_argument("gateway")
    desired.add_argument("file", type=Path)
    desired.add_argument("--reason", required=True)
    _answering(group, "ls", "list gateways", fleet.listing)
    gateways.add_options(group, _answering)


def _key_commands(group: Any) -> None:
    for name, command, help_text in (
        ("begin", signing_key.begin, "make the next key, and tell every gateway of it"),
        ("switch", signing_key.switch, "sign with it, when every gateway has answered"),
        ("finish", signing_key.finish, "have the old key forgotten"),
    ):
        one = _answering(group, name, help_text, command)
        one.add_argument("--reason", required=True)
        if name == "switch":
            one.add_argument("--leave", action="store_true", help="leave gateways that have not answered")


def _people_commands(commands: Any) -> None:
    users = _group(commands, "user", "people who sign in")
    add = _answering(users, "add", "make an account", people.add_user)
    add.add_argument("login")
    add.add_argument("--name")
    add.add_argument("--language", choices=("en", "zh"), default="en")
    add.add_argument("--role", choices=ROLES, required=True)
    add.add_argument("--site", required=True, help="a site's id, or '*' for all")
    add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    change = _answering(users, "password", "set a password, read from standard input", people.set_password)
    change.add_argument("login")
    token = _answering(_group(commands, "token", "keys of machines"), "add", "make a key", people.add_token)
    token.add_argument("name")
    token.add_argument("--role", choices=ROLES, required=True)
    token.add_argument("--site", required=True, help="a site's id, or '*' for all")


def _group(commands: Any, name: str, help_text: str) -> Any:
    return commands.add_parser(name, help=help_text).add_subparsers(required=True, metavar="COMMAND")


def _add(
    commands: Any, name: str, help_text: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="folder of this cloud")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.set_defaults(run=run)
    return parser


def _answering(commands: Any, name: str, help_text: str, command: Command) -> argparse.ArgumentParser:
    def run(arguments: argparse.Namespace) -> int:
        settings = Settings.load(arguments.state.absolute())
        _answer(arguments, command(settings, arguments, SystemClock()))
        return 0

    return _add(commands, name, help_text, run)


def _running(program: Callable[[Settings], int]) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        if arguments.parent:
            threading.Thread(target=_end_with, args=(arguments.parent,), daemon=True).start()
        return program(Settings.load(arguments.state.absolute()))

    return run


def _init(arguments: argparse.Namespace) -> int:
    settings = app.initialise(
        arguments.state, broker_port=arguments.broker_port, http_port=arguments.http_port, clock=SystemClock()
    )
    _answer(
        arguments,
        {
            "state": str(settings.state),
            "broker": f"mosquitto -c {settings.broker_folder / 'mosquitto.conf'}",
            "http_port": settings.web.port,
            "broker_port": settings.broker.port,
        },
    )
    return 0


def _migrate(settings: Settings, _arguments: argparse.Namespace, _clock: Clock) -> Answer:
    return dict(app.migrate_databases(settings))


def _serve(arguments: argparse.Namespace) -> int:
    return supervisor.serve(Settings.load(arguments.state.absolute()), SystemClock(), os.getpid())


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, however that ended."""
    clock = SystemClock()
    while os.getppid() == parent:
        clock.sleep(_PARENT_S)
    os._exit(1)


def _answer(arguments: argparse.Namespace, answer: Answer) -> None:
    if arguments.json:
        print(json.dumps(answer))
        return
    for row in answer if isinstance(answer, list) else [answer]:
        print("  ".join(f"{key}: {value}" for key, value in row.items()))


if __name__ == "__main__":
    sys.exit(main())
