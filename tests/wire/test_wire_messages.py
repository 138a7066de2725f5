"""JSON bodies: as they were in every release, and open to newer senders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from wire_samples import messages

from models.configuration import GatewayDocument

GOLDEN = Path(__file__).parent / "golden"
JSON_FILES = sorted(GOLDEN.glob("*/*.json"))


# Objects whose keys are data: a new key in them is content, not a field.
OPEN_MAPS = {"parameters", "measures", "configuration"}


def with_unknown(value: object, name: str) -> object:
    """The same JSON with a field in every object that nobody knows yet."""
    if name in OPEN_MAPS:
        return value
    if isinstance(value, dict):
        return {key: with_unknown(inner, key) for key, inner in value.items()} | {"from_the_future": [1, {}]}
    if isinstance(value, list):
        return [with_unknown(inner, "") for inner in value]
    return value


@pytest.mark.row("A18")
@pytest.mark.parametrize("path", JSON_FILES, ids=lambda p: p.stem)
def test_message_of_every_release_is_understood(path):
    message = messages()[path.stem]
    assert type(message).model_validate_json(path.read_bytes()) == message


@pytest.mark.parametrize("name", messages())
def test_message_is_written_as_in_the_newest_release(name):
    newest = max(GOLDEN.iterdir(), key=lambda folder: int(folder.name))
    assert messages()[name].model_dump_json() + "\n" == (newest / f"{name}.json").read_text()


@pytest.mark.row("A18")
@pytest.mark.parametrize("name", messages())
def test_message_with_an_unknown_field_is_understood_as_if_it_had_none(name):
    message = messages()[name]
    said = json.loads(message.model_dump_json())
    newer = with_unknown(said, "")
    if name == "evidence":  # its channels are a map from numbers to names
        newer["channels"] = said["channels"]
    assert type(message).model_validate(newer) == message
    assert type(message).model_validate_json(json.dumps(newer)) == message


@pytest.mark.parametrize("name", messages())
def test_message_without_a_field_it_needs_is_refused(name):
    message = messages()[name]
    said = json.loads(message.model_dump_json())
    needed = [key for key, field in type(message).model_fields.items() if field.is_required()]
    assert needed
    for key in needed:
        with pytest.raises(ValidationError, match=key):
            type(message).model_validate({other: value for other, value in said.items() if other != key})


@pytest.mark.parametrize("name", messages())
def test_message_cannot_be_changed_once_made(name):
    message = messages()[name]
    key = next(iter(type(message).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(message, key, None)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_message_with_a_number_that_is_none_is_refused(word):
    text = messages()["alert"].model_dump_json()
    assert '"score":4.25' in text
    with pytest.raises(ValidationError):
        type(messages()["alert"]).model_validate_json(text.replace('"score":4.25', f'"score":{word}'))


def test_document_inside_a_signed_one_refuses_unknown_keys_because_a_typo_must_not_pass():
    text = json.loads(messages()["desired"].document)
    with pytest.raises(ValidationError, match="treshold"):
        GatewayDocument.model_validate(text | {"treshold": 3})


def test_every_sample_is_a_model():
    assert all(isinstance(message, BaseModel) for message in messages().values())
