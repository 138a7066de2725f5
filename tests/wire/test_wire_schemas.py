"""The committed schemas are those of the models, and what we send fits them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel
from wire_samples import messages

import models.wire.messages
from models.wire.schema import SCHEMAS, main, schema_text

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
    parts = {models.wire.messages.ChannelEntry}
    assert bodies - parts <= set(SCHEMAS.values())
    assert set(messages()) <= set(SCHEMAS)


def test_schemas_are_written_by_the_command(tmp_path):
    assert main([str(tmp_path / "new")]) == 0
    assert len(list((tmp_path / "new").iterdir())) == len(SCHEMAS)
    assert main([]) == 1
