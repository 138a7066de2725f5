"""lastmile-edge: init, enroll, check, discover, import, run, status, outbox."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.log_lines import set_up
from edge_agent.settings import Settings, load_settings, locate_device_fault, locate_monitor_fault
from edge_agent.state import StateFolder
from edge_agent.toml_lines import path_of
from models.errors import ConfigurationError, LastmileError

if TYPE_CHECKING:
    from models.wire.messages import ActionNote

_TEMPLATE = Path(__file__).with_name("gateway.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; exit code 0, 1 (failed), 2 (wrong use) or 78 (configuration)."""
    chosen = _parser().parse_args(arguments)
    set_up(sys.stderr, os.environ, verbose=chosen.verbose)
    command: Callable[[argparse.Namespace, StateFolder], int] = chosen.command
    try:
        return command(chosen, StateFolder(chosen.state))
    except ConfigurationError as wrong:
        _complain(chosen, "configuration", str(wrong), wrong)
        return wrong.exit_code
    except LastmileError as wrong:
        _complain(chosen, "failed", str(wrong))
        return 1
    except OSError as wrong:
        _complain(chosen, "failed", str(wrong))
        return 1
    except KeyboardInterrupt:
        return 1


def init(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Write a commented gateway.toml."""
    state.make()
    if state.settings.exists():
        _say(chosen, {"written": False, "file": str(state.settings)}, f"{state.settings} is there already")
        return 0
    state.settings.write_text(_TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    state.settings.chmod(0o600)
    _say(
        chosen, {"written": True, "file": str(state.settings)}, f"wrote {state.settings}; edit it, then enrol"
    )
    return 0


def enroll(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Trade a one-time code for this gateway's certificate."""
    from edge_agent.enrolment import enroll as trade
    from edge_agent.identity.moment import by_memory
    from models.clock import SystemClock

    settings = load_settings(state.settings)
    cloud = chosen.cloud or settings.uplink.cloud
    if not cloud:
        raise ConfigurationError("no cloud to enrol with", key="--cloud", expected="https://host[:port]")
    now = by_memory(SystemClock(), state.clock)
    enrolled = trade(state, cloud=cloud, code=chosen.code, gateway=settings.gateway.id, now=now)
    _say(
        chosen,
        {"gateway": enrolled.gateway, "broker": {"host": enrolled.host, "port": enrolled.port}},
        f"enrolled as {enrolled.gateway}; broker {enrolled.host}:{enrolled.port}",
    )
    return 0


def check(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Validate gateway.toml: file, drivers, detectors; with --probe try the devices themselves."""
    from edge_agent.check import check_in_force, probe

    settings = _checked(state)
    if chosen.in_force:
        import edge_agent.app  # noqa: F401 - all of the program, before it must run

        check_in_force(state, settings)
    channels = sum(len(device.channels) for device in settings.devices)
    counts = {
        "devices": len(settings.devices),
        "channels": channels,
        "monitors": len(settings.document().monitors),
    }
    words = ", ".join(f"{count} {what}" for what, count in counts.items())
    told: dict[str, object] = {"ok": True, **counts}
    lines, is_well = [f"{state.settings}: {words}"], True
    if chosen.probe:
        told["probe"], said, is_well = probe(state, settings, chosen.wait)
        told["ok"], lines = is_well, [*lines, *said]
    _say(chosen, told, "\n".join(lines))
    return 0 if is_well else 1


def discover(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Propose devices and channels from what is heard and found; writes nothing unless told to --append."""
    from edge_agent.discovery.options import wish_of
    from edge_agent.discovery.search import append
    from edge_agent.discovery.search import discover as look
    from models.clock import SystemClock

    wish = wish_of(chosen)
    settings = load_settings(state.settings) if chosen.append or state.settings.exists() else None
    found = look(wish, SystemClock(), settings)
    for note in found.notes:
        print(f"# {note}", file=sys.stderr)
    if chosen.append and found.devices:
        append(state, found)
        print(f"# {len(found.devices)} devices were added to {state.settings}", file=sys.stderr)
    told = {"devices": [device.table() for device in found.devices], "notes": found.notes}
    _say(chosen, told, found.text().rstrip())
    return 0 if found.devices else 1


def run(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Read, judge, store, publish, obey, until SIGTERM or Ctrl-C."""
    from edge_agent.app import Agent
    from edge_agent.watchdog.supervisor import Supervisor
    from models.clock import SystemClock

    # Whatever ends this program by a signal, the log says where each thread was.
    with contextlib.suppress(OSError, ValueError):  # a stream that is no file
        faulthandler.enable(sys.stderr)
    supervisor = Supervisor.of(os.environ)
    settings = load_settings(state.settings)
    with state.lock():
        agent = Agent(state, settings, SystemClock(), supervisor)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: agent.stop())
        agent.run()
    if agent.wants_restart:
        # The same process goes on with the same words: whoever supervises it sees no end.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    return 0


def import_file(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Teach the monitors from a CSV of history; nothing is raised."""
    from edge_agent.history import import_history
    from edge_agent.pipeline import Pipeline
    from models.clock import SystemClock

    settings = load_settings(state.settings)
    with state.lock():
        pipeline = Pipeline.open(state, settings, SystemClock(), teaches_only=True)
        try:
            done = import_history(pipeline, chosen.file, _progress())
            pipeline.judge.stop()
        finally:
            pipeline.close()
    print(file=sys.stderr)
    _say(
        chosen,
        {"rows": done.rows, "readings": done.readings, "skipped_rows": done.skipped_rows},
        f"imported {done.readings} readings from {done.rows} rows ({done.skipped_rows} were imported before)",
    )
    return 0


def status(chosen: argparse.Namespace, state: StateFolder) -> int:
    """What the running agent last said of itself."""
    try:
        told = json.loads(state.status.read_text())
    except FileNotFoundError:
        _complain(chosen, "failed", f"{state.status} is not there: has the agent run?")
        return 1
    lines = [
        f"{told['gateway']}: {told['phase']}, configuration {told['config_version']}, {told['memory_mb']} MB"
    ]
    lines += [f"uplink: {'connected' if told['uplink']['is_connected'] else told['uplink']['problem']}"]
    for device in told["devices"]:
        says = "up" if device["is_up"] else device["problem"]
        lines.append(f"device {device['name']}: {says}, {device['readings']} readings")
    lines += [f"outbox: {told['outbox']['urgent_rows']} urgent, {told['outbox']['bulk_rows']} bulk waiting"]
    _say(chosen, told, "\n".join(lines))
    return 0


def outbox(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Messages for the cloud: the figures, `ls`, `export FILE`, and `replay FILE` to send some again."""
    from edge_agent.outbox.commands import outbox_command

    _say(chosen, *outbox_command(chosen, state))
    return 0


def upgrade(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Bring a signed release into force, watch it, and go back by itself when it is worse than the last."""
    from edge_agent.upgrade.command import upgrade as do

    told, lines, code = do(chosen, state)
    _say(chosen, told, "\n".join(lines))
    return code


def doctor(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Look at settings, machine, agent and the way to the cloud; say what to do."""
    from edge_agent.doctor.doctor import findings, summary
    from edge_agent.doctor.finding import Mark
    from models.clock import SystemClock

    found = []
    for finding in findings(state, SystemClock()):
        found.append(finding)
        if not chosen.json:
            print(finding.line(), flush=True)  # one by one: a silent name server takes its seconds
    is_well = not any(finding.mark is Mark.BAD for finding in found)
    told = {"ok": is_well, "findings": [finding.as_json() for finding in found]}
    _say(chosen, told, summary(found))
    return 0 if is_well else 1


def assets(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Classes of assets that can be put under watch; `assets show NAME` tells one with ready TOML."""
    from models.assets.library import asset_classes, template_of
    from models.assets.show import describe_class

    if chosen.action == "show":
        if chosen.name is None:
            known = "one of " + ", ".join(asset_classes())
            raise ConfigurationError("which class?", key="NAME", expected=known)
        _say(chosen, template_of(chosen.name).model_dump(mode="json"), "\n".join(describe_class(chosen.name)))
        return 0
    titles = {name: template_of(name) for name in asset_classes()}
    told = {name: {"title": one.title, "title_zh": one.title_zh} for name, one in titles.items()}
    _say(chosen, told, "\n".join(f"{name}: {one.title} / {one.title_zh}" for name, one in titles.items()))
    return 0


def action(chosen: argparse.Namespace, state: StateFolder) -> int:
    """Local actions: `ls`, `log`, or `test NAME`, which switches one on for two seconds."""
    from edge_agent.alone.log import ActionLog
    from edge_agent.alone.trying import try_action
    from models.clock import SystemClock

    settings = load_settings(state.settings)
    names = [one.name for one in settings.actions]
    if chosen.what == "ls":
        told = [one.model_dump(mode="json") for one in settings.actions]
        _say(
            chosen, told, "\n".join(f"{one.name}: {one.kind}" for one in settings.actions) or "no [[actions]]"
        )
        return 0
    if chosen.what == "log":
        notes = ActionLog(state.actions).read()
    elif chosen.name in names:
        notes = try_action(state, settings, chosen.name, SystemClock())
    else:
        raise ConfigurationError("no such action", key="NAME", expected="one of " + ", ".join(names))
    lines = [f"{note.at} {note.action}: {note.event} {note.reason} {note.detail}".strip() for note in notes]
    _say(chosen, [note.model_dump(mode="json") for note in notes], "\n".join(lines))
    return 0 if chosen.what == "log" or _went_well(notes) else 1


def _went_well(notes: Sequence[ActionNote]) -> bool:
    """Whether a test switched on and off, and nothing failed."""
    events = {note.event for note in notes}
    return {"test", "off"} <= events and "failed" not in events


def _checked(state: StateFolder) -> Settings:
    """Settings whose drivers and detectors were tried; ConfigurationError names the line."""
    from edge_agent.channels import entries_of
    from edge_agent.drivers.table import make_driver
    from edge_agent.judge.seats import make_seats
    from models.clock import SystemClock

    settings = load_settings(state.settings)
    for index, device in enumerate(settings.devices):
        try:
            make_driver(device, SystemClock())
        except ConfigurationError as wrong:
            raise _placed(wrong, *locate_device_fault(state.settings, index, path_of(wrong.key))) from wrong
    entries = entries_of(settings.document())
    channels = {e.name: e.model_copy(update={"number": n}) for n, e in enumerate(entries, 1)}
    for index, monitor in enumerate(settings.monitors):
        try:
            make_seats([monitor], channels, gateway=settings.gateway.id, config_version=0, code_version="")
        except LastmileError as wrong:
            raise _placed(wrong, *locate_monitor_fault(state.settings, index, ("parameters",))) from wrong
    return settings


def _placed(wrong: LastmileError, file: str, line: int) -> ConfigurationError:
    key, expected = getattr(wrong, "key", ""), getattr(wrong, "expected", "")
    said = wrong.args[0] if wrong.args else ""
    said = said.removeprefix(f"{key}: ").removesuffix(f" (expected {expected})")
    return ConfigurationError(said, file=file, line=line, key=key, expected=expected)


def _progress() -> Callable[[int, int], None]:
    """Says each ten thousand rows how far it is."""
    said = 0

    def say(rows: int, readings: int) -> None:
        nonlocal said
        if rows - said >= 10_000:
            said = rows
            print(f"\r{rows} rows, {readings} readings", end="", file=sys.stderr, flush=True)

    return say


def _say(chosen: argparse.Namespace, told: object, words: str) -> None:
    print(json.dumps(told) if chosen.json else words)


def _complain(
    chosen: argparse.Namespace, code: str, message: str, wrong: ConfigurationError | None = None
) -> None:
    print(f"lastmile-edge: {message}", file=sys.stderr)
    if chosen.json:
        told: dict[str, object] = {"code": code, "message": message}
        if wrong is not None:
            told |= {"file": wrong.file, "line": wrong.line, "key": wrong.key, "expected": wrong.expected}
        print(json.dumps({"error": told}))


def _parser() -> argparse.ArgumentParser:
    from edge_agent.check import add_options as add_check_options
    from edge_agent.discovery.options import add_options as add_discover_options
    from edge_agent.outbox.commands import add_options as add_outbox_options
    from edge_agent.upgrade.options import add_options as add_upgrade_options

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path, default=Path("/var/lib/lastmile-edge"), help="the state folder")
    common.add_argument("--json", action="store_true", help="answer in JSON on standard output")
    common.add_argument("--verbose", action="store_true", help="log more")
    parser = argparse.ArgumentParser(prog="lastmile-edge", description="The program on a gateway.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[..., int]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], help=command.__doc__, description=command.__doc__)
        made.set_defaults(command=command)
        return made

    add("init", init)
    enrolling = add("enroll", enroll)
    enrolling.add_argument("--cloud", help="https://host[:port]; default: [uplink] cloud")
    enrolling.add_argument("--code", required=True, help="the one-time code")
    add_check_options(add("check", check))
    add_discover_options(add("discover", discover))
    importing = add("import", import_file)
    importing.add_argument("file", type=Path)
    add("run", run)
    add("status", status)
    add("doctor", doctor)
    add_outbox_options(add("outbox", outbox))
    add_upgrade_options(add("upgrade", upgrade))
    acting = add("action", action)
    acting.add_argument("what", choices=["ls", "log", "test"])
    acting.add_argument("name", nargs="?", metavar="NAME")
    showing = add("assets", assets)
    showing.add_argument("action", nargs="?", choices=["show"])
    showing.add_argument("name", nargs="?", metavar="NAME")
    return parser


if __name__ == "__main__":
    sys.exit(main())
