"""The command `lastmile-lab`. Exit codes: 0 done, 1 could not, 2 usage, 78 a file or parameter to mend."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models import __version__
from models.alert import Alert
from models.errors import ConfigurationError, LastmileError, ParameterError
from models.lab.catalogue import as_text, catalogue


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    given = _parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="lastmile-lab: %(message)s")
    try:
        given.run(given)
    except (ConfigurationError, ParameterError) as error:
        print(f"lastmile-lab: {error}", file=sys.stderr)
        return 78
    except (LastmileError, OSError, UnicodeDecodeError) as error:
        print(f"lastmile-lab: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lastmile-lab", description="The engineer's tool over files.")
    parser.add_argument("--version", action="version", version=f"lastmile-lab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("catalogue", help="every detector with its parameters and cost")
    listing.add_argument("--json", action="store_true")
    listing.add_argument("--markdown", action="store_true", help="the page docs/detectors.md")
    listing.set_defaults(run=_catalogue)

    warming = commands.add_parser("warm", help="compile every kernel now, so that later starts need not")
    warming.set_defaults(run=_warm)

    scoring = commands.add_parser("score", help="score files with a detector")
    scoring.add_argument("--detector", required=True, metavar="NAME")
    scoring.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", type=_setting)
    scoring.add_argument("--channels", type=_names, metavar="A,B,C", help="value columns")
    scoring.add_argument("--out", required=True, type=Path, metavar="DIR")
    scoring.add_argument("files", nargs="+", type=Path, metavar="FILE.csv")
    scoring.set_defaults(run=_score)

    scoring.add_argument(
        "--onsets", action="store_true", help="count a run of high scores once, where it rises"
    )

    rating = commands.add_parser("nab", help="run the Numenta Anomaly Benchmark")
    rating.add_argument("--data", required=True, type=Path, metavar="DIR", help="a folder laid out as NAB's")
    rating.add_argument("--detector", default="default", metavar="NAME")
    rating.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", type=_setting)
    rating.add_argument("--out", type=Path, metavar="DIR", help="also write the scores of each file")
    rating.add_argument("--json", action="store_true")
    rating.set_defaults(run=_nab)

    running = commands.add_parser("replay", help="the alerts a monitor would have raised")
    running.add_argument("--monitor", required=True, type=Path, metavar="FILE.json|toml")
    running.add_argument("--csv", required=True, type=Path, metavar="FILE")
    running.add_argument("--json", action="store_true", help="one alert a line")
    running.set_defaults(run=_replay)
    return parser


def _setting(text: str) -> tuple[str, Any]:
    """key=value; the value is read as JSON where it is JSON, else as text.

    >>> _setting("tau_s=600"), _setting("side=high")
    (('tau_s', 600), ('side', 'high'))
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _catalogue(given: argparse.Namespace) -> None:
    entries = catalogue()
    if given.markdown:
        from models.lab.page import as_markdown

        print(as_markdown(entries), end="")
        return
    print(json.dumps(entries, ensure_ascii=False, indent=2) if given.json else as_text(entries))


def _warm(given: argparse.Namespace) -> None:
    from models.lab.warm import warm

    for name, seconds in warm():
        print(f"{name} {seconds:.1f} s", file=sys.stderr)


def _score(given: argparse.Namespace) -> None:
    # Loaded here, so that listing and usage errors do not wait for the kernels.
    from models.detectors.parameters import parse
    from models.detectors.registry import entry_of
    from models.lab.score import score_files

    parameters = dict(given.set)
    parse(entry_of(given.detector).parameters, given.detector, parameters)
    files = given.files
    for number, written in enumerate(
        score_files(given.detector, parameters, files, given.out, given.channels, onsets=given.onsets), 1
    ):
        print(f"{number}/{len(files)} {written}", file=sys.stderr)


def _nab(given: argparse.Namespace) -> None:
    from models.detectors.parameters import parse
    from models.detectors.registry import entry_of
    from models.lab.nab import read_labels, run_files, summarised

    parameters = dict(given.set)
    parse(entry_of(given.detector).parameters, given.detector, parameters)
    total, files = len(read_labels(given.data)), {}
    for name, marked in run_files(given.data, given.detector, parameters, given.out):
        files[name] = marked
        print(f"{len(files)}/{total} {name}", file=sys.stderr)
    profiles = summarised(files)
    if given.json:
        print(json.dumps({"detector": given.detector, "parameters": parameters, "profiles": profiles}))
        return
    for name, found in profiles.items():
        print(
            f"{name:14} {found['score']:6.2f}  (90 % of resampled corpora {found['low']:.1f} to "
            f"{found['high']:.1f}; threshold from the other half {found['left_out']:.1f}, own "
            f"{found['left_out_own']:.1f})  {found['hit']}/{found['windows']} windows, {found['false']} false"
        )


def _replay(given: argparse.Namespace) -> None:
    from models.lab.run import read_monitor, replay_file

    run = replay_file(read_monitor(given.monitor), given.csv)
    for alert in run.alerts:
        print(alert.model_dump_json() if given.json else _line(alert))
    if not given.json:
        fired = sum(alert.resolved_at is None for alert in run.alerts)
        print(f"{fired} alerts over {len(run.time)} readings", file=sys.stderr)


def _line(alert: Alert) -> str:
    at = alert.resolved_at if alert.resolved_at is not None else alert.fired_at
    moment = datetime.fromtimestamp(at / 1e9, UTC).isoformat(timespec="seconds")
    reasons = "; ".join(
        f"{reason.code} " + ", ".join(f"{key} {value}" for key, value in reason.parameters.items())
        for reason in alert.reasons
    )
    return f"{moment}  {alert.state.value:8}  {alert.channel}  score {alert.score:.2f}  {reasons}"


if __name__ == "__main__":
    sys.exit(main())
