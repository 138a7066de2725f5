"""Examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import cloud.dispatch
import cloud.incidents
import cloud.people
import cloud.web.api
import cloud.web.security

PACKAGES = (cloud.people, cloud.incidents, cloud.dispatch, cloud.web.security, cloud.web.api)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_examples_run(package: object) -> None:
    found = [info.name for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    results = [doctest.testmod(importlib.import_module(name)) for name in found]
    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) > 0
