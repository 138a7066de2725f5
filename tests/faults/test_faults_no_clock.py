"""A machine that wakes in 1970 renews at its cloud: a process that is made to believe it is then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fault_renewals import enrolled_gateway
from real_parts import ROOT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs("mosquitto"),
    pytest.mark.row("B7"),
    pytest.mark.timeout(400),
]


def find_faketime() -> Path | None:
    """The library that makes a program believe another time, as Debian packs it; installed or unpacked."""
    for root in (Path("/"), ROOT / ".cache" / "root"):
        if found := sorted(root.glob("usr/lib/*/faketime/libfaketime.so.1")):
            return found[0]
    return None


@pytest.mark.parametrize("away_days", [0, 100])
def test_gateway_that_wakes_in_1970_renews_and_is_let_in(tmp_path, monkeypatch, away_days) -> None:
    library = find_faketime()
    if library is None:
        pytest.skip("needs libfaketime (apt-get install libfaketime)")
    with enrolled_gateway(tmp_path) as parts:
        if away_days:
            parts.was_away(away_days)
        before = parts.gateway.certificate.read_bytes()
        with monkeypatch.context() as patched:
            patched.setenv("LD_PRELOAD", str(library))
            patched.setenv("FAKETIME", "@1970-01-01 00:01:00")
            patched.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            year = [sys.executable, "-c", "import time; print(time.gmtime().tm_year)"]
            assert subprocess.check_output(year, text=True).strip() == "1970"
            code, said = parts.renew()
        assert code == 0, said
        assert parts.gateway.certificate.read_bytes() != before
        assert parts.works()
