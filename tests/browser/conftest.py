"""Fixtures of the browser tests; the seeded evening is the pages' tests' own."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "cloud" / "console"))

from browser_rig import chromium, open_browser, served_cloud

__all__ = ["chromium", "open_browser", "served_cloud"]
