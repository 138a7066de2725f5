"""The templates that come with Lastmile: one TOML file each, in `classes/`."""

from __future__ import annotations

import difflib
import functools
import tomllib
from importlib.resources import files

from models.assets.template import Template
from models.errors import ConfigurationError

_CLASSES = files("models.assets") / "classes"


def asset_classes() -> list[str]:
    """Names of all classes.

    >>> "lift" in asset_classes()
    True
    """
    found = [entry.name for entry in _CLASSES.iterdir()]
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


@functools.cache
def template_of(name: str) -> Template:
    """The template of a class; ConfigurationError, with the nearest name, when there is none.

    >>> template_of("freezer").parameters[0].default
    -15.0
    """
    known = asset_classes()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"{near[0]}, or another of `lastmile-edge assets`" if near else "one of " + ", ".join(known)
        raise ConfigurationError(f"no class of assets is called {name!r}", key="class", expected=hint)
    return Template.model_validate(tomllib.loads((_CLASSES / f"{name}.toml").read_text(encoding="utf-8")))
