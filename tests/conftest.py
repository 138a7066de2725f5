"""What every test shares: programs that must be here, and the recordings that may be."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from programs import find_program

# pytest puts tests/ on the path, where the folder `cloud` would hide the package of that name.
sys.path.insert(0, str(Path(__file__).parents[1]))

_NOT_HERE = "is not on this machine"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if find_program(program) is None:
                pytest.skip(f"{program} {_NOT_HERE}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts real programs and waits for them first: no process is left with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("integration") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", ())]
    missing = Counter(reason.split()[1] for reason in reasons if reason.endswith(_NOT_HERE))
    for program, count in sorted(missing.items()):
        terminalreporter.write_line(f"not run for want of {program}: {count} tests", yellow=True)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Folder of real recordings; tests over it are extra and stand aside without it."""
    folder = Path(os.environ.get("LASTMILE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no recordings: set LASTMILE_DATA to their folder")
    return folder
