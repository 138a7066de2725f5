"""Examples in the drivers' documentation run."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import edge_agent

FOLDER = Path(edge_agent.__file__).parent
MODULES = sorted(
    ".".join(("edge_agent", *file.relative_to(FOLDER).with_suffix("").parts))
    for file in FOLDER.rglob("*.py")
    if ">>>" in file.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
