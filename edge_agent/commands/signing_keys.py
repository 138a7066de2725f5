"""The cloud's next signing key: trusted because the one we pinned says so, and the old one then forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_agent.commands.errors import CommandError
from edge_agent.obedience import DesiredStore, pinned_key, pinned_keys, read_public_key
from edge_agent.state import StateFolder, replace_file, sync_folder
from models.errors import LastmileError
from models.wire.signing import key_id


def trust(state: StateFolder, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Believe one more key, beside the one pinned; a third takes the second's place."""
    try:
        key = read_public_key(str(parameters["key"]))
    except (KeyError, LastmileError) as wrong:
        raise CommandError("parameters", f"expected key=BASE64 of an Ed25519 public key: {wrong}") from wrong
    if key not in pinned_keys(state):
        replace_file(state.next_signing_key, key.hex().encode() + b"\n", mode=0o644)
    return told(state)


def forget(state: StateFolder, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Believe the next key alone. Refused while what is in force is signed by the old one.

    The order is signed by a key we believe; a cloud that still had only the old one could not name the next.
    """
    old, following = pinned_key(state.signing_key), pinned_key(state.next_signing_key)
    named = parameters.get("key")
    if old is None or named != key_id(old):
        return told(state)
    if following is None:
        raise CommandError("no_other_key", "there is no other key to believe")
    if named in DesiredStore(state).raw() or named in _trial(state):
        raise CommandError("in_use", "the configuration in force is signed by that key; it comes again first")
    replace_file(state.signing_key, following.hex().encode() + b"\n", mode=0o644)
    state.next_signing_key.unlink()
    sync_folder(state.identity)
    return told(state)


def told(state: StateFolder) -> dict[str, Any]:
    """Which keys are believed, by their short names."""
    return {"keys": [key_id(key) for key in pinned_keys(state)]}


def _trial(state: StateFolder) -> str:
    try:
        return state.trial.read_text()
    except FileNotFoundError:
        return ""
