"""The committed schemas are those of the models, and what we send fits them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from wire_samples import messages

import models.wire.messages
from models.wire.column_bits import FAULTS
from models.wire.envelope import Kind
from models.wire.schema import SCHEMAS, main, schema_text
from models.wire.topics import Down, Up

FOLDER = Path(__file__).parents[2] / "docs" / "wire" / "schemas"


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_in_the_documentation_is_current(name):
    committed = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert committed == schema_text(SCHEMAS[name]), "run: python -m models.wire.schema docs/wire/schemas"


def test_schema_folder_holds_nothing_else():
    assert {path.stem for path in FOLDER.iterdir()} == set(SCHEMAS)


def test_every_message_of_the_wire_has_a_schema():
    bodies = {
        model
        for model in vars(models.wire.messages).values()
        if isinstance(model, type)
        and issubclass(model, BaseModel)
        and model.__module__ == "models.wire.messages"
    }
    parts = {
        models.wire.messages.ChannelEntry,
        models.wire.messages.ActionNote,
        models.wire.messages.UpgradeNote,
    }
    assert bodies - parts <= set(SCHEMAS.values())
    assert set(messages()) <= set(SCHEMAS)


def test_schemas_are_written_by_the_command(tmp_path):
    assert main([str(tmp_path / "new")]) == 0
    assert len(list((tmp_path / "new").iterdir())) == len(SCHEMAS)
    assert main([]) == 1


def test_every_field_and_every_kind_is_explained_in_the_documentation():
    pages = {
        page: (FOLDER.parent / f"{page}.md").read_text(encoding="utf-8") for page in ("messages", "envelope")
    }
    explained = set(re.findall(r"`(\w+)`", pages["messages"]))
    named = {"document", "outcome"}  # the configuration's own pages explain these
    for name, model in SCHEMAS.items():
        assert name in named or set(model.model_fields) <= explained, name
    assert all(f"| {kind.value} {kind.name} |" in pages["envelope"] for kind in Kind)


def test_every_topic_is_in_the_documentation():
    page = (FOLDER.parent / "topics.md").read_text(encoding="utf-8")
    assert all(f"`up/{kind}`" in page for kind in Up)
    assert all(f"`down/{kind}`" in page for kind in Down)


def test_every_refusal_is_in_the_documentation():
    said = " ".join(
        (FOLDER.parent / f"{page}.md").read_text(encoding="utf-8") for page in ("README", "columns")
    )
    words = set(re.findall(r"\w+", said))
    assert {code for code, _ in FAULTS.values()} <= words
