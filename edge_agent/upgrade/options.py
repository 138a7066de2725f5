"""What `lastmile-edge upgrade` takes on its command line."""

from __future__ import annotations

import argparse
from pathlib import Path

PREFIX = Path("/opt/lastmile")
WINDOW_S = 180.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to do: one of --bundle, --pending, --back, --show."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--bundle", type=Path, metavar="FILE", help="install a signed release, watched")
    what.add_argument("--pending", action="store_true", help="do what the cloud ordered, or go on with it")
    what.add_argument("--back", metavar="VERSION", help="run an installed release again")
    what.add_argument("--show", action="store_true", help="what is installed, how the last upgrade ended")
    parser.add_argument("--prefix", type=Path, default=PREFIX, help="where releases lie")
    spans = (
        ("--window", WINDOW_S, "how long it is on trial"),
        ("--start", None, "how long it may take to show a sign of life"),
        ("--stale", None, "how long it may show none once it has"),
    )
    for name, default, words in spans:
        parser.add_argument(name, type=float, default=default, metavar="S", help=words)
    parser.add_argument("--again", action="store_true", help="also a release that was left before")
    parser.add_argument("--older", action="store_true", help="also a release older than what runs")
    parser.add_argument("--offline", action="store_true", help="no agent runs: switch without watching")
